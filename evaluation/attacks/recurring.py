"""How far other speakers would move a rate that is a mean over folds in which speakers recur.

An equal error rate of claims or an area under the curve is one number for a fold, over whoever is
in it. Folds share speakers: unseen ones validate one fold and are the test of another, so that
under leave-one-speaker-out each counts several times, and of membership nearly everyone is in
every fold. So speakers are drawn again by name, and a name counts as often in every fold.

A resample weighs each name by a draw of the exponential distribution, which is Rubin's Bayesian
bootstrap (1981, "The Bayesian bootstrap"), and not by how often it was drawn: of a fold of three
speakers, drawing names again leaves fewer than two most of the time, and no rate. No weight is
zero, so each resample leaves all claims, true and false, and none is left out.

Within a resample a fold counts as much as its speakers weigh, which of linear rates is the weighted
mean over speakers; of membership, as those that are in times those that are out. A fold of two
speakers has one pair, which weights cannot change against others: its weight is raised to the
square root of two, at which pairs that differ, and nothing else, have the variance that they
should; where speakers differ as well that is somewhat too much.

The variance of such weights divides by n + 1, where an unbiased one divides by n - 1, over n
speakers. Intervals are then those of `evaluation.intervals`: Student's t on the logit scale. Each
speaker is one, however often unseen; where some recur more than others, n is the number of those
who recur alike that would say as much (Kish 1965, "Survey sampling": the squared sum of how much
each counts over the sum of squares). Of membership n is that of the smaller side.

What was measured of 95 % intervals on simulated speakers: the share that holds the true rate,
lowest and highest of four populations, 1000 tries of each. In folds: what earlier versions did,
which drew speakers again within each fold and took one who is in three for three; of three
populations, 200 tries of each. `tests/test_attack_intervals.py` repeats it in small.

============================================= =========== ===========
unseen speakers                               here        in folds
============================================= =========== ===========
claims: 3 of 10, ten folds, each one thrice   0.92 - 0.97 0.62 - 0.83
claims: 3 of 10, four of these folds          0.94 - 0.99 0.70 - 0.83
claims: 2 of 4, four folds, each one twice    0.96 - 0.97 0.00
claims: 2 of 10, five folds, each one once    0.95 - 0.97 0.00
claims: 4 of 20, five folds, each one once    0.94 - 0.98 0.94 - 0.98
claims: 3, one fold                           0.99        0.84 - 0.96
claims: 8, one fold                           0.93 - 0.97 0.92 - 0.98
membership: 3 of 10, ten folds                0.95 - 0.97 0.82 - 0.92
membership: 3 of 10, four of these folds      0.99 - 1.00 0.79 - 0.83
membership: 1 of 10, five folds               1.00        0.68 - 0.72
membership: 3 of 10, one fold                 1.00        0.74 - 0.89
membership: 6 of 24, four folds               0.94 - 0.96 0.90 - 0.98
============================================= =========== ===========

Shares are of the tries that have an interval. Where few speakers are told well nothing moves the
rate, and there is none: of claims of three speakers in up to 0.09 of the tries, and of membership
with three who are out in up to 0.48.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import shake_256

import numpy as np
from jaxtyping import Float

from evaluation.intervals import alike, share_interval

RESAMPLES = 200  # of the speakers
PAIR = math.sqrt(2)  # to the power of which a fold of two speakers counts
# Of two speakers there is one pair, and no other to say how pairs differ; of those that are in and
# out there are pairs that share a speaker as soon as there are two of each.
CLAIMED, EACH_SIDE = 3, 2


@dataclass(frozen=True, eq=False)
class Rate:
    """What was found on one fold.

    Attributes:
        value: of all its speakers, in [0, 1].
        resampled: the same under each row of `weights_of`; empty where it is not known.
        sides: names of the speakers: of claims all of them; of membership those that are in, and
            those that are out.
    """

    value: float
    resampled: Float[np.ndarray, " row"]
    sides: tuple[tuple[str, ...], ...]


def weights_of(names: Sequence[str]) -> Float[np.ndarray, "row speaker"]:
    """How much each speaker counts in each resample; the same in every fold and every run.

    >>> together, alone = weights_of(["a", "b"]), weights_of(["b"])
    >>> together.shape, bool((together[:, 1:] == alone).all())
    ((200, 2), True)
    """
    return np.stack([_weights_of(name) for name in names], axis=1)


@cache
def _weights_of(name: str) -> Float[np.ndarray, " row"]:
    # Stored rates are set beside weights that are made anew: no library's stream may change them.
    drawn = np.frombuffer(shake_256(name.encode()).digest(8 * RESAMPLES), dtype="<u8")
    return -np.log(((drawn >> 11) + 0.5) / 2**53)


def interval_of(rates: Sequence[Rate]) -> tuple[float, float] | None:
    """The interval of the mean rate, 95 %.

    Args:
        rates: of folds and of seeds; at least one.

    Returns:
        (low, high), or None where it cannot be said: a rate was not resampled by name; there are
        fewer than three distinct speakers over all folds, of membership fewer than two on a side;
        or nothing moves the rate, as where every claim was told right, which says nothing of how
        often that would be so.
    """
    if any(len(rate.resampled) != RESAMPLES or not all(rate.sides) for rate in rates):
        return None
    sides = list(zip(*(rate.sides for rate in rates), strict=True))
    if min(map(_distinct, sides)) < (CLAIMED if len(sides) == 1 else EACH_SIDE):
        return None
    speakers = min(map(_who_recur_alike, sides))
    counts = np.stack([_counts(rate.sides) for rate in rates])
    moved = (counts * np.stack([rate.resampled for rate in rates])).sum(axis=0) / counts.sum(axis=0)
    if np.ptp(moved) < 1e-9:
        return None
    mean = np.mean([rate.value for rate in rates])
    # `share_interval` multiplies by n / (n - 1), which is for draws with replacement.
    stretched = mean + (moved - moved.mean()) * math.sqrt((speakers + 1) / speakers)
    return share_interval(np.array([mean, *stretched]), speakers)


def _distinct(folds: Sequence[Sequence[str]]) -> int:
    return len(set().union(*folds))


def _who_recur_alike(folds: Sequence[Sequence[str]]) -> float:
    """So many speakers would say as much, if all counted alike.

    >>> _who_recur_alike([("a", "b"), ("b", "a")]), _who_recur_alike([("a", "b"), ("b", "c")])
    (2.0, 2.6666666666666665)
    """
    counts: dict[str, float] = {}
    for names in folds:
        for name in names:
            counts[name] = counts.get(name, 0.0) + 1 / len(names)
    return alike(np.array(list(counts.values())))


def _counts(sides: Sequence[Sequence[str]]) -> Float[np.ndarray, " row"]:
    """How much a fold counts in each resample."""
    weighs = np.prod([weights_of(names).mean(axis=1) for names in sides], axis=0)
    return weighs**PAIR if [len(names) for names in sides] == [2] else weighs
