"""`--objective auto`: which objective for which set, by what was measured.

Measured on validation speakers of RAVDESS (where dimensions are told, of the toy corpora, EmoDB and
RAVDESS), beside each other on the same fold; the README's "Which objective?" has the figures.
Corpora of another kind may call for another choice, which is why every objective can be asked for
by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

AUTO = "auto"
SHORT = 1.0  # minutes: not enough to walk trajectories and to use them
ENOUGH = 3.0  # minutes: enough for that and for an expert
FEW = 12  # items per class: six were told apart better with a classification term, 16 worse


@dataclass(frozen=True)
class Choice:
    """An objective.

    Attributes:
        objective: its name.
        why: in a few words, for whoever asked.
        settings: of the objective, where they are not its defaults.
    """

    objective: str
    why: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def choose(per_class: int, max_minutes: float | None, learned_labels: bool = False) -> Choice:
    """The objective for a set.

    Initialisation does not change the choice: what was best from fixed weights was best from
    random ones, for students of the common recipe. (By its own schedule, which is good for the
    fixed start alone, `unrolled` made one whole item per class worth most; items stored small are
    worth more, to both.) For items as cosines `gradient-matching` was as good, within chance, at a
    fifth to two fifths more time.

    Args:
        per_class: items of each class that there are bytes for.
        max_minutes: that making the set may take; None for as long as it takes.
        learned_labels: whether labels are learned, for which they must be told apart.
    """
    if learned_labels:
        return Choice(
            "distribution-matching",
            "with a classification term, by which labels are learned",
            {"classification": 0.5},
        )
    if max_minutes is not None and max_minutes < SHORT:
        return choose_untrained()
    if per_class < FEW:
        return Choice(
            "distribution-matching",
            "with a classification term, since the items are few",
            {"classification": 0.5},
        )
    return Choice("distribution-matching", "among the best of all that were compared, and cheap")


def choose_for_dimensions(small: bool) -> Choice:
    """The objective where dimensions are told, of networks that are trained on the way.

    Class means say nothing of what is told within a cell of the label space: matching them alone
    was worth nothing to whole items.

    Args:
        small: whether items are stored small, so that there are many of little detail.
    """
    if small:
        return Choice("kernel", "the best of what was compared for small items with dimensions")
    return Choice("gradient-matching", "the best of all that were compared with dimensions")


def choose_untrained() -> Choice:
    """The objective where networks are not to be trained on the way, such as for lack of time."""
    return Choice(
        "distribution-matching", "with networks that need no training", {"checkpoints": 1}
    )


def choose_private() -> Choice:
    """The objective under a privacy budget: few numbers, asked of everybody at once."""
    return Choice("released-moments", "which asks twice, and makes all else of the answers")
