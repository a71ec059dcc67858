"""How well emotions were recognised, and how far other speakers would move that number.

Every metric is a function of a confusion matrix `[truth, predicted]`, batched over leading axes,
and averages over the classes *present in the truth*: an emotion that was never tested says
nothing. All values are fractions.

Utterances of one speaker are alike, so the independent unit is the speaker: intervals are
percentile bootstraps over speakers (Efron and Tibshirani 1993, chapter 13). A resample is a row
of integer weights, how often each speaker was drawn, so `weights @ confusions` resamples
everything at once, and two sides under the same weights are compared on the same speakers.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Real
from sklearn.metrics import confusion_matrix

REPLICATES = 2000


def confusion(
    truth: Sequence[int], predicted: Sequence[int], classes: int
) -> Int[np.ndarray, "truth predicted"]:
    """Counts of utterances by true and predicted class index.

    >>> confusion([0, 0, 1], [0, 1, 1], classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    return confusion_matrix(truth, predicted, labels=range(classes))


def speaker_confusions(
    truth: Sequence[int], predicted: Sequence[int], speakers: Sequence[str], classes: int
) -> Int[np.ndarray, "speaker truth predicted"]:
    """One confusion matrix per speaker, in the sorted order of their names."""
    names, speaker = np.unique(speakers, return_inverse=True)
    counts = np.zeros((len(names), classes, classes), dtype=np.int64)
    np.add.at(counts, (speaker, np.asarray(truth), np.asarray(predicted)), 1)
    return counts


def uar(confusions: Real[np.ndarray, "*batch truth predicted"]) -> Float[np.ndarray, "*batch"]:
    """Unweighted average recall, also UA or balanced accuracy, in [0, 1].

    The mean of the recall over the classes present in the truth; at least one must be.

    >>> float(uar(np.array([[3, 1], [1, 1]])))
    0.625
    """
    _, recall = _recalls(confusions)
    return np.asarray(recall.sum(axis=-1) / classes_present(confusions))


def wa(confusions: Real[np.ndarray, "*batch truth predicted"]) -> Float[np.ndarray, "*batch"]:
    """Weighted accuracy: the share of utterances recognised, in [0, 1].

    >>> round(float(wa(np.array([[3, 1], [1, 1]]))), 3)
    0.667
    """
    right = np.trace(confusions, axis1=-2, axis2=-1)
    return np.asarray(right / confusions.sum(axis=(-2, -1)))


def macro_f1(confusions: Real[np.ndarray, "*batch truth predicted"]) -> Float[np.ndarray, "*batch"]:
    """Mean of the classes' F1 = 2 TP / (2 TP + FP + FN), in [0, 1].

    The mean runs over the classes present in the truth. Utterances taken for an absent class
    count against the class they belong to; the absent class itself adds no term. This is
    scikit-learn's `f1_score(average="macro", labels=<classes present>)`.

    >>> round(float(macro_f1(np.array([[3, 1], [1, 1]]))), 3)
    0.625
    """
    right, _ = _recalls(confusions)
    both = confusions.sum(axis=-1) + confusions.sum(axis=-2)  # 2 TP + FP + FN
    f1 = np.divide(2.0 * right, both, out=np.zeros(right.shape), where=both > 0)
    # A class absent from the truth has no true positive, so its term is already zero.
    return np.asarray(f1.sum(axis=-1) / classes_present(confusions))


def classes_present(
    confusions: Real[np.ndarray, "*batch truth predicted"],
) -> Int[np.ndarray, "*batch"]:
    """The number of classes that occur in the truth; chance UAR is one over it."""
    return np.asarray((confusions.sum(axis=-1) > 0).sum(axis=-1))


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


def interval(values: Float[np.ndarray, " row"], level: float = 0.95) -> tuple[float, float] | None:
    """The percentile interval of a statistic under `speaker_weights`.

    Args:
        values: the statistic as it is (not used: it is no resample), then of each resample.
        level: the share of the resamples inside.

    Returns:
        (low, high), or None where there is no resample or one in which the statistic is
        undefined.
    """
    replicates = values[1:]
    if replicates.size == 0 or not np.isfinite(replicates).all():
        return None
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _recalls(
    confusions: Real[np.ndarray, "*batch truth predicted"],
) -> tuple[Real[np.ndarray, "*batch truth"], Float[np.ndarray, "*batch truth"]]:
    """True positives and recall per class; the recall of an absent class is set to zero."""
    right = np.diagonal(confusions, axis1=-2, axis2=-1)
    total = confusions.sum(axis=-1)
    return right, np.divide(right, total, out=np.zeros(right.shape), where=total > 0)
