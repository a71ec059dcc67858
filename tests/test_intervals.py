"""The bootstrap over speakers: what it resamples, and how often its intervals hold the truth."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from simulated_speakers import World

from evaluation import metrics
from evaluation.intervals import alike, interval, ratio, resample, share_interval, speaker_weights

Interval = tuple[float, float] | None


def by_speaker(seed: int, speakers: int) -> np.ndarray:
    """[speaker, truth, predicted]."""
    return World().confusions(speakers, np.random.default_rng(seed))[0]


def test_resampling_by_weights_is_repeating_the_drawn_speakers() -> None:
    confusions = by_speaker(seed=1, speakers=4)
    weights = speaker_weights(4, np.random.default_rng(0), replicates=20)
    resampled = resample(confusions, weights)

    assert (resampled[0] == confusions.sum(axis=0)).all()
    assert (weights.sum(axis=1) == 4).all()
    assert (weights > 1).any()
    for row, drawn in zip(resampled, weights, strict=True):
        assert (row == np.repeat(confusions, drawn, axis=0).sum(axis=0)).all()


def test_a_resample_without_a_class_uses_the_classes_present() -> None:
    only_first, only_second = [[4, 0], [0, 0]], [[0, 0], [1, 1]]
    resampled = resample(np.array([only_first, only_second]), np.array([[1, 1], [2, 0], [0, 2]]))
    assert metrics.uar(resampled).tolist() == [0.75, 1.0, 0.5]
    assert metrics.classes_present(resampled).tolist() == [2, 1, 1]


def test_the_interval_is_students_t_with_the_standard_error_of_all_resamples() -> None:
    confusions = by_speaker(seed=3, speakers=3)
    every = [confusions[list(drawn)].sum(axis=0) for drawn in itertools.product(range(3), repeat=3)]
    uars = metrics.uar(np.stack(every))
    error = np.sqrt(np.mean((uars - uars.mean()) ** 2)) * np.sqrt(3 / 2)
    reach = 4.302653 * error  # the 0.975 quantile of Student's t with 2 degrees of freedom
    own = float(metrics.uar(confusions.sum(axis=0)))

    weights = speaker_weights(3, np.random.default_rng(0), replicates=50_000)
    found = interval(metrics.uar(resample(confusions, weights)), speakers=3)
    assert found == pytest.approx((own - reach, own + reach), abs=0.02 * reach)

    logit = math.log(own / (1 - own))
    ends = [logit - reach / (own * (1 - own)), logit + reach / (own * (1 - own))]
    share = share_interval(metrics.uar(resample(confusions, weights)), speakers=3)
    assert share == pytest.approx([1 / (1 + math.exp(-end)) for end in ends], abs=0.02 * reach)


def test_a_set_against_itself_differs_by_exactly_nothing() -> None:
    confusions = by_speaker(seed=2, speakers=4)
    weights = speaker_weights(4, np.random.default_rng(0))
    uar = metrics.uar(resample(confusions, weights))
    again = metrics.uar(resample(confusions, weights))
    assert uar.std() > 0
    assert interval(uar - again, speakers=4) == (0.0, 0.0)
    itself = ratio(uar, again)
    assert itself is not None
    assert interval(itself, speakers=4) == (1.0, 1.0)


@pytest.mark.parametrize("kind", [interval, share_interval])
def test_no_interval_without_resamples_or_where_the_number_is_undefined(
    kind: Callable[..., Interval],
) -> None:
    assert speaker_weights(1, np.random.default_rng(0)).tolist() == [[1]]
    assert kind(np.array([0.5]), speakers=1) is None
    assert kind(np.array([0.5, 0.4, np.nan]), speakers=2) is None
    assert kind(np.array([0.5, 0.4, 0.6]), speakers=2) is not None


def test_intervals_stay_within_the_range_of_the_number() -> None:
    values = np.array([0.9, 0.5, 1.0, 0.7])
    low, high = share_interval(values, speakers=3) or (0.0, 0.0)
    assert 0 < low < 0.9 < high < 1
    assert interval(values, speakers=3, within=(0.2, 1.0)) == (0.2, 1.0)
    everything = np.ones(5)  # recognised: the logit is infinite, the interval is not
    assert share_interval(everything, speakers=3) == (1.0, 1.0)


def test_a_ratio_is_that_of_the_numbers_as_they_are_and_linear_around_it() -> None:
    above, below = np.array([0.3, 0.31, 0.3]), np.array([0.6, 0.6, 0.61])
    found = ratio(above, below)
    assert found is not None
    assert found[0] == 0.5
    assert found[1:] == pytest.approx([0.31 / 0.6, 0.5 - 0.5 * 0.01 / 0.6])
    assert ratio(above, np.array([0.0, 0.6, 0.6])) is None
    undefined = ratio(above, np.array([0.6, 0.6, -0.01]))
    assert undefined is not None
    assert interval(undefined, speakers=3) is None


def percentiles(values: np.ndarray) -> Interval:
    """What intervals should not be: too narrow over few speakers."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return float(low), float(high)


