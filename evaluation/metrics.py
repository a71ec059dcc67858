"""How well emotions were recognised.

Every metric is a function of a confusion matrix `[truth, predicted]`, batched over leading axes,
and averages over the classes *present in the truth*: an emotion that was never tested says
nothing. All values are fractions. How far other speakers would move them: `evaluation.intervals`.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Real
from sklearn.metrics import confusion_matrix


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
    """One confusion matrix per speaker, in the sorted order of their names.

    Utterances whose true class is -1 do not count: nobody knows it.
    """
    names, speaker = np.unique(speakers, return_inverse=True)
    counts = np.zeros((len(names), classes, classes), dtype=np.int64)
    known = np.asarray(truth) >= 0
    np.add.at(counts, (speaker[known], np.asarray(truth)[known], np.asarray(predicted)[known]), 1)
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
    both = _tested(confusions) + np.einsum("...tp->...p", confusions)  # 2 TP + FP + FN
    f1 = np.divide(2.0 * right, both, out=np.zeros(right.shape), where=both > 0)
    # A class absent from the truth has no true positive, so its term is already zero.
    return np.asarray(f1.sum(axis=-1) / classes_present(confusions))


def classes_present(
    confusions: Real[np.ndarray, "*batch truth predicted"],
) -> Int[np.ndarray, "*batch"]:
    """The number of classes that occur in the truth; chance UAR is one over it."""
    return np.asarray((_tested(confusions) > 0).sum(axis=-1))


def _recalls(
    confusions: Real[np.ndarray, "*batch truth predicted"],
) -> tuple[Real[np.ndarray, "*batch truth"], Float[np.ndarray, "*batch truth"]]:
    """True positives and recall per class; the recall of an absent class is set to zero."""
    right = np.diagonal(confusions, axis1=-2, axis2=-1)
    total = _tested(confusions)
    return right, np.divide(right, total, out=np.zeros(right.shape), where=total > 0)


def _tested(
    confusions: Real[np.ndarray, "*batch truth predicted"],
) -> Real[np.ndarray, "*batch truth"]:
    """Utterances of each class."""
    # `sum` takes three times as long over so short an axis, and resamples are many.
    return np.einsum("...tp->...t", confusions)
