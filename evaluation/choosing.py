"""How well a student did on validation speakers: what the settings of its recipe are chosen by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Float

from evaluation import metrics
from evaluation.concordance import ccc
from evaluation.jobs import Answers
from synth_data.real import RealSet
from synth_data.task import Task


@dataclass(frozen=True, eq=False)
class ByUAR:
    """Unweighted average recall.

    Attributes:
        truth: class indices of the validation utterances.
        classes: how many there are.
    """

    truth: tuple[int, ...]
    classes: int

    def __call__(self, said: Answers) -> float:
        """In [0, 1]."""
        return float(
            metrics.uar(metrics.confusion(self.truth, cast("Sequence[int]", said), self.classes))
        )


@dataclass(frozen=True, eq=False)
class ByCCC:
    """Mean concordance of the dimensions; of emotions beside them nothing is chosen by.

    Attributes:
        truth: of the validation utterances.
        task: what the columns of outputs are.
    """

    truth: Float[np.ndarray, "n dimension"]
    task: Task

    def __call__(self, said: Answers) -> float:
        """In [-1, 1]."""
        told = np.asarray(said, dtype=np.float64)[:, len(self.task.emotions) :]
        return float(ccc(self.truth, told).mean())


def chosen_by(validation: RealSet) -> ByUAR | ByCCC:
    """The score of the task."""
    task, targets = validation.task, validation.targets
    if task.dimensions:
        return ByCCC(task.numbers(targets).double().numpy(), task)
    return ByUAR(tuple(targets.argmax(dim=1).tolist()), len(task.emotions))
