"""What there is to tell of an utterance: its emotion, how it feels in numbers, or both.

A task says what the columns of targets are, and of which *groups* a set has equally many items. Of
emotions those are the emotions. Where valence, activation and dominance are to be told, there is
no class, and the groups are cells of the label space: each dimension is high or low. How a
regression's data are to be distilled is published for no speech; cells are ours.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synth_data.errors import UserError, unknown_name

DIMENSIONS = ("valence", "activation", "dominance")  # all that there are, in the order of columns
TaskName = Literal["categorical", "dimensional", "both"]
TASKS: tuple[TaskName, ...] = ("categorical", "dimensional", "both")
RARE = 0.01  # of all utterances with a cell: one with fewer has no items of its own
NO_GROUP = -1  # of an utterance that lacks a value of a dimension: its cell is not known


def task_named(name: str) -> TaskName:
    """A task by its name on the command line.

    Raises:
        UserError: there is none; the message tells the nearest name.
    """
    for task in TASKS:
        if name == task:
            return task
    raise unknown_name("task", name, TASKS)


@dataclass(frozen=True)
class Task:
    """What is to be told, and so what a row of targets holds.

    Attributes:
        emotions: class names: first columns of the targets, one-hot or shares; empty if dimensions
            alone are told.
        dimensions: of `DIMENSIONS`: the other columns, in [-1, 1] from the lowest to the highest of
            the corpus' scale; empty if emotions alone are told.
        scale: the lowest and the highest value in the corpus' own terms.
        cells: those of the label space that items are made for, as numbers whose bits say which
            dimension is high (the first is the highest bit); an utterance of another belongs to
            the nearest of them. Empty for emotions alone.
        proxies: what the values are, where nobody rated the utterances; else empty.
        weights: of each dimension in what is learned, relative to the others; empty: all alike.

    Raises:
        UserError: there is nothing to tell, a dimension is unknown, or the scale or the weights
            are none.
    """

    emotions: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    scale: tuple[float, float] = (-1.0, 1.0)
    cells: tuple[int, ...] = ()
    proxies: str = ""
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.emotions and not self.dimensions:
            raise UserError("a task needs emotions, dimensions or both; found neither")
        for name in self.dimensions:
            if name not in DIMENSIONS:
                raise unknown_name("dimension", name, DIMENSIONS)
        if list(self.dimensions) != [name for name in DIMENSIONS if name in self.dimensions]:
            raise UserError(
                f"dimensions are each named once and in the order {', '.join(DIMENSIONS)}; found "
                f"{', '.join(self.dimensions)}"
            )
        low, high = self.scale
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise UserError(f"a scale goes from its lowest to its highest; found {self.scale}")
        usable = all(math.isfinite(one) and one >= 0 for one in self.weights)
        if self.weights and not (
            len(self.weights) == len(self.dimensions) and usable and sum(self.weights) > 0
        ):
            raise UserError(
                f"weights of dimensions are numbers from 0, not all of them 0, one for each of "
                f"{', '.join(self.dimensions) or 'the dimensions, of which none are told'}; found "
                f"{', '.join(f'{one:g}' for one in self.weights)}"
            )
        every = range(2 ** len(self.dimensions)) if self.dimensions else range(0)
        if not self.cells:
            object.__setattr__(self, "cells", tuple(every))
        if list(self.cells) != sorted({*self.cells} & {*every}):
            raise UserError(
                f"cells are numbers from 0 to {len(every) - 1}, each named once and from the "
                f"smallest; found {list(self.cells)}"
            )

    @property
    def name(self) -> TaskName:
        """As on the command line."""
        if not self.dimensions:
            return "categorical"
        return "both" if self.emotions else "dimensional"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the targets' columns, which are a network's outputs."""
        return self.emotions + self.dimensions

    @property
    def groups(self) -> tuple[str, ...]:
        """What a set has equally many items of: emotions, or cells like "valence+ activation-"."""
        if not self.dimensions:
            return self.emotions
        return tuple(
            " ".join(
                f"{name}{'+' if high else '-'}"
                for name, high in zip(self.dimensions, self._corner(cell), strict=True)
            )
            for cell in self.cells
        )

    @property
    def middles(self) -> Float[Tensor, "group column"]:
        """For each group, targets in the middle of it; all emotions are as likely in a cell."""
        if not self.dimensions:
            return torch.eye(len(self.emotions))
        corners = torch.tensor([self._corner(cell) for cell in self.cells]).float() - 0.5
        shares = torch.full((len(corners), len(self.emotions)), 1 / max(1, len(self.emotions)))
        return torch.cat([shares, corners], dim=1)

    def settled(self, means: Float[Tensor, "group column"]) -> Float[Tensor, "group column"]:
        """Means of targets, perhaps noisy, as targets that items of each group may have.

        Shares of emotions, of which unknown ones had none, are made to add up to 1 (all alike where
        nothing is left), and dimensions are kept to what there can be.
        """
        shares = self.shares(means).clamp_min(0.0)
        total = shares.sum(dim=1, keepdim=True)
        shares = torch.where(total > 0, shares / total, 1 / max(len(self.emotions), 1))
        return torch.cat([shares, self.numbers(means).clamp(-1.0, 1.0)], dim=1)

    def group_of(self, targets: Float[Tensor, "n column"]) -> Int[Tensor, " n"]:
        """The group of each row of targets; columns beyond the task's do not count.

        `NO_GROUP` where a dimension is not known.
        """
        if not self.dimensions:
            return targets[:, : len(self.emotions)].argmax(dim=1)
        numbers = self.numbers(targets)
        corners = torch.tensor([self._corner(cell) for cell in self.cells]).to(targets) * 2 - 1
        nearest = torch.cdist(numbers.nan_to_num(0.0), corners / 2).argmin(dim=1)
        return nearest.where(~numbers.isnan().any(dim=1), NO_GROUP)

    def in_groups(self, targets: Float[Tensor, "n column"]) -> Float[Tensor, "n group"]:
        """One-hot rows that say which group each row of targets is of; zeros for `NO_GROUP`."""
        groups = torch.arange(len(self.groups), device=targets.device)
        return (self.group_of(targets)[:, None] == groups).to(targets.dtype)

    def shares(self, targets: Float[Tensor, "n column"]) -> Float[Tensor, "n emotion"]:
        """The columns of the emotions; a row is NaN where nobody agreed on one."""
        return targets[:, : len(self.emotions)]

    def numbers(self, targets: Float[Tensor, "n column"]) -> Float[Tensor, "n dimension"]:
        """The columns of the dimensions; NaN where one is not known."""
        first = len(self.emotions)
        return targets[:, first : first + len(self.dimensions)]

    def targets_of(self, emotion: str | None, values: Sequence[float | None]) -> list[float]:
        """A row of targets.

        Args:
            emotion: one of `emotions`; any other, or None, is missing.
            values: of the dimensions, on the corpus' scale.
        """
        known = emotion in self.emotions
        row = [float(emotion == name) if known else torch.nan for name in self.emotions]
        low, high = self.scale
        middle, half = (low + high) / 2, (high - low) / 2
        return row + [torch.nan if v is None else (v - middle) / half for v in values]

    def on_scale(self, numbers: Float[Tensor, "n dimension"]) -> Float[Tensor, "n dimension"]:
        """Values of the dimensions on the corpus' scale."""
        low, high = self.scale
        return low + (numbers + 1) / 2 * (high - low)

    @property
    def told(self) -> str:
        """The dimensions, their scale and weights in words; empty for emotions alone."""
        if not self.dimensions:
            return ""
        low, high = self.scale
        weighed = (
            f", weighed {':'.join(f'{one:g}' for one in self.weights)}" if self.weights else ""
        )
        return f"{', '.join(self.dimensions)} ({low:g} to {high:g}{weighed})"

    @property
    def importance(self) -> Float[Tensor, " dimension"]:
        """The weights of the dimensions, as shares of 1."""
        weights = torch.tensor(self.weights or [1.0] * len(self.dimensions))
        return weights / weights.sum()

    def narrowed(self, groups: Iterable[int]) -> "Task":
        """The same task with these of its cells alone, by their places in `groups`."""
        return replace(self, cells=tuple(self.cells[place] for place in sorted(groups)))

    def _corner(self, cell: int) -> tuple[bool, ...]:
        """For each dimension, whether it is high."""
        return list(product((False, True), repeat=len(self.dimensions)))[cell]
