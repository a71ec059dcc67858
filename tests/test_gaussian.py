"""The door under a budget: without noise and clipping it is exact, and no unit counts too much."""

import math
from dataclasses import replace

import pytest
import torch
from fake_speech import EMOTIONS, SPEC, fake_speech
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from evaluation.networks import apply, draw_weights, skeleton
from evaluation.students import cross_entropy
from synth_data.account import Account
from synth_data.curator import Curator, PrivateError
from synth_data.errors import UserError
from synth_data.gaussian import PRESENCE, Gaussian, clip_norm
from synth_data.ledger import OverBudgetError, PrivacyBudget, Release, Unit
from synth_data.mechanism import CHUNK, All, Draw, Question, units_of
from synth_data.noise import system_noise, system_tosses
from synth_data.real import RealSet

FAR = 1e6  # a bound that nothing reaches
PLENTY = PrivacyBudget(1e9, 1e-5)


def quiet(size: int) -> Tensor:
    return torch.zeros(size, dtype=torch.float64)


def door(real: RealSet, unit: Unit = "speaker", noise=quiet, *, budget=PLENTY, plan=()) -> Curator:
    """A door whose questions are paid for."""
    account = Account(replace(budget, unit=unit), plan or [Release("asked", 1.0, count=10_000)])
    return Curator(real, Gaussian(account, noise))


@pytest.mark.parametrize("counts", [(6, 4, 5), (CHUNK + 3, 2, 5)])
@pytest.mark.parametrize("per_class", [True, False])
def test_of_utterances_without_noise_it_is_exact(counts, per_class):
    real = fake_speech(counts)
    asked = {"purpose": "asked", "per_class": per_class, "bound": FAR}

    def statistic(features: Tensor, _: Tensor) -> Tensor:
        return features.square()

    found = door(real, "utterance").mean(statistic, **asked)
    assert torch.allclose(found, Curator(real).mean(statistic, **asked), rtol=1e-4)


@pytest.mark.parametrize("per_class", [True, False])
def test_of_speakers_without_noise_it_is_a_loop_over_their_means(per_class):
    real = fake_speech((9, 7, 8))
    found = door(real).mean(lambda f, _: f, purpose="asked", per_class=per_class, bound=FAR)
    of_groups: dict[int, list[Tensor]] = {}
    for speaker in sorted(set(real.speakers)):
        for emotion in range(3) if per_class else (None,):
            rows = [
                row
                for row in range(len(real))
                if real.speakers[row] == speaker
                and (emotion is None or row in real.group_rows(emotion))
            ]
            if rows:
                of_groups.setdefault(emotion or 0, []).append(real.features[rows].mean(dim=0))
    slow = torch.stack([torch.stack(means).mean(dim=0) for _, means in sorted(of_groups.items())])
    assert torch.allclose(found, slow if per_class else slow[0], atol=1e-4)


@pytest.mark.parametrize("per_class", [True, False])
def test_gradients_of_utterances_without_noise_are_exact(per_class):
    real = fake_speech()
    network = skeleton("convnet", SPEC.mels, 3)
    weights = draw_weights(network, torch.Generator().manual_seed(0))

    def loss(at, features: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(apply(network, at, features), targets)

    asked = {"purpose": "asked", "per_class": per_class, "bound": FAR}
    found = door(real, "utterance").mean_gradient(loss, weights, **asked)
    for name, gradient in Curator(real).mean_gradient(loss, weights, **asked).items():
        assert torch.allclose(found[name], gradient, atol=1e-5), name


def test_a_gradient_of_a_speaker_is_that_of_its_mean_loss():
    real = fake_speech((9, 7, 8))
    rows = units_of(real, "speaker")

    def loss(at, features: Tensor, _: Tensor) -> Tensor:
        return (at["w"] * features.mean(dim=2)).square().sum(dim=1)

    weights = {"w": torch.ones(SPEC.mels)}
    found = door(real).mean_gradient(loss, weights, purpose="asked", per_class=False, bound=FAR)
    slow = torch.stack([2 * real.features[r].mean(dim=2).square().mean(dim=0) for r in rows])
    assert torch.allclose(found["w"], slow.mean(dim=0), atol=1e-5)


def test_statistics_of_speakers():
    real = fake_speech((9, 7, 8))
    found = door(real).mean_of_speakers(
        lambda f, _: f.mean(dim=2), lambda each: each.square(), purpose="asked", bound=FAR
    )
    exact = Curator(real).mean_of_speakers(
        lambda f, _: f.mean(dim=2), lambda each: each.square(), purpose="asked"
    )
    assert torch.allclose(found, exact, atol=1e-4)
    with pytest.raises(UserError, match="protects speakers, and the unit is the utterance"):
        door(real, "utterance").mean_of_speakers(lambda f, _: f, lambda each: each, purpose="asked")


SIZES = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, 0.0])


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(0, 9)] * 3).filter(lambda counts: sum(counts) >= 3),
    st.lists(st.tuples(SIZES, SIZES), min_size=27, max_size=27),
    st.floats(1e-3, 1e3),
    st.sampled_from(["speaker", "utterance"]),
    st.booleans(),
)
def test_one_unit_more_moves_a_release_by_the_clip_norm_at_most(
    counts, numbers, bound, unit, per_class
):
    """Of ragged speakers, some of whom lack emotions, and rows of any size."""
    real, rows = fake_speech(counts), torch.tensor(numbers)

    def released(left_out: list[int]) -> Tensor:
        kept = [row for row in range(len(real)) if row not in left_out]
        some = replace(real.select(kept), features=rows[kept][:, :, None])
        heard: list[Tensor] = []

        class Listening(Account):
            def answer(self, question, ask):  # noqa: ARG002
                heard.append(ask(0.0))
                return heard[-1]

        account = Listening(replace(PLENTY, unit=unit), [Release("asked", 1.0)])
        Curator(some, Gaussian(account, quiet)).mean(
            lambda f, _: f[:, :, 0], purpose="asked", per_class=per_class, bound=bound
        )
        return heard[0]

    together = 3 if per_class and unit == "speaker" else 1
    everybody = released([])
    assert everybody.isfinite().all()
    for one in units_of(real, unit)[:3]:
        if len(one) < len(real):
            moved = (everybody - released(one.tolist())).norm()
            assert moved <= clip_norm(bound, together) * (1 + 1e-9)


