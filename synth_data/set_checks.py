"""What the emotions and targets of a set must be like, whoever made it."""

import torch
from torch import Tensor

from synth_data.errors import SetError
from synth_data.task import Task

TOLERANCE = 1e-4  # of the sum of a row of targets


def check_emotions(emotions: tuple[str, ...]) -> None:
    """Raises `SetError` unless names are distinct and can be printed."""
    named = [name for name in emotions if name and name.isprintable()]
    if not emotions or len(set(named)) != len(emotions):
        raise SetError(f"emotions must be distinct printable names; found {list(emotions)}")


def check_targets(targets: Tensor, task: Task) -> None:
    """Raises `SetError` unless each row holds shares that sum to 1, and dimensions in [-1, 1]."""
    columns = len(task.columns)
    if targets.dtype != torch.float32 or targets.ndim != 2 or targets.shape[1] != columns:
        what = "emotions" if not task.dimensions else "columns"
        raise SetError(
            f"targets must be float32 rows with a column for each of {columns} {what}; "
            f"found {targets.dtype} of shape {list(targets.shape)}"
        )
    if len(targets) == 0:
        raise SetError("a synthetic set needs at least one item; found none")
    numbers = task.numbers(targets)
    outside = ~(numbers.abs() <= 1 + TOLERANCE).all(dim=1)  # NaN is outside too
    if outside.any():
        row = int(outside.nonzero()[0])
        raise SetError(
            f"{', '.join(task.dimensions)} must be numbers from -1 to 1; row {row} of targets "
            f"holds {[round(value, 6) for value in numbers[row].tolist()]}"
        )
    if not task.emotions:
        return
    shares = task.shares(targets)
    untold = shares.isnan().all(dim=1) & bool(task.dimensions)
    if untold.all():
        raise SetError(
            f"targets have columns for {', '.join(task.emotions)}, and no item tells any of them: "
            f"leave the columns out"
        )
    wrong = ~((shares >= 0).all(dim=1) & ((shares.sum(dim=1) - 1).abs() <= TOLERANCE)) & ~untold
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise SetError(
            f"each row of targets must hold shares from 0 to 1 that sum to 1; "
            f"row {row} holds {[round(share, 6) for share in shares[row].tolist()]}"
        )
