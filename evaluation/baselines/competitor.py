"""What a student can be trained on: the set in question, or something a user could take instead."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Competitor:
    """A set of features with targets, and what it costs.

    Attributes:
        name: as in the report.
        features: in the form students are trained on (after the set's transforms).
        targets: rows of class probabilities.
        ipc: items per class; None for all of the real training data.
        draw: which random draw; 0 where there is only one.
        making_seconds: to make it.
        extra_bytes: of what must be stored beside features and targets to use it.
    """

    name: str
    features: Float[Tensor, "n mel frame"]
    targets: Float[Tensor, "n emotion"]
    ipc: int | None
    draw: int = 0
    making_seconds: float = 0.0
    extra_bytes: int = 0

    @property
    def bytes(self) -> int:
        """Of all that is stored."""
        return self.features.nbytes + self.targets.nbytes + self.extra_bytes


class NotAvailable(Exception):  # noqa: N818 - it is reported, not raised to the user
    """A baseline cannot be made from these data; the message says why."""