def test_a_unit_with_a_number_that_is_not_finite_is_left_out_alone():
    real = fake_speech((6, 6, 6))
    broken = real.features.clone()
    broken[units_of(real, "speaker")[0][2]] = math.nan
    others = real.select(
        [row for row in range(len(real)) if real.speakers[row] != real.speakers[0]]
    )
    asked = {"purpose": "asked", "per_class": False, "bound": FAR}
    found = door(replace(real, features=broken)).mean(lambda f, _: f, **asked)
    assert torch.allclose(found, door(others).mean(lambda f, _: f, **asked), atol=1e-4)


def test_an_answer_to_nobody_is_noise_alone():
    real = fake_speech()
    noise = torch.arange(1.0, 18.0, dtype=torch.float64)
    plan = [Release("asked", 2.0, 1e-12)]
    found = door(real, noise=lambda size: noise[:size], plan=plan).mean(
        lambda f, _: f.mean(dim=2),
        purpose="asked",
        per_class=False,
        sample=Draw(1e-12, torch.Generator()),
    )
    length = clip_norm(1.0, 1)
    count = max(1.0, 2.0 * length * 17.0 / PRESENCE)
    assert torch.allclose(found, (2.0 * length * noise[:16] / count).float())


def test_a_sample_tells_nothing_of_how_many_there_are():
    draws = torch.Generator()
    for real in (fake_speech(), fake_speech((60, 40, 50))):
        assert door(real).sample(0.5, 3, draws) == Draw(0.5, draws)
        assert door(real).sample(1.0, 3, draws) == All()


def test_what_is_no_mean_is_refused():
    real = fake_speech()
    guarded = door(real)
    for ask in (
        lambda: guarded.choose_real(1, lambda _, count: range(count)),
        guarded.count_utterances,
        guarded.count_speakers,
        guarded.corpus_digest,
        guarded.corpus_notes,
        guarded.naming_speakers,
    ):
        with pytest.raises(PrivateError, match="is no mean, and under a privacy budget"):
            ask()


def test_sessions_must_be_known():
    with pytest.raises(UserError, match="has no session, so sessions cannot be protected"):
        door(fake_speech(), "session").mean(lambda f, _: f, purpose="asked")


def test_a_question_that_is_not_planned_is_refused_with_figures():
    plan = [Release("asked", 2.0)]
    guarded = door(fake_speech(), budget=PrivacyBudget(2.0, 1e-5), plan=plan)
    guarded.mean(lambda f, _: f, purpose="asked")
    with pytest.raises(OverBudgetError, match=r"would bring epsilon from 1\.9.* budget is 2"):
        guarded.mean(lambda f, _: f, purpose="asked")
    with pytest.raises(OverBudgetError, match="something else: this would bring"):
        guarded.mean(lambda f, _: f, purpose="something else")
    assert guarded.guarantee is None  # with noise that is no noise


def test_noise_is_normal_and_never_the_same():
    noise = system_noise(40_000)
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 1) < 0.02
    assert abs(noise.pow(4).mean() - 3) < 0.3
    assert not torch.equal(noise, system_noise(40_000))


def test_tosses_are_independent_of_each_other():
    sizes = torch.stack([system_tosses(50, 0.2).sum() for _ in range(2000)]).double()
    assert abs(sizes.mean() - 10) < 0.4
    assert abs(sizes.var() - 8) < 1.5  # 0 if so many were drawn each time


def test_a_question_has_no_favourite_emotion():
    """Every emotion's block is where it is asked for."""
    real = fake_speech()
    found = door(real).mean(lambda _, targets: targets, purpose="asked")
    assert torch.allclose(found, torch.eye(len(EMOTIONS)), atol=1e-5)
    assert Question("asked", 1).per_class


def test_a_share_that_noise_has_eaten_weighs_no_more_than_ten():
    real = fake_speech((8, 8, 8))
    plan = [Release("class shares", 1.0)]
    guarded = door(real, noise=lambda size: torch.full((size,), -9.0).double(), plan=plan)
    assert guarded.class_balance().max() <= 10.0
