"""The training that a set was made for, where it was made for one: its native schedule."""

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from synth_data.errors import SetError
from synth_data.settings import Count

Momentum = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, eq=False)
class NativeSchedule:
    """Plain SGD from the fixed initialisation, one batch and one step size per step.

    Attributes:
        learning_rates: of each step, float32, positive.
        momentum: as in PyTorch's SGD.
        together: items of each class in a step's batch, in turn (`batch_rows`).

    Raises:
        SetError: a learning rate is not a positive number.
    """

    learning_rates: Float[Tensor, " step"]
    momentum: Momentum
    together: Count

    def __post_init__(self) -> None:
        rates = self.learning_rates
        if rates.ndim != 1 or not len(rates) or not (rates.isfinite() & (rates > 0)).all():
            raise SetError(
                f"learning rates must be positive numbers, one per step; found {rates.tolist()}"
            )

    def within(self, per_class: int) -> bool:
        """Whether the first so many items of each class are all that it uses."""
        return len(self.learning_rates) * self.together <= per_class


def batch_rows(
    step: int,
    classes: int,
    per_class: int,
    together: int,
    device: torch.device | None = None,
) -> Int[Tensor, " batch"]:
    """The items of a step's batch, where items are in the order of their classes.

    >>> [batch_rows(step, 2, 3, 2).tolist() for step in range(3)]
    [[0, 1, 3, 4], [2, 0, 5, 3], [1, 2, 4, 5]]
    """
    turn = (step * together + torch.arange(together, device=device)) % per_class
    return (torch.arange(classes, device=device)[:, None] * per_class + turn).flatten()
