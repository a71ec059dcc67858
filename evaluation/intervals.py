"""How far other speakers would move a number.

Utterances of one speaker are alike, so the independent unit is the speaker, and speakers are what
the bootstrap draws again (Efron and Tibshirani 1993, chapter 6). A resample is a row of integer
weights, how often each speaker was drawn, so `weights @ confusions` resamples everything at once,
and two sides under the same weights are compared on the same speakers.

Intervals are Student's t around the number, with the bootstrap's standard error times
sqrt(n / (n - 1)), as the bootstrap's variance divides by n and not by n - 1 (Hesterberg 2015,
"What teachers should know about the bootstrap"). The error of a share is taken to the logit scale,
where its distribution is more symmetric, and that of a ratio is linearised: resampled quotients
have heavy tails where the denominator is small. Where some speakers say more than others, n is the
number of those who say equally much that would say as much (`alike`): the standard error of few
speakers is uncertain, however many others say a word.

What was measured of 95 % intervals, on simulated speakers who differ in how well and in which
emotion they are recognised, and do not always have all emotions: the share that holds the true
value, lowest and highest of six such populations (4 or 7 emotions; speakers who differ little,
more, much), 1000 times each. In the first rows speakers have 5 to 60 utterances; in the last ones a
few have many and the others one, or numbers that are log-normal (of a deviation of 1.2). The last
column is UAR with n as all speakers. `tests/test_intervals.py` repeats it in small.

============= =========== =========== =========== =================== ===========
speakers      UAR         difference  ratio       percentile interval n as all
============= =========== =========== =========== =================== ===========
4             0.97 - 0.99 0.97 - 0.98 0.98        0.79 - 0.82         0.96 - 0.97
6             0.96 - 0.97 0.96 - 0.97 0.96 - 0.98 0.82 - 0.86         0.94 - 0.95
10            0.94 - 0.96 0.95 - 0.96 0.95 - 0.96 0.87 - 0.89         0.94 - 0.96
24            0.93 - 0.96 0.94 - 0.96 0.94 - 0.96 0.91 - 0.93         0.93 - 0.96
4 x 100, 200  0.92 - 0.95 0.93 - 0.98 0.93 - 0.98 0.88 - 0.91         0.84 - 0.89
9 x 60, 300   0.92 - 0.94 0.94 - 0.96 0.94 - 0.96 0.90 - 0.92         0.89 - 0.92
3 x 200, 30   0.99 - 1.00 1.00        0.99 - 1.00 0.87 - 0.89         0.86 - 0.92
6, log-normal 0.98 - 0.99 0.98 - 0.99 0.98 - 0.99 0.83 - 0.84         0.92 - 0.95
24, the same  0.95 - 0.96 0.95 - 0.97 0.94 - 0.97 0.89 - 0.92         0.89 - 0.92
============= =========== =========== =========== =================== ===========

Over 2 and 3 speakers they hold it 0.98 to 1.00 of the time, and are very wide. Other candidates,
tried with n as all, were farther from 0.95 over few speakers: the percentile interval with a level
widened as Hesterberg proposes (0.89 over 4: its ends are then the extreme resamples), BCa (0.79
over 4, 0.85 over 6), the bootstrap-t (four times as wide over 4).
"""

import math

import numpy as np
from jaxtyping import Float, Int, Real
from scipy import stats

REPLICATES = 2000
LEVEL = 0.95
FEWEST = 1.05  # speakers alike; of fewer, Student's t is beyond all scales


def alike(counts: Real[np.ndarray, " speaker"]) -> float:
    """So many speakers who count alike would say as much (Kish 1965, "Survey sampling").

    The squared sum of how much each counts, over the sum of squares.

    Args:
        counts: how much each speaker counts, such as the number of utterances; one at least is
            above zero.

    >>> alike(np.array([40, 40, 40])), alike(np.array([100, 50, 50]))
    (3.0, 2.6666666666666665)
    """
    return float(counts.sum()) ** 2 / float(np.square(counts.astype(np.float64)).sum())


def speaker_weights(
    speakers: int, generator: np.random.Generator, replicates: int = REPLICATES
) -> Int[np.ndarray, "row speaker"]:
    """How often each speaker counts, in the corpus as it is (row 0) and in each resample.

    The first row is all ones, so one product gives a value and its bootstrap distribution. A
    single speaker cannot be resampled: there is only the first row.

    Args:
        speakers: their number, at least 1.
        generator: of the resamples.
        replicates: the number of resamples.
    """
    as_it_is = np.ones((1, speakers), dtype=np.int64)
    if speakers == 1:
        return as_it_is
    drawn = generator.multinomial(speakers, np.full(speakers, 1 / speakers), size=replicates)
    return np.concatenate([as_it_is, drawn])


