"""Attacks on what leaves whoever holds the recordings, by name."""

from collections.abc import Callable, Mapping

from evaluation.attacks.attempts import Attempt, Scene, who_is_speaking
from evaluation.attacks.membership import who_is_in
from synth_data.progress import Progress

# From what is attacked and a bar: what attackers did, and what cannot be tried, and why.
Attack = Callable[[Scene, Progress], tuple[list[Attempt], list[str]]]

ATTACKS: Mapping[str, Attack] = {"speaker": who_is_speaking, "membership": who_is_in}
