"""Simulated speakers who recur in folds: what intervals of attackers' rates are held against."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from evaluation.attacks.membership import area_of
from evaluation.attacks.recurring import Rate, weights_of
from evaluation.attacks.speaker import Trials

Folds = Sequence[Sequence[int]]  # the unseen speakers of each


def ring(speakers: int, unseen: int, folds: int | None = None) -> Folds:
    """As leave-one-speaker-out has them: each is unseen as often as any other."""
    return [[(n + k) % speakers for k in range(unseen)] for n in range(folds or speakers)]


def disjoint(folds: int, unseen: int) -> Folds:
    """No speaker is unseen twice."""
    return [list(range(fold * unseen, (fold + 1) * unseen)) for fold in range(folds)]


@dataclass(frozen=True)
class Claims:
    """Speakers as points, from which their utterances differ; some vary more than others.

    Attributes:
        apart: the size of points; 0 where nothing tells speakers.
        varies: how much speakers differ in how their utterances vary (logarithms).
        size: dimensions of a point.
        each: utterances that are tested, and half of those that are enrolled.
    """

    apart: float = 0.5
    varies: float = 0.5
    size: int = 12
    each: int = 8

    def tried(self, folds: Folds, draws: Generator) -> list[Trials]:
        """Of each fold, on new speakers; the same speaker's new utterances in every one."""
        count = 1 + max(max(fold) for fold in folds)
        points = self.apart * draws.normal(size=(count, 1, self.size))
        spread = np.exp(self.varies * draws.normal(size=(count, 1, 1)))
        prefix = draws.integers(2**62)
        found = []
        for fold in folds:
            shape = (len(fold), 3 * self.each, self.size)
            heard = points[fold] + spread[fold] * draws.normal(size=shape)
            enrolled, tested = np.split(heard, [2 * self.each], axis=1)
            middle = enrolled.mean(axis=(0, 1))
            models = unit(unit(enrolled - middle).mean(axis=1))
            scores = unit(tested - middle).reshape(-1, self.size) @ models.T
            truth = np.repeat(np.arange(len(fold)), self.each)
            found.append(Trials(scores, truth, tuple(f"{prefix}-{n}" for n in fold)))
        return found

    def rates(self, folds: Folds, draws: Generator) -> list[Rate]:
        """Equal error rates."""
        return [
            Rate(one.equal_error_rate, one.equal_error_rates(weights_of(names)), (names,))
            for one in self.tried(folds, draws)
            for names in [one.speakers]
        ]


@dataclass(frozen=True)
class Members:
    """Speakers whom a set comes near by their nature, and nearer if it was made from them.

    Attributes:
        nearer: by how much.
        nature: how much speakers differ, wherever they are.
        speakers: in every fold, unseen or not.
    """

    nearer: float = 1.0
    nature: float = 0.7
    speakers: int = 10

    def near(self, folds: Folds, draws: Generator) -> list[dict[str, float]]:
        """How near each speaker is, by name, in each fold."""
        prefix = draws.integers(2**62)
        nature = self.nature * draws.normal(size=self.speakers)
        gain = self.nearer + 0.5 * draws.normal(size=self.speakers)
        found = []
        for fold in folds:
            near = nature + 0.5 * draws.normal(size=self.speakers)
            near += np.where(np.isin(np.arange(self.speakers), fold), 0.0, gain)
            found.append({f"{prefix}-{n}": float(value) for n, value in enumerate(near)})
        return found

    def rates(self, folds: Folds, draws: Generator) -> list[Rate]:
        """Areas under the curve."""
        found = []
        for fold, near in zip(folds, self.near(folds, draws), strict=True):
            outside = tuple(name for n, name in enumerate(near) if n in fold)
            inside = tuple(name for name in near if name not in outside)
            area, again = area_of(near, inside, outside)
            found.append(Rate(area, np.array(again), (inside, outside)))
        return found


def weighed_mean(names: Sequence[str], values: np.ndarray) -> np.ndarray:
    """A rate that is a mean over speakers, in each resample."""
    weights = weights_of(names)
    return weights @ values / weights.sum(axis=1)


def unit(rows: np.ndarray) -> np.ndarray:
    """Of length one."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)
