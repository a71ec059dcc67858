"""What releases cost, beside frozen numbers, another library, and attackers who do their best."""

import math

import numpy as np
import pytest
from dp_accounting import dp_event
from dp_accounting.pld import PLDAccountant
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from synth_data.errors import UserError
from synth_data.ledger import (
    Ledger,
    OverBudgetError,
    PrivacyBudget,
    Release,
    caps_of,
    epsilon_of,
    with_noise_for,
)


def released(noise: float, sampled: float = 1.0, count: int = 1) -> Release:
    return Release("a question", noise, sampled, count)


# From dp-accounting 0.6.0 and Opacus 1.6.0: (noise, sampling, count, delta), the PLD accountant's
# epsilon and the upper bound of the PRV accountant, which sampled releases are charged.
ORACLES = [
    ((1.0, 0.01, 1000, 1e-5), 1.8282, 1.8384),
    ((1.1, 256 / 60000, 14100, 1e-5), 2.3852, 2.3953),
    ((4.0, 1.0, 1, 1e-5), 0.9263, None),
    ((2.0, 0.1, 100, 1e-4), 1.9659, 1.9761),
    ((8.0, 1.0, 10, 1e-4), 1.2987, None),
    ((1.5, 0.2, 200, 1e-3), 8.2311, 8.2418),
]


@pytest.mark.parametrize(("of", "estimate", "upper"), ORACLES)
def test_frozen_numbers(of, estimate, upper):
    noise, sampled, count, delta = of
    found = epsilon_of([released(noise, sampled, count)], delta)
    assert found == pytest.approx(upper or estimate, abs=1e-4)
    assert estimate - 1e-4 <= found


@pytest.mark.parametrize(
    "releases",
    [
        [released(2.0), released(5.0, count=3)],
        [released(3.0), released(1.2, 0.05, 50)],
        [released(0.7, 0.01, 20), released(6.0, 1.0, 2), released(1.0, 0.1)],
    ],
)
def test_another_accountant_agrees(releases):
    accountant = PLDAccountant()
    for one in releases:
        event = dp_event.GaussianDpEvent(one.noise_multiplier)
        if one.sampling_probability < 1:
            event = dp_event.PoissonSampledDpEvent(one.sampling_probability, event)
        accountant.compose(event, one.count)
    theirs = accountant.get_epsilon(1e-5)
    assert theirs - 0.002 <= epsilon_of(releases, 1e-5) <= theirs + 0.025


@settings(deadline=None)
@given(noise=st.floats(0.3, 50), delta=st.floats(1e-9, 0.1), count=st.integers(1, 40))
def test_the_closed_form_is_its_own_inverse(noise, delta, count):
    mu = math.sqrt(count) / noise
    epsilon = epsilon_of([released(noise, count=count)], delta)
    at = norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)
    assert at == pytest.approx(delta, rel=1e-3) or (epsilon == 0 and at <= delta)


@pytest.mark.parametrize(("epsilon", "noise"), [(1.0, 3.186), (3.0, 1.223), (8.0, 0.543)])
def test_noise_for_one_release(epsilon, noise):
    (one,) = with_noise_for(PrivacyBudget(epsilon, 1e-4), [released(1.0)])
    assert one.noise_multiplier == pytest.approx(noise, abs=6e-4)


@pytest.mark.parametrize(
    "plan",
    [
        [released(1.0), released(4.0)],
        [released(1.0, 0.1, 100)],
        [released(3.0), released(1.0, 0.05, 300)],
    ],
)
def test_noise_spends_the_budget_and_no_more(plan):
    budget = PrivacyBudget(3.0, 1e-5)
    ledger = Ledger(budget)
    for one in with_noise_for(budget, plan):
        ledger = ledger.charged(one)
    assert 2.9 < ledger.epsilon <= 3.0 * (1 + 1e-6)
    ratio = ledger.releases[0].noise_multiplier / ledger.releases[-1].noise_multiplier
    assert ratio == pytest.approx(plan[0].noise_multiplier / plan[-1].noise_multiplier)


