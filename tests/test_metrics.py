"""Metrics against scikit-learn and audmetric, whichever emotions are absent."""

import audmetric
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from evaluation import metrics

CLASSES = 5

# Short lists over few classes: most lack some in the truth, in the predictions, or in both.
ANSWERS = st.lists(st.tuples(*[st.integers(0, CLASSES - 1)] * 2), min_size=1, max_size=30)


def answers(seed: int) -> tuple[list[int], list[int]]:
    """A hundred utterances, half of them recognised."""
    generator = np.random.default_rng(seed)
    truth, guess = generator.integers(0, CLASSES, size=(2, 100))
    return truth.tolist(), np.where(generator.random(100) < 0.5, truth, guess).tolist()


@given(ANSWERS)
def test_metrics_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = map(list, zip(*pairs, strict=True))
    present = sorted(set(truth))
    confusion = metrics.confusion(truth, predicted, CLASSES)

    assert metrics.uar(confusion) == pytest.approx(
        recall_score(truth, predicted, labels=present, average="macro")
    )
    assert metrics.wa(confusion) == pytest.approx(accuracy_score(truth, predicted))
    assert metrics.macro_f1(confusion) == pytest.approx(
        f1_score(truth, predicted, labels=present, average="macro", zero_division=0)
    )
    assert metrics.classes_present(confusion) == len(present)


@given(ANSWERS)
def test_metrics_agree_with_audmetric(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = map(list, zip(*pairs, strict=True))
    present = set(truth)
    confusion = metrics.confusion(truth, predicted, CLASSES)
    # It averages over every class it is told of, so the mean over those present is taken here.
    recall = audmetric.recall_per_class(truth, predicted)
    f1 = audmetric.fscore_per_class(truth, predicted)

    assert metrics.uar(confusion) == pytest.approx(np.mean([recall[c] for c in present]))
    assert metrics.macro_f1(confusion) == pytest.approx(np.mean([f1[c] for c in present]))
    assert metrics.wa(confusion) == pytest.approx(audmetric.accuracy(truth, predicted))
    if set(predicted) <= present:
        uar = audmetric.unweighted_average_recall(truth, predicted)
        assert metrics.uar(confusion) == pytest.approx(uar)
        macro_f1 = audmetric.unweighted_average_fscore(truth, predicted)
        assert metrics.macro_f1(confusion) == pytest.approx(macro_f1)


def test_metrics_are_batched_over_leading_axes() -> None:
    matrices = [metrics.confusion(*answers(seed), CLASSES) for seed in range(6)]
    batch = np.stack(matrices).reshape(2, 3, CLASSES, CLASSES)
    for metric in (metrics.uar, metrics.wa, metrics.macro_f1):
        assert metric(batch).flatten().tolist() == [float(metric(one)) for one in matrices]


def test_speaker_confusions_are_the_confusions_of_each_speaker() -> None:
    truth, predicted = answers(seed=0)
    speakers = [f"s{i % 7}" for i in range(100)]
    confusions = metrics.speaker_confusions(truth, predicted, speakers, CLASSES)
    for position, name in enumerate(sorted(set(speakers))):
        own = [i for i, speaker in enumerate(speakers) if speaker == name]
        expected = metrics.confusion([truth[i] for i in own], [predicted[i] for i in own], CLASSES)
        assert (confusions[position] == expected).all()
    assert (confusions.sum(axis=0) == metrics.confusion(truth, predicted, CLASSES)).all()
