"""What noisy answers cost: a history of releases, and the epsilon that it comes to.

Epsilon is a query on that history, never a number that is carried along (Opacus' idea). Adjacency
is add or remove one unit. Where nothing is sampled the answer is exact: so many Gaussian releases
are one of

    mu = sqrt(sum of count / noise_multiplier^2),
    delta(epsilon) = Phi(mu/2 - epsilon/mu) - exp(epsilon) Phi(-mu/2 - epsilon/mu)

(Balle and Wang, ICML 2018; Dong, Roth and Su 2019, Gaussian differential privacy). Where units are
sampled it is the upper bound of Opacus' PRV accountant (Gopi, Lee and Wutschitz, NeurIPS 2021).
Central-limit approximations of sampled releases report too little, and are not used.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr
from scipy.stats import norm

from synth_data.errors import UserError

Unit = Literal["speaker", "utterance", "session"]


LEAST_NOISE, MOST_NOISE = 1e-4, 1e9  # beyond them is nothing that anybody would ask
MOST_ANSWERS = 10**9
TINY = 1e-12
LEAST_EPSILON, LEAST_DELTA = 1e-3, 1e-15
DOUBLINGS = 10  # of the noise, beyond which a bound on sampled releases falls no further


class OverBudgetError(UserError):
    """A question that the budget has no room for; the message has the figures."""


@dataclass(frozen=True)
class Release:
    """Noisy answers that were given, or are planned.

    Attributes:
        purpose: what they are for.
        noise_multiplier: standard deviation of the noise, over what one unit can change the answer
            by; above 0.
        sampling_probability: with which each unit was in the answer, independently of others, in
            (0, 1].
        count: how many such answers.
    """

    purpose: str
    noise_multiplier: float
    sampling_probability: float = 1.0
    count: int = 1

    def __post_init__(self) -> None:
        if not LEAST_NOISE <= self.noise_multiplier <= MOST_NOISE:
            raise UserError(
                f"{self.purpose}: noise_multiplier must be a number from {LEAST_NOISE:g} to "
                f"{MOST_NOISE:g}; found {self.noise_multiplier}"
            )
        if not 0 < self.sampling_probability <= 1:
            raise UserError(
                f"{self.purpose}: sampling_probability must be above 0 and at most 1; found "
                f"{self.sampling_probability}"
            )
        if not 1 <= self.count <= MOST_ANSWERS:
            raise UserError(
                f"{self.purpose}: count must be a number from 1 to {MOST_ANSWERS}; found "
                f"{self.count}"
            )


@dataclass(frozen=True)
class PrivacyBudget:
    """What may be given away about one unit.

    Attributes:
        epsilon: above 0.
        delta: in (0, 1); well below one over the number of units.
        unit: whose presence is protected: all that a speaker said, one utterance, or all that was
            said in a session.
    """

    epsilon: float
    delta: float
    unit: Unit = "speaker"

    def __post_init__(self) -> None:
        if not LEAST_EPSILON <= self.epsilon < math.inf:
            raise UserError(
                f"epsilon must be a positive number, {LEAST_EPSILON:g} or more; found "
                f"{self.epsilon}"
            )
        if not LEAST_DELTA <= self.delta < 1:
            raise UserError(
                f"delta must be above 0 and below 1, {LEAST_DELTA:g} or more; found {self.delta}"
            )


@dataclass(frozen=True)
class Ledger:
    """What was released under a budget.

    Attributes:
        budget: that releases are charged to.
        releases: in order.
    """

    budget: PrivacyBudget
    releases: tuple[Release, ...] = ()

    @property
    def epsilon(self) -> float:
        """Spent by now, at the budget's delta."""
        return epsilon_of(self.releases, self.budget.delta)

    def charged(self, release: Release) -> "Ledger":
        """With one more release.

        Raises:
            OverBudgetError: it would cost more than is left.
        """
        after = replace(self, releases=(*self.releases, release))
        if after.epsilon > self.budget.epsilon * (1 + 1e-6):  # what a solver of noise leaves over
            raise OverBudgetError(
                f"{release.purpose}: this would bring epsilon from {self.epsilon:.4g} to "
                f"{after.epsilon:.4g} (delta {self.budget.delta:g}, per {self.budget.unit}), and "
                f"the budget is {self.budget.epsilon:.4g}: ask less, or with more noise"
            )
        return after


def epsilon_of(releases: Sequence[Release], delta: float) -> float:
    """What releases come to; 0 for none.

    Raises:
        UserError: sampled ones are too many, too different or too little hidden to tell.

    >>> round(epsilon_of([Release("moments", 4.0)], 1e-5), 3)
    0.926
    """
    if not releases:
        return 0.0
    if all(one.sampling_probability == 1 for one in releases):
        return _exact(_mu(releases), delta)
    return _sampled(tuple(releases), delta)


