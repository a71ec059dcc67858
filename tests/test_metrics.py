"""Metrics against scikit-learn and audmetric; the bootstrap against simulated speakers."""

import audmetric
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score

from evaluation import metrics

CLASSES = 5


def answers(seed: int, absent: tuple[int, ...] = ()) -> tuple[list[int], list[int]]:
    """A hundred utterances, half of them recognised; `absent` classes are only ever guessed."""
    generator = np.random.default_rng(seed)
    truth = generator.choice([c for c in range(CLASSES) if c not in absent], size=100)
    guess = generator.integers(0, CLASSES, size=100)
    predicted = np.where(generator.random(100) < 0.5, truth, guess)
    assert set(absent) <= set(predicted.tolist())
    return truth.tolist(), predicted.tolist()


@pytest.mark.parametrize("absent", [(), (0,), (1, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_metrics_agree_with_scikit_learn_and_audmetric(seed: int, absent: tuple[int, ...]) -> None:
    truth, predicted = answers(seed, absent)
    present = sorted(set(truth))
    confusion = metrics.confusion(truth, predicted, CLASSES)

    assert metrics.uar(confusion) == pytest.approx(
        recall_score(truth, predicted, labels=present, average="macro")
    )
    assert metrics.wa(confusion) == pytest.approx(accuracy_score(truth, predicted))
    assert metrics.wa(confusion) == pytest.approx(audmetric.accuracy(truth, predicted))
    assert metrics.macro_f1(confusion) == pytest.approx(
        f1_score(truth, predicted, labels=present, average="macro")
    )
    assert metrics.classes_present(confusion) == len(present)
    if not absent:
        assert metrics.uar(confusion) == pytest.approx(
            audmetric.unweighted_average_recall(truth, predicted)
        )
        assert metrics.macro_f1(confusion) == pytest.approx(
            audmetric.unweighted_average_fscore(truth, predicted)
        )


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


def test_resampling_by_weights_is_repeating_the_drawn_speakers() -> None:
    truth, predicted = answers(seed=1)
    speakers = [str(i % 4) for i in range(100)]
    confusions = metrics.speaker_confusions(truth, predicted, speakers, CLASSES)
    weights = metrics.speaker_weights(4, np.random.default_rng(0), replicates=20)
    resampled = metrics.resample(confusions, weights)

    assert (resampled[0] == metrics.confusion(truth, predicted, CLASSES)).all()
    assert (weights.sum(axis=1) == 4).all()
    for row, drawn in zip(resampled, weights, strict=True):
        rows = [i for i, speaker in enumerate(speakers) for _ in range(drawn[int(speaker)])]
        again = metrics.confusion([truth[i] for i in rows], [predicted[i] for i in rows], CLASSES)
        assert (row == again).all()


def test_a_resample_without_a_class_uses_the_classes_present() -> None:
    only_first, only_second = [[4, 0], [0, 0]], [[0, 0], [1, 1]]
    resampled = metrics.resample(
        np.array([only_first, only_second]), np.array([[1, 1], [2, 0], [0, 2]])
    )
    assert metrics.uar(resampled).tolist() == [0.75, 1.0, 0.5]
    assert metrics.classes_present(resampled).tolist() == [2, 1, 1]


def test_a_set_against_itself_differs_by_exactly_nothing() -> None:
    truth, predicted = answers(seed=2)
    speakers = [str(i % 4) for i in range(100)]
    confusions = metrics.speaker_confusions(truth, predicted, speakers, CLASSES)
    weights = metrics.speaker_weights(4, np.random.default_rng(0))
    uar = metrics.uar(metrics.resample(confusions, weights))
    again = metrics.uar(metrics.resample(confusions, weights))
    assert uar.std() > 0
    assert metrics.interval(uar - again) == (0.0, 0.0)


def test_no_interval_without_resamples_or_where_the_statistic_is_undefined() -> None:
    weights = metrics.speaker_weights(1, np.random.default_rng(0))
    assert weights.tolist() == [[1]]
    assert metrics.interval(np.array([0.5])) is None
    assert metrics.interval(np.array([0.5, 0.4, np.nan])) is None
    assert metrics.interval(np.array([9.0, 0.0, 1.0]), level=1.0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("speakers", "least", "most"),
    # The last two back the report's warning of few speakers.
    [(24, 0.88, 0.99), (4, 0.72, 0.88), (2, 0.40, 0.62)],
)
def test_coverage_of_the_interval_on_simulated_speakers(
    speakers: int, least: float, most: float
) -> None:
    generator = np.random.default_rng(0)
    covered = []
    true_uar = recalls(100_000, generator).mean()
    for _ in range(200):
        right = generator.binomial(10, recalls(speakers, generator))  # of 10 utterances per class
        confusions = np.zeros((speakers, 4, 4), dtype=np.int64)
        own = np.arange(4)
        confusions[:, own, own] = right
        confusions[:, own, (own + 1) % 4] = 10 - right
        weights = metrics.speaker_weights(speakers, generator)
        interval = metrics.interval(metrics.uar(metrics.resample(confusions, weights)))
        assert interval is not None
        covered.append(interval[0] <= true_uar <= interval[1])
    assert least <= np.mean(covered) <= most


def recalls(speakers: int, generator: np.random.Generator) -> np.ndarray:
    """Speakers differ in how well they are recognised, and in which emotion."""
    logit = np.array([1.0, 0.5, 0.0, -0.5]) + generator.normal(0, 0.8, (speakers, 1))
    return 1 / (1 + np.exp(-logit - generator.normal(0, 0.5, (speakers, 4))))