def resample(
    confusions: Real[np.ndarray, "*batch speaker truth predicted"],
    weights: Int[np.ndarray, "row speaker"],
) -> Float[np.ndarray, "*batch row truth predicted"]:
    """The confusion matrix of each resample of the speakers."""
    *batch, speakers, classes, _ = confusions.shape
    counts = confusions.reshape(*batch, speakers, classes * classes).astype(np.float64)
    # Counts are exact in float64, and the product then runs in BLAS.
    return (weights.astype(np.float64) @ counts).reshape(*batch, -1, classes, classes)


def interval(
    values: Float[np.ndarray, " row"],
    speakers: int | float,
    level: float = LEVEL,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float] | None:
    """The interval of a difference or a ratio under `speaker_weights`.

    Args:
        values: the number as it is, then of each resample.
        speakers: that were resampled, or `alike` of them.
        level: how often it should hold the true value.
        within: the range of the number; what of the interval is beyond is cut off.

    Returns:
        (low, high), or None where there is no resample, one in which the number is undefined, or
        hardly more than one speaker.

    >>> interval(np.array([0.5, 0.5, 0.5]), speakers=4)
    (0.5, 0.5)
    """
    error = _half_width(values, speakers, level)
    if error is None:
        return None
    centre = float(values[0])
    return max(within[0], centre - error), min(within[1], centre + error)


def share_interval(
    values: Float[np.ndarray, " row"], speakers: int | float, level: float = LEVEL
) -> tuple[float, float] | None:
    """The interval of a number in [0, 1], such as UAR: as `interval`, on the logit scale.

    >>> low, high = share_interval(np.array([0.5, 0.4, 0.6]), speakers=1_000_000)
    >>> round(low, 3), round(high, 3)  # a standard error of 0.1, times 1.96
    (0.313, 0.687)
    """
    error = _half_width(values, speakers, level)
    share = float(values[0])
    if not error:  # nothing moves it, as where everything is recognised
        return error if error is None else (share, share)
    logit = math.log(share / (1 - share))
    reach = error / (share * (1 - share))  # the logit's derivative is 1 / (p (1 - p))
    low, high = stats.logistic.cdf([logit - reach, logit + reach])
    return float(low), float(high)


def correlation_interval(
    values: Float[np.ndarray, " row"], speakers: int | float
) -> tuple[float, float] | None:
    """The interval of a number in [-1, 1], such as CCC: as `interval`, on the scale of Fisher's z.

    >>> low, high = correlation_interval(np.array([0.9, 0.8, 1.0]), speakers=1_000_000)
    >>> round(low, 3), round(high, 3)
    (0.414, 0.987)
    """
    found = share_interval((1 + values) / 2, speakers)
    return found and (2 * found[0] - 1, 2 * found[1] - 1)


def ratio(
    numerator: Float[np.ndarray, " row"], denominator: Float[np.ndarray, " row"]
) -> Float[np.ndarray, " row"] | None:
    """A ratio as it is, then linearised in each resample, for `interval`.

    With a and b the two, r = a / b as they are, a resample counts as r + (a - r b) / b, over the b
    as it is (the delta method; Cochran 1977, "Sampling techniques", chapter 6).

    Args:
        numerator: as it is, then of each resample.
        denominator: the same of the other.

    Returns:
        None unless the denominator is above zero; undefined (NaN) where a resample's is not, as
        the ratio then has no finite interval.
    """
    if not denominator[0] > 0:
        return None
    found = numerator[0] / denominator[0]
    linear = found + (numerator - found * denominator) / denominator[0]
    return np.where(denominator > 0, linear, np.nan)


def _half_width(
    values: Float[np.ndarray, " row"], speakers: int | float, level: float
) -> float | None:
    replicates = values[1:]
    if replicates.size == 0 or not np.isfinite(values).all() or speakers < FEWEST:
        return None
    if (replicates == values[0]).all():  # rounding would leave a trace
        return 0.0
    quantile = stats.t.ppf((1 + level) / 2, speakers - 1)
    return float(quantile * replicates.std() * math.sqrt(speakers / (speakers - 1)))
