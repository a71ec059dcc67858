"""Items that a network makes of codes."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from fake_speech import SPEC, fake_speech
from pushing import interrupt
from test_engine import ToTheMeans, same_bits

from distill import outer_loop
from distill.candidate import Parameterisation
from distill.config import RunConfig
from distill.decoding import components, fitted
from distill.engine import distill
from distill.expert import Expert
from distill.native import Native
from distill.objectives import OBJECTIVES
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.objective import Objective
from distill.objectives.released_moments import ReleasedMoments
from distill.outer_loop import Loop
from distill.private import account_of, plan_of
from synth_data.curator import Curator
from synth_data.decoder import Decoder
from synth_data.errors import UserError
from synth_data.gaussian import Gaussian
from synth_data.ledger import PrivacyBudget, with_noise_for
from synth_data.randomness import generator
from synth_data.synthetic import SyntheticSet

TO_THE_MEANS = ToTheMeans()
SMALL = Parameterisation(
    decoder="generator",
    code=8,
    width=8,
    numbers="float16",
    decoder_learning_rate=3e-3,
    decoder_steps=20,
)


UNTRAINED = DistributionMatching(checkpoints=1)


def made(objective: Objective = TO_THE_MEANS, **changes: Any) -> SyntheticSet:
    settings: dict[str, Any] = {
        "ipc": 2,
        "loop": Loop(steps=10, learning_rate=0.1),
        "parameterisation": SMALL,
    }
    return distill(Curator(fake_speech()), objective, "tdnn", seed=0, **settings | changes)


@pytest.mark.parametrize("frames", [1, 4, 31, 32, 33, 300])
def test_items_have_the_frames_asked_for_and_stay_within_the_limit(frames):
    decoder, draws = Decoder(code=3, width=4, limit=0.5), torch.Generator().manual_seed(0)
    weights = decoder.draw(5, frames, 2, draws)
    codes, emotion = torch.randn(6, 3, generator=draws), torch.eye(2).repeat(3, 1)
    items = decoder(weights, 100 * codes, emotion, frames)
    assert items.shape == (6, 5, frames)
    assert 0.4 < items.abs().max() <= 0.5


def test_codes_emotions_and_weights_all_matter():
    decoder, draws = Decoder(code=3, width=8), torch.Generator().manual_seed(0)
    weights = {n: w.requires_grad_() for n, w in decoder.draw(5, 40, 2, draws).items()}
    codes = torch.randn(1, 3, generator=draws).requires_grad_()
    items = decoder(weights, codes, torch.eye(2)[:1], 40)
    slopes = torch.autograd.grad(items.square().sum(), [codes, *weights.values()])
    assert all((slope != 0).any() for slope in slopes)
    items = items.detach()
    assert not torch.allclose(items, decoder(weights, codes, torch.eye(2)[1:], 40), atol=0.01)
    # Random weights neither shrink items to nothing nor blow them up.
    assert 0.1 < float(items.std()) < 3


def test_a_decoder_learns_the_items_that_it_starts_from():
    items = fake_speech((12, 12, 12), apart=2.0).features
    smooth = items.mean(dim=2, keepdim=True).expand_as(items) + 0.1 * items
    emotion, decoder = torch.eye(3)[torch.zeros(36).long()], Decoder(code=16, width=16)

    def missed(steps: int) -> float:
        codes, weights = fitted(decoder, smooth, emotion, steps, generator(0, "decoder"))
        return float((decoder(weights, codes, emotion, SPEC.frames) - smooth).square().mean())

    assert missed(200) < 0.1 * float(smooth.var()) < missed(1)


@pytest.mark.parametrize("count", [2, 5, 9])
def test_components_are_those_of_the_items(count):
    draws = torch.Generator().manual_seed(0)
    items = torch.randn(6, 2, 3, generator=draws)
    scores = components(items, count)
    kept = min(count, 5)  # six points lie in five directions
    assert scores.shape == (6, count)
    torch.testing.assert_close(
        scores.T @ scores / 6,
        torch.diag((torch.arange(count) < kept).to(scores.dtype)),
        atol=1e-6,
        rtol=0,
    )
    centred = (items - items.mean(dim=0)).flatten(1)
    left = centred - scores @ (scores.T @ centred) / 6
    assert (left.norm() < 1e-5) == (count >= 5)


def test_the_weights_are_counted_before_the_items():
    synthetic = made(loop=Loop(steps=1, initialisation="noise"))
    room = 3 * 2 * 4 * (SPEC.mels * SPEC.frames + 3)  # of two items per class as they are
    one_more = 3 * (2 * 8 + 1 + 4 * 3)
    assert synthetic.bytes <= room < synthetic.bytes + one_more
    assert synthetic.bytes == SMALL.bytes(len(synthetic), SPEC, 3) + synthetic.targets.nbytes
    assert len(made(loop=Loop(steps=1))) == 3 * 5  # utterances of an emotion on average
    few = replace(SMALL, decoder_items=3)
    assert len(made(parameterisation=few, loop=Loop(steps=1, initialisation="noise"))) == 3 * 2 * 3


def test_it_starts_near_its_utterances_and_goes_where_the_objective_pulls():
    start, ended = made(loop=Loop(steps=0)), made(loop=Loop(steps=60, learning_rate=0.1))
    real = fake_speech()
    means = torch.stack([real.features[real.group_rows(k)].mean(dim=0) for k in range(3)])
    aims = means.repeat_interleave(5, dim=0)
    before, after = ((one.features - aims).square().mean() for one in (start, ended))
    assert after < 0.7 * before
    assert start.packed is not None
    assert ended.packed is not None
    moved = {
        n for n, t in start.packed.stored.items() if not torch.equal(t, ended.packed.stored[n])
    }
    assert moved == start.packed.stored.keys() - {"classes"}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_can_learn_a_decoder(name):
    known = {"checkpoints": 2} if hasattr(OBJECTIVES[name](), "checkpoints") else {}
    objective = OBJECTIVES[name](**known)
    found = [made(objective, loop=Loop(steps=steps, learning_rate=0.1)) for steps in (0, 2)]
    weights = [one.packed.stored["decoder.0.weight"] for one in found if one.packed]
    assert found[1].features.isfinite().all()
    assert not torch.equal(*weights)


def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, monkeypatch):
    whole = made()
    monkeypatch.setattr(outer_loop, "SAVE_EVERY", 0.0)
    with monkeypatch.context() as patched:
        interrupt(patched, TO_THE_MEANS, after=5)
        with pytest.raises(KeyboardInterrupt):
            made(checkpoint=tmp_path / "saved")
    assert same_bits(whole, made(checkpoint=tmp_path / "saved"))


def test_taught_labels_are_of_the_items_that_the_decoder_makes():
    taught = replace(SMALL, labels="taught")
    synthetic = made(UNTRAINED, parameterisation=taught, expert=Expert(steps=2))
    hard = made(UNTRAINED)
    assert torch.equal(synthetic.features, hard.features)
    assert not torch.equal(synthetic.targets, hard.targets)


@pytest.mark.parametrize(
    ("change", "native", "message"),
    [
        ({"slices": 4}, 0, "found 4 slices beside it. Set slices to 1"),
        ({"numbers": "int8"}, 0, "stored as float32 or float16, not int8"),
        ({}, 2, "weights would move all of them: set native steps to 0"),
        ({"width": 5_000}, 0, "width: .*5000"),
        ({"width": 64}, 0, "weights take .* bytes, and the set has 6,216: use a smaller width"),
    ],
)
def test_what_a_decoder_cannot_do(change, native, message):
    with pytest.raises(UserError, match=message):
        made(parameterisation=replace(SMALL, **change), native=Native(native))


def test_a_run_with_a_decoder_has_no_slices_and_no_native_schedule():
    given = {"dataset": "emodb", "data_root": ".", "parameterisation": {"decoder": "generator"}}
    config = RunConfig.of(None, given)
    found, native = config.build_parameterisation(), config.build_native()
    assert (found.slices, found.numbers, found.labels, native.steps) == (1, "float16", "taught", 0)


def test_under_a_privacy_budget_it_is_made_of_the_same_answers():
    objective, loop = ReleasedMoments(), Loop(steps=2, initialisation="spectrum")
    account = account_of(PrivacyBudget(8.0, 1e-4), objective, loop)
    few = replace(SMALL, decoder_items=2, labels="taught")
    private = distill(
        *(Curator(fake_speech(), Gaussian(account)), objective, "tdnn"),
        ipc=2,
        seed=0,
        loop=loop,
        parameterisation=few,
    )
    planned = with_noise_for(account.budget, plan_of(objective, loop))
    assert private.guarantee is not None
    assert set(private.guarantee.releases) == set(planned)
    assert len(private) == 3 * 2 * 2
