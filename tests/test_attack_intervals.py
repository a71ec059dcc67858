"""How often intervals of attackers' rates hold the truth, where speakers recur in folds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats
from simulated_claims import Claims, Folds, Members, disjoint, ring, weighed_mean

from evaluation.attacks.recurring import Rate, interval_of, weights_of

LOSO = ring(10, 3)  # leave-one-speaker-out on EmoDB


@dataclass(frozen=True)
class Held:
    """Of intervals.

    Attributes:
        share: that hold the true rate.
        none: share of tries that have no interval.
        in_folds: the share that hold it of those that take a speaker for another in each fold.
    """

    share: float
    none: float
    in_folds: float


def coverage(world: Claims | Members, folds: Folds, times: int = 150) -> Held:
    """On new speakers, so often; the truth is the mean of all tries."""
    draws = np.random.default_rng(0)
    tries = [world.rates(folds, draws) for _ in range(times)]
    truth = np.mean([rate.value for rates in tries for rate in rates])
    found = [interval_of(rates) for rates in tries]
    said = [ends[0] <= truth <= ends[1] for ends in found if ends is not None]
    earlier = [low <= truth <= high for low, high in map(in_folds, tries)]
    return Held(float(np.mean(said)), 1 - len(said) / times, float(np.mean(earlier)))


def in_folds(rates: Sequence[Rate]) -> tuple[float, float]:
    """What intervals should not be: from each fold's own error, as if its speakers were no other's.

    A speaker who is in three folds then counts as three, and what differs between folds as nothing.
    """
    count = sum(len(side) for rate in rates for side in rate.sides)
    errors = [np.std(rate.resampled) for rate in rates]
    error = math.sqrt(sum(one**2 for one in errors) * count / (count - 1)) / len(rates)
    mean = float(np.mean([rate.value for rate in rates]))
    reach = float(stats.t.ppf(0.975, count - 1)) * error
    return mean - reach, mean + reach


OF_CLAIMS = {
    "leave one out": LOSO,
    "four of these": LOSO[:4],
    "four pairs of four": ring(4, 2),
    "five disjoint pairs": disjoint(5, 2),
    "five disjoint fours": disjoint(5, 4),
    "three": disjoint(1, 3),
    "eight": disjoint(1, 8),
    "twenty": disjoint(1, 20),
}


@pytest.mark.parametrize("name", ["leave one out", "four pairs of four", "five disjoint pairs"])
def test_intervals_of_claims_hold_the_true_rate_and_those_in_folds_do_not(name: str) -> None:
    held = coverage(Claims(0.3), OF_CLAIMS[name])
    assert 0.91 <= held.share <= 0.99, held
    assert held.none < 0.01, held
    assert held.in_folds < 0.8, held


@pytest.mark.slow
@pytest.mark.parametrize("world", [Claims(0.6, varies=1.2)], ids=str)
@pytest.mark.parametrize("name", OF_CLAIMS)
def test_intervals_of_claims_hold_the_true_rate_however_folds_are_made(
    world: Claims, name: str
) -> None:
    held = coverage(world, OF_CLAIMS[name], times=250)
    assert held.share >= 0.9, held
    assert held.none < 0.15, held


@pytest.mark.parametrize(
    ("world", "folds"),
    [
        pytest.param(Members(), LOSO, id="leave one out"),
        pytest.param(Members(0.0), LOSO[:4], id="four of these, where nothing tells"),
        pytest.param(Members(), disjoint(1, 3), id="three are out"),
        pytest.param(Members(), disjoint(5, 1), id="one is out, five times"),
        pytest.param(Members(speakers=24), disjoint(4, 6), id="six of 24, each once"),
        pytest.param(Members(2.0, speakers=24), ring(24, 8, folds=2), id="eight of 24, twice"),
    ],
)
def test_intervals_of_membership_hold_the_true_area(world: Members, folds: Folds) -> None:
    held = coverage(world, folds, times=250)
    assert held.share >= 0.92, held
    assert held.none < 0.15, held


def test_of_membership_who_is_out_in_few_folds_is_not_told_by_those_in_folds() -> None:
    """One speaker is out in each: its own fold says nothing of how such speakers differ."""
    assert coverage(Members(), disjoint(5, 1)).in_folds < 0.8


NAMES = tuple(f"speaker {n}" for n in range(9))
OWN = np.linspace(0.3, 0.6, 9) + 0.05 * np.cos(np.arange(9))  # of each speaker


def rate(*speakers: int) -> Rate:
    """One that is a mean over these speakers."""
    names, own = tuple(NAMES[n] for n in speakers), OWN[list(speakers)]
    return Rate(float(own.mean()), weighed_mean(names, own), (names,))


def test_the_interval_of_a_mean_over_speakers_is_students_t() -> None:
    mean = OWN.mean()
    reach = stats.t.ppf(0.975, 8) * OWN.std(ddof=1) / 3 / (mean * (1 - mean))
    ends = stats.logistic.cdf(np.log(mean / (1 - mean)) + np.array([-reach, reach]))
    found = interval_of([rate(*range(9))])
    assert found == pytest.approx(ends, abs=0.1 * (ends[1] - ends[0]))  # of 200 resamples


def test_it_does_not_matter_which_folds_speakers_are_in() -> None:
    """Each in one, in all, or in two of three folds."""
    whole = interval_of([rate(*range(9))])
    assert whole is not None
    for folds in (
        [rate(0, 1, 2), rate(3, 4, 5), rate(6, 7, 8)],
        [rate(*range(9))] * 3,
        [rate(0, 1, 2, 3, 4, 5), rate(3, 4, 5, 6, 7, 8), rate(6, 7, 8, 0, 1, 2)],
    ):
        assert interval_of(folds) == pytest.approx(whole, abs=1e-9)


def test_where_few_recur_more_than_others_they_are_fewer() -> None:
    """Three in five folds and three in one say as much as four who recur alike."""
    found = interval_of([rate(0, 1, 2)] * 5 + [rate(3, 4, 5)])
    assert found is not None
    share = np.array([5, 5, 5, 1, 1, 1]) / 18
    count = 1 / (share**2).sum()
    assert 4 < count < 4.5
    mean = share @ OWN[:6]
    weights = weights_of(NAMES[:6]) * share
    moved = weights @ OWN[:6] / weights.sum(axis=1)
    error = moved.std() * math.sqrt((count + 1) / (count - 1))
    reach = stats.t.ppf(0.975, count - 1) * error / (mean * (1 - mean))
    ends = np.log(np.array(found) / (1 - np.array(found)))
    assert (ends[1] - ends[0]) / 2 == pytest.approx(reach, rel=1e-6)


def test_what_differs_between_folds_of_two_is_told() -> None:
    """Their one pair of speakers cannot be weighed against another; as if of so many pairs."""
    rates = np.array([0.2, 0.3, 0.35, 0.5, 0.4])
    pairs = [(f"{n}-a", f"{n}-b") for n in range(5)]
    found = interval_of(
        [Rate(one, np.full(200, one), (names,)) for one, names in zip(rates, pairs, strict=True)]
    )
    assert found is not None
    mean = rates.mean()
    ends = np.log(np.array(found) / (1 - np.array(found)))
    reach = stats.t.ppf(0.975, 9) * rates.std(ddof=1) / 5**0.5 / (mean * (1 - mean))
    assert (ends[1] - ends[0]) / 2 == pytest.approx(reach, rel=0.15)


def test_no_interval_where_resamples_cannot_say() -> None:
    three = rate(0, 1, 2)
    assert interval_of([three]) is not None
    assert interval_of([rate(0, 1)]) is None
    assert interval_of([rate(0, 1), rate(1, 0)]) is None
    assert interval_of([rate(0, 1), rate(1, 2)]) is not None
    right = Rate(0.0, np.zeros(200), three.sides)
    assert interval_of([right, right]) is None  # nothing moves it, and it is not known to be zero
    assert interval_of([right, three]) is not None


def test_no_interval_of_rates_that_were_not_resampled_by_name() -> None:
    whole = rate(*range(9))
    assert interval_of([whole, replace(whole, resampled=whole.resampled[:175])]) is None
    assert interval_of([whole, replace(whole, sides=((),))]) is None


def test_a_name_weighs_the_same_wherever_it_is() -> None:
    """Also in files of other versions: their rates are set beside weights that are made anew."""
    weights = weights_of(NAMES)
    assert (weights_of(NAMES[::-1]) == weights[:, ::-1]).all()
    assert (weights > 0).all()
    assert weights.mean() == pytest.approx(1, abs=0.1)
    assert weights.std() == pytest.approx(1, abs=0.1)
    assert abs(np.corrcoef(weights.T) - np.eye(9)).max() < 0.3
    assert weights_of(["a"])[:3, 0] == pytest.approx([0.15147261, 0.48895879, 0.23616867])