def with_noise_for(budget: PrivacyBudget, plan: Sequence[Release]) -> tuple[Release, ...]:
    """A plan with all its noise multiplied by the one factor that brings it to the budget.

    Args:
        budget: to be spent.
        plan: all releases together; their noise multipliers say how much noise each should have
            relative to the others.

    Raises:
        UserError: nothing is planned, or the budget is below what the accountant can resolve.
    """
    if not plan:
        raise UserError("a budget needs at least one release to be spent on")

    def scaled(factor: float) -> tuple[Release, ...]:
        return tuple(replace(one, noise_multiplier=factor * one.noise_multiplier) for one in plan)

    def above(log_factor: float) -> float:
        found = epsilon_of(scaled(math.exp(log_factor)), budget.delta)
        return math.log(max(found, TINY) / budget.epsilon)  # a large delta alone may be enough

    # Enough where nothing is sampled. Sampling costs less, but is charged an upper bound of that.
    unsampled = low = high = math.log(_mu(plan) / _mu_for(budget))
    if all(one.sampling_probability == 1 for one in plan):
        return scaled(math.exp(unsampled))
    while (excess := above(high)) > 0:
        if high > unsampled + DOUBLINGS * math.log(2):
            raise UserError(
                f"an epsilon of {budget.epsilon:g} (delta {budget.delta:g}) is less than the "
                f"accountant of sampled releases can resolve: whatever the noise, it says "
                f"{budget.epsilon * math.exp(excess):.2g}. Allow more than that, or ask all units "
                f"in each release"
            )
        low, high = high, high + math.log(2)
    while above(low) <= 0:
        high, low = low, low - math.log(2)
    root = brentq(above, low, high, xtol=1e-4)
    return scaled(math.exp(root + 1e-4))  # on the safe side of what the search left open


@dataclass(frozen=True)
class Caps:
    """The most that anybody can achieve who wants to know whether one unit was there.

    Whatever they know beside the answers, and of the unit itself.

    Attributes:
        true_positive_rate: at a false-positive rate of 0.01.
        area: under the curve of true over false positives, in [0.5, 1].
    """

    true_positive_rate: float
    area: float


def caps_of(releases: Sequence[Release]) -> Caps:
    """What releases allow an attacker.

    Without sampling this is the trade-off of two unit normals mu apart; with sampling the envelope
    of the straight lines that a few pairs of epsilon and delta allow (Kairouz, Oh and Viswanath,
    ICML 2015), which is somewhat above what the best attacker can do.

    >>> caps_of([Release("moments", 0.543)])
    Caps(true_positive_rate=0.313..., area=0.903...)
    """
    if all(one.sampling_probability == 1 for one in releases):
        mu = _mu(releases)
        return Caps(float(norm.cdf(norm.ppf(0.01) + mu)), float(norm.cdf(mu / math.sqrt(2))))
    pairs = [(epsilon_of(releases, delta), delta) for delta in np.geomspace(1e-6, 0.3, 16)]
    false = np.concatenate([[0.0], np.geomspace(1e-6, 1, 2000)])
    allowed = np.ones_like(false)
    for epsilon, delta in pairs:
        allowed = np.minimum(allowed, math.exp(min(epsilon, 700)) * false + delta)
        allowed = np.minimum(allowed, 1 - math.exp(-epsilon) * (1 - delta - false))
    return Caps(
        float(np.interp(0.01, false, allowed)), float(np.trapezoid(allowed.clip(0, 1), false))
    )


def _mu(releases: Sequence[Release]) -> float:
    """Of so many Gaussian releases without sampling, together."""
    return math.sqrt(sum(one.count / one.noise_multiplier**2 for one in releases))


def _delta(mu: float, epsilon: float) -> float:
    falsely = math.exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu))
    return math.exp(log_ndtr(mu / 2 - epsilon / mu)) - falsely


def _exact(mu: float, delta: float) -> float:
    if _delta(mu, 0.0) <= delta:
        return 0.0
    high = 1.0
    while _delta(mu, high) > delta:
        high *= 2
    return float(brentq(lambda epsilon: _delta(mu, epsilon) - delta, 0.0, high, xtol=1e-12))


@lru_cache(maxsize=4096)  # a third of a second each, and the same few are asked for again and again
def _sampled(releases: tuple[Release, ...], delta: float) -> float:
    """An upper bound, where units are sampled."""
    from synth_data.sampled_releases import upper_bound  # seconds, for those who sample

    history = [(one.noise_multiplier, one.sampling_probability, one.count) for one in releases]
    return upper_bound(history, delta)


def _mu_for(budget: PrivacyBudget) -> float:
    """The largest mu that a budget allows."""
    low, high = 1e-9, 1.0
    while _delta(high, budget.epsilon) < budget.delta:
        high *= 2
    found = brentq(lambda mu: _delta(mu, budget.epsilon) - budget.delta, low, high, xtol=1e-12)
    return float(found)