def coverage(
    world: World, speakers: int, times: int = 500, replicates: int = 400
) -> dict[str, float]:
    """How often intervals hold the true value."""
    generator = np.random.default_rng(speakers)
    first, second = world.true_uars(generator)
    truth = {"uar": first, "difference": first - second, "ratio": second / first}
    truth |= {"percentiles": first, "over utterances": first, "as if all said as much": first}
    held: dict[str, list[bool]] = {name: [] for name in truth}
    for _ in range(times):
        confusions = world.confusions(speakers, generator)
        weights = speaker_weights(speakers, generator, replicates)
        one, other = metrics.uar(resample(confusions, weights))
        relative = ratio(other, one)
        assert relative is not None
        as_many = alike(confusions[0].sum(axis=(1, 2)))
        intervals = {
            "uar": share_interval(one, as_many),
            "difference": interval(one - other, as_many, within=(-1.0, 1.0)),
            "ratio": interval(relative, as_many, within=(0.0, math.inf)),
            "as if all said as much": share_interval(one, speakers),
            "percentiles": percentiles(one),
            "over utterances": over_utterances(confusions[0], generator, replicates),
        }
        for name, ends in intervals.items():
            if ends is not None:
                held[name].append(ends[0] <= truth[name] <= ends[1])
    assert min(map(len, held.values())) > 0.95 * times
    return {name: float(np.mean(found)) for name, found in held.items()}


def over_utterances(
    confusions: np.ndarray, generator: np.random.Generator, replicates: int
) -> Interval:
    """An interval as if every utterance were of another speaker."""
    pooled = confusions.sum(axis=0)
    count = int(pooled.sum())
    drawn = generator.multinomial(count, pooled.flatten() / count, size=replicates)
    resampled = np.concatenate([pooled[None], drawn.reshape(-1, *pooled.shape)])
    return share_interval(metrics.uar(resampled), speakers=count)


@pytest.mark.parametrize("world", [World(), World(classes=7, between=1.2, within=1.0)], ids=str)
@pytest.mark.parametrize("speakers", [4, 6, 10, 24])
def test_intervals_hold_the_true_value_as_often_as_they_say(world: World, speakers: int) -> None:
    held = coverage(world, speakers)
    for name in ("uar", "difference", "ratio"):
        assert 0.92 <= held[name] <= 0.99, (name, held)
    # The control: utterances of one speaker are alike, so intervals over utterances are too narrow.
    assert held["over utterances"] < 0.9, held
    if speakers <= 10:
        assert held["percentiles"] < 0.92, held


@pytest.mark.parametrize(("talkers", "others"), [(4, 100), (9, 300)])
def test_intervals_hold_it_where_few_speakers_say_most(talkers: int, others: int) -> None:
    held = coverage(World(talkers=talkers), talkers + others)
    for name in ("uar", "difference", "ratio"):
        assert 0.91 <= held[name] <= 0.98, (name, held)
    assert held["as if all said as much"] < 0.93, held


@pytest.mark.parametrize("kind", [interval, share_interval])
def test_no_interval_where_one_speaker_says_nearly_everything(
    kind: Callable[..., Interval],
) -> None:
    values = np.array([0.5, 0.4, 0.6])
    assert kind(values, alike(np.array([1000, 1]))) is None
    assert kind(values, alike(np.array([1000, 200]))) is not None
