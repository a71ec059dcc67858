"""What is guaranteed about the people whose speech a set was made from, in full.

NIST SP 800-226 (2025) asks of such a statement: the unit, adjacency, epsilon and delta, the
mechanism, how it composes, and what is taken to be public.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from synth_data.errors import SetError
from synth_data.ledger import PrivacyBudget, Release, caps_of, epsilon_of
from synth_data.provenance import PublicSpeech

NONE: Literal["no formal guarantee"] = "no formal guarantee"
ADJACENCY: Literal["add or remove one unit"] = "add or remove one unit"
COMPOSITION = (
    "all releases together, exactly where nothing is sampled (Gaussian differential privacy), else "
    "by the PRV accountant's upper bound; other sets from the same corpus come on top"
)
PUBLIC = (
    "the corpus' name and its emotions",
    "how speech becomes features, each utterance by itself",
    "the split into folds",
    "all settings and seeds; the noise has none, it is the operating system's",
    "a number that the units are not fewer than",
)
SLACK = 1e-6  # relative, that a solver of noise leaves over


@dataclass(frozen=True)
class Guarantee:
    """Differential privacy of a set, as its releases give it.

    Attributes:
        budget: that was not to be exceeded.
        releases: all noisy answers that the set is made of.

    Raises:
        SetError: they come to more.
    """

    budget: PrivacyBudget
    releases: tuple[Release, ...]

    def __post_init__(self) -> None:
        if self.epsilon > self.budget.epsilon * (1 + SLACK):
            raise SetError(
                f"the privacy claimed is epsilon {self.budget.epsilon:g}, and the releases listed "
                f"come to {self.epsilon:.4g}: get the set from somebody whose count is right"
            )

    @property
    def epsilon(self) -> float:
        """What the releases come to, at the budget's delta."""
        return epsilon_of(self.releases, self.budget.delta)

    @property
    def statement(self) -> str:
        """The claim in one line."""
        budget = self.budget
        return (
            f"differentially private for every {budget.unit}: epsilon {budget.epsilon:g} at delta "
            f"{budget.delta:g}"
        )

    @property
    def meaning(self) -> str:
        """What that comes to for an attacker."""
        return can_achieve(self.releases, self.budget)


def taken_to_be_public(speech: PublicSpeech | None, dimensions: str = "") -> tuple[str, ...]:
    """What a guarantee says nothing about.

    Args:
        speech: public speech, where there was some.
        dimensions: that are told, with their scale, in words; empty where none are.
    """
    taken = (*PUBLIC, f"its dimensions and their scale: {dimensions}") if dimensions else PUBLIC
    if speech is None:
        return taken
    heard = f"the speech of {speech.corpus_title}, content {speech.corpus_digest}"
    return (*taken, f"{heard}: it was read freely, and nothing is guaranteed to its speakers")


def can_achieve(releases: Sequence[Release], budget: PrivacyBudget) -> str:
    """The most that anybody can make of releases, in words."""
    caps = caps_of(releases)
    return (
        f"whoever wants to know whether one {budget.unit}'s speech went in, whatever else they "
        f"know, is right about at most {caps.true_positive_rate:.1%} of those that did while wrong "
        f"about 1 % of the others (area under the curve at most {caps.area:.3f}; 0.5 is chance)"
    )
