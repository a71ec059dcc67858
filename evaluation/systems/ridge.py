"""What can be read from a layer by a line: ridge regressions, their penalties chosen on validation.

Features come with mean 0 and deviation 1 over the training utterances.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from evaluation.concordance import ccc

PENALTIES = tuple(10.0**power for power in range(-1, 6))


@dataclass(frozen=True, eq=False)
class Reading:
    """A linear regression for each of some numbers.

    Attributes:
        slopes: of the features.
        centre: what is told of features of 0.
        score: the concordance (CCC) on validation utterances.
    """

    slopes: Float[np.ndarray, "dim number"]
    centre: Float[np.ndarray, " number"]
    score: Float[np.ndarray, " number"]

    def __call__(self, heard: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n number"]:
        """What it tells of utterances."""
        return heard @ self.slopes + self.centre


def best_reading(
    heard: Float[np.ndarray, "train dim"],
    truth: Float[np.ndarray, "train number"],
    checked: Float[np.ndarray, "validation dim"],
    wanted: Float[np.ndarray, "validation number"],
) -> Reading:
    """The regressions with the penalties that are best on validation utterances, each its own.

    Args:
        heard: features of training utterances.
        truth: the numbers of these.
        checked: features of validation utterances.
        wanted: the numbers of these.
    """
    centre = truth.mean(axis=0)
    values, vectors = np.linalg.eigh(heard.T @ heard)  # once, for all penalties and numbers
    turned = vectors.T @ (heard.T @ (truth - centre))
    tried = np.stack(
        [vectors @ (turned / (values.clip(0) + penalty)[:, None]) for penalty in PENALTIES]
    )
    scores = np.stack([ccc(wanted, checked @ slopes + centre) for slopes in tried])
    best, each = scores.argmax(axis=0), np.arange(truth.shape[1])
    return Reading(tried[best, :, each].T, centre, scores[best, each])