@pytest.mark.parametrize("plan", [[released(1.0, 0.25, 150)], [released(9.0), released(1.0, 0.1)]])
def test_a_small_budget_is_met_or_refused(plan):
    """What sampling is charged is an upper bound, which does not fall to nothing."""
    found = epsilon_of(with_noise_for(PrivacyBudget(0.01, 1e-4), plan), 1e-4)
    assert 0.0099 < found <= 0.01
    with pytest.raises(UserError, match=r"epsilon of 0.005 .* can resolve: .* says 0.0099. Allow"):
        with_noise_for(PrivacyBudget(0.005, 1e-4), plan)


@pytest.mark.filterwarnings("error")
def test_hardly_any_noise_is_no_reason_to_warn():
    assert epsilon_of([released(0.03, 0.25)], 1e-4) > 500


def test_one_release_too_many_is_refused_with_the_figures():
    budget = PrivacyBudget(1.0, 1e-5, "utterance")
    (one,) = with_noise_for(budget, [released(1.0)])
    spent = Ledger(budget).charged(one)
    with pytest.raises(
        OverBudgetError, match=r"from 1 to 1\.4\d+ \(delta 1e-05, per utterance\).*budget is 1:"
    ):
        spent.charged(one)
    assert Ledger(budget).epsilon == 0.0


def test_no_attacker_passes_the_caps():
    """The best one, of a sum with and without one unit: a likelihood ratio, on a million draws."""
    draws = np.random.default_rng(0)
    noise, count = 2.0, 3
    out = draws.normal(0, noise, (500_000, count)).sum(axis=1)
    there = draws.normal(1, noise, (500_000, count)).sum(axis=1)
    caps = caps_of([released(noise, count=count)])
    rate = (there > np.quantile(out, 0.99)).mean()
    assert rate == pytest.approx(caps.true_positive_rate, abs=0.003)
    assert (there > out).mean() == pytest.approx(caps.area, abs=0.003)


def test_the_envelope_is_not_below_the_exact_curve():
    """Sampled with a probability of almost one, a release is hardly other than without."""
    exact, envelope = caps_of([released(1.5)]), caps_of([released(1.5, 0.9999)])
    assert exact.true_positive_rate <= envelope.true_positive_rate + 1e-3
    assert envelope.true_positive_rate < exact.true_positive_rate + 0.02
    assert exact.area <= envelope.area + 1e-3
    assert envelope.area < exact.area + 0.03


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: released(0.0), "noise_multiplier must be a number from 0.0001 to 1e.09; found 0"),
        (lambda: released(math.inf), "noise_multiplier must be a number .*; found inf"),
        (lambda: released(1.0, 1.5), "sampling_probability must be above 0 and at most 1"),
        (lambda: released(1.0, count=0), "count must be a number from 1 to .*; found 0"),
        (
            lambda: PrivacyBudget(-1.0, 1e-5),
            "positive number, 0.001 or more; found -1",
        ),
        (
            lambda: PrivacyBudget(1.0, 1.0),
            "below 1, 1e-15 or more; found 1",
        ),
        (lambda: with_noise_for(PrivacyBudget(1.0, 1e-5), []), "at least one release"),
        (lambda: epsilon_of([released(1e-4, 0.5, 10**9)], 1e-5), "a grid of .* points, allowed"),
        (lambda: epsilon_of([released(1e4, 0.5, 10**9)], 1e-5), "as long as 801 of the simplest"),
        (
            lambda: epsilon_of([released(500.0 + i, 0.001) for i in range(300)], 1e-5),
            "sampled releases of 300 kinds take",
        ),
        (lambda: epsilon_of([released(1.0, 0.5, 10)], 1e-15), "cannot tell .* at delta 1e-15"),
        (lambda: epsilon_of([released(1.0, 0.5, 10)], 0.999), "cannot tell .* at delta 0.999"),
    ],
)
def test_figures_that_make_no_sense(make, message):
    with pytest.raises(UserError, match=message):
        make()
