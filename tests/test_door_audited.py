"""The door audited: how well its answers tell two neighbouring worlds apart, and eight ways to err.

Every mutant is a door with one mistake that published code has made; each is caught by the check
that can see it, and the door itself passes all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import jaxtyping
import pytest
import torch
from fake_speech import fake_speech
from scipy.stats import beta, norm
from torch import Tensor

from synth_data import gaussian
from synth_data.account import Account
from synth_data.curator import Curator, PrivateError
from synth_data.gaussian import PRESENCE, Gaussian, clip_norm
from synth_data.ledger import (
    OverBudgetError,
    PrivacyBudget,
    Release,
    epsilon_of,
    with_noise_for,
)
from synth_data.mechanism import Draw, Question
from synth_data.noise import system_noise
from synth_data.real import RealSet

ERROR = 1e-6  # probability that a right door fails
BUDGET = PrivacyBudget(8.0, 1e-4)
PLAN = with_noise_for(BUDGET, [Release("asked", 1.0)])
EVERYBODY = fake_speech((4, 4, 4))
ASKED = Question("asked", 1, per_class=False)
SIZE = 4  # numbers that are asked for


class Overheard(Account):
    """An account that keeps no books, and hears what is released."""

    def answer(self, question, ask):  # noqa: ARG002
        return ask(PLAN[0].noise_multiplier)


def worlds() -> tuple[RealSet, RealSet]:
    """Two neighbours: one has a speaker more, whose vector is far too long."""
    features = torch.zeros(len(EVERYBODY), *EVERYBODY.features.shape[1:])
    one = EVERYBODY.speakers[0]
    rows = [row for row, speaker in enumerate(EVERYBODY.speakers) if speaker == one]
    features[rows] = 100.0
    with_one = replace(EVERYBODY, features=features)
    return with_one, with_one.select([row for row in range(len(with_one)) if row not in rows])


def runs(mechanism: type[Gaussian], real: RealSet, count: int) -> Tensor:
    """What so many doors release, [run, number]."""
    released: list[Tensor] = []

    class Listening(Overheard):
        def answer(self, question, ask):
            released.append(super().answer(question, ask))
            return released[-1]

    door = mechanism(Listening(BUDGET, PLAN))
    jaxtyping.config.update("jaxtyping_disable", True)  # checking shapes takes ten times as long
    try:
        for _ in range(count):
            door.means(real, lambda features, _: features[:, 0, :SIZE], ASKED)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    return torch.stack(released)


def least_epsilon(with_one: Tensor, without: Tensor) -> float:
    """A lower bound on epsilon by Clopper and Pearson, in the form for Gaussian mechanisms.

    Nasr et al., USENIX Security 2023. An attacker says "with" from half-way on.
    """
    length = clip_norm(1.0, 1)
    there = torch.full((SIZE + 1,), 1.0, dtype=torch.float64)
    there[-1] = PRESENCE
    there /= there.norm()
    others = len(set(EVERYBODY.speakers)) - 1
    usual = others * PRESENCE * there[-1]
    false = int(((without @ there - usual) > length / 2).sum())
    missed = int(((with_one @ there - usual) <= length / 2).sum())
    high = [beta.ppf(1 - ERROR / 2, k + 1, len(with_one) - k) for k in (false, missed)]
    mu = norm.ppf(1 - high[0]) - norm.ppf(high[1])
    return epsilon_of([Release("found", 1 / mu)], BUDGET.delta) if mu > 0 else 0.0


def tells_no_more_than_claimed(mechanism: type[Gaussian], count: int = 5_000) -> None:
    with_one, without = (runs(mechanism, world, count) for world in worlds())
    assert least_epsilon(with_one, without) <= BUDGET.epsilon


def hides_how_many_there_are(mechanism: type[Gaussian]) -> None:
    """Nobody says anything: then releases are spread alike however many are silent."""
    silent = replace(EVERYBODY, features=torch.zeros_like(EVERYBODY.features))
    fewer = silent.select([r for r in range(len(silent)) if silent.speakers[r] != "speaker-0"])
    many, few = (runs(mechanism, world, 2_000)[:, :SIZE] for world in (silent, fewer))
    assert 0.8 < many.std() / few.std() < 1.25


def tosses_for_each_unit(mechanism: type[Gaussian]) -> None:
    door = mechanism(Overheard(BUDGET, PLAN))
    units = [torch.tensor([row]) for row in range(40)]
    asked = replace(ASKED, sample=Draw(0.25, torch.Generator().manual_seed(0)))
    sizes = torch.tensor([float(len(door._taken(units, asked))) for _ in range(2_000)])
    assert abs(sizes.var() - 40 * 0.25 * 0.75) < 2.0


def noise_is_fresh(mechanism: type[Gaussian]) -> None:
    first, second = runs(mechanism, worlds()[0], 2)
    assert (first - second).norm() > 1e-3


def gives_no_utterance_away(mechanism: type[Gaussian]) -> None:
    with pytest.raises(PrivateError):
        Curator(EVERYBODY, mechanism(Account(BUDGET, PLAN))).choose_real(1, lambda _, n: range(n))


def answers_once(mechanism: type[Gaussian], tmp_path, account: type[Account] = Account) -> None:
    """The same question has the same answer and one charge, also for whoever comes back."""
    given = []
    for _ in range(3):
        kept = account(BUDGET, PLAN, tmp_path)
        given.append(mechanism(kept).means(EVERYBODY, lambda f, _: f[:, 0, :SIZE], ASKED))
    assert all(torch.equal(given[0], again) for again in given)
    assert epsilon_of(Account(BUDGET, PLAN, tmp_path).ledger.releases, BUDGET.delta) <= 8.0001


def stops_at_the_budget(mechanism: type[Gaussian], account: type[Account] = Account) -> None:
    door = mechanism(account(BUDGET, PLAN))
    door.means(EVERYBODY, lambda f, _: f[:, 0, :SIZE], ASKED)
    with pytest.raises(OverBudgetError):
        door.means(EVERYBODY, lambda f, _: f[:, 0, :SIZE], replace(ASKED, number=2))


@pytest.mark.slow
def test_the_door_tells_what_is_claimed_and_hardly_less():
    """Tight from both sides: at most epsilon, and 0.85 of it, so that the audit has power."""
    with_one, without = (runs(Gaussian, world, 50_000) for world in worlds())
    found = least_epsilon(with_one, without)
    assert 0.85 * BUDGET.epsilon <= found <= BUDGET.epsilon


def test_the_door_passes_every_check(tmp_path):
    tells_no_more_than_claimed(Gaussian)
    hides_how_many_there_are(Gaussian)
    tosses_for_each_unit(Gaussian)
    noise_is_fresh(Gaussian)
    gives_no_utterance_away(Gaussian)
    answers_once(Gaussian, tmp_path)
    stops_at_the_budget(Gaussian)


def quieter(size: int) -> Tensor:
    return 0.8 * system_noise(size)


@dataclass(frozen=True, eq=False)
class TooQuiet(Gaussian):
    noise: Callable[[int], Tensor] = quieter


@dataclass(frozen=True, eq=False)
class Unclipped(Gaussian):
    def means(self, *asked):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gaussian, "clipped", lambda vectors, _: vectors)
            return super().means(*asked)


@dataclass(frozen=True, eq=False)
class DividedByN(Gaussian):
    """Releases a mean over so many units as there are."""

    def _noisy(self, real, *asked):
        return super()._noisy(real, *asked) / len(gaussian.units_of(real, self.unit))


@dataclass(frozen=True, eq=False)
class Shuffled(Gaussian):
    """Draws a batch of a fixed size."""

    def _taken(self, units, question):
        size = round(question.sample.sampling_probability * len(units))
        return [units[i] for i in torch.randperm(len(units))[:size].tolist()]


ONCE = system_noise(1_000)


@dataclass(frozen=True, eq=False)
class Reused(Gaussian):
    noise: Callable[[int], Tensor] = lambda size: ONCE[:size]


@dataclass(frozen=True, eq=False)
class Open(Gaussian):
    exact = True


class Forgetful(Account):
    """Keeps what was told without noise, and adds fresh noise each time."""

    def answer(self, question, ask):
        self.ledger = self._with(self._release(question))
        return ask(self.plan[0].noise_multiplier)


class Generous(Account):
    """Lets one question more pass than was planned."""

    def _with(self, release):
        return replace(self.ledger, releases=(*self.ledger.releases, release))


@pytest.mark.slow
def test_noise_too_small_by_a_fifth_is_heard():
    with pytest.raises(AssertionError):
        tells_no_more_than_claimed(TooQuiet, 20_000)


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (Unclipped, tells_no_more_than_claimed),
        (DividedByN, hides_how_many_there_are),
        (Shuffled, tosses_for_each_unit),
        (Reused, noise_is_fresh),
    ],
)
def test_a_mistake_in_the_mechanism_is_seen(mutant, check):
    with pytest.raises(AssertionError):
        check(mutant)


def test_giving_real_utterances_away_is_seen():
    with pytest.raises(pytest.fail.Exception):
        gives_no_utterance_away(Open)


def test_noise_on_what_was_kept_without_noise_is_seen(tmp_path):
    with pytest.raises(AssertionError):
        answers_once(Gaussian, tmp_path, Forgetful)


def test_one_release_too_many_is_seen():
    with pytest.raises(pytest.fail.Exception):
        stops_at_the_budget(Gaussian, Generous)
