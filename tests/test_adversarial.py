"""The adversarial disentangler: its schedule, its terms, and what is left of the toy speakers."""

from dataclasses import replace

import pytest
import torch
from fake_speech import SPEC, fake_speech
from torch.nn import functional

from distill.disentangle.adversarial import (
    Adversarial,
    _adversary,
    _features,
    _fourier,
    _Game,
    _told,
    reversal,
)
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.real import RealSet
from synth_data.transforms.re_render import encode

ENCODER = ("first", "second", "third", "emotion", "content")
SMALL = Adversarial(content=2, voice=4, width=16, steps=2)


def test_the_reversal_grows_as_it_was_published():
    """Ganin and Lempitsky 2015, equation 14: 2 / (1 + exp(-10 p)) - 1."""
    assert reversal(0.0) == 0.0
    assert reversal(0.1) == pytest.approx(0.46212, abs=1e-5)
    assert reversal(1.0) == pytest.approx(0.99991, abs=1e-5)
    values = [reversal(step / 20) for step in range(21)]
    assert values == sorted(values)


def gradients(settings: Adversarial, **game) -> dict[str, torch.Tensor]:
    """Of one step's loss, under a strength."""
    real = fake_speech((8, 8, 8))
    draws = torch.Generator().manual_seed(0)
    weights = settings._drawn(SPEC.mels, 3, 3, draws)
    at = {name: weight.requires_grad_() for name, weight in weights.items()}
    who = torch.eye(3)[torch.arange(len(real)) % 3]
    play = _Game(settings, torch.ones(3), torch.full((3,), 1 / 3), **game)
    loss = play.loss(at, real.features, torch.cat([real.targets, who], dim=1)).mean()
    return dict(zip(at, torch.autograd.grad(loss, list(at.values())), strict=True))


def test_the_adversary_is_moved_by_its_own_loss_alone():
    """Its gradient is the same however strongly the encoder plays against it."""
    calm, strong = gradients(SMALL), gradients(SMALL, strength=5.0)
    for name in calm:
        same = torch.equal(calm[name], strong[name])
        assert same == (name.split(".")[0] not in ENCODER), name


def test_the_reversal_climbs_what_the_adversary_descends():
    """Alone, its pull on the encoder is minus that of the adversary's loss."""
    settings = replace(SMALL, against="reversal")
    pull = {
        n: b - a
        for (n, a), b in zip(
            gradients(settings).items(), gradients(settings, strength=1.0).values(), strict=True
        )
    }
    real = fake_speech((8, 8, 8))
    weights = settings._drawn(SPEC.mels, 3, 3, torch.Generator().manual_seed(0))

    layer = weights["emotion.weight"].requires_grad_()
    guess = _adversary(weights, _told(*encode(weights, real.features)))
    loss = functional.cross_entropy(guess, torch.arange(len(real)) % 3)
    (down,) = torch.autograd.grad(loss, [layer])
    assert torch.allclose(pull["emotion.weight"], -down, atol=1e-6)
    assert down.abs().max() > 1e-4


def test_what_is_said_is_learned_from_how_it_can_be_said():
    """The decoder's loss reaches the layer of content, which nothing else here asks anything."""
    assert gradients(SMALL)["content.weight"].abs().max() > 1e-6
    assert "content.weight" not in gradients(replace(SMALL, content=0))


def test_the_decoder_leaves_the_emotions_to_the_emotion():
    """However sharply they are said, its loss does not reach the layer that hears them."""
    alone = replace(SMALL, content=0)
    mild, sharp = gradients(alone), gradients(replace(alone, sharpness=30.0))
    assert torch.equal(mild["emotion.weight"], sharp["emotion.weight"])
    assert not torch.equal(mild["spread.weight"], sharp["spread.weight"])


def test_hsic_by_parts_is_the_slope_of_the_whole():
    """With moments of the same utterances, that of |mean of features times speakers|^2."""
    settings = replace(SMALL, hsic=1.0)
    real = fake_speech((8, 8, 8))
    fourier = _fourier(3, settings.content, torch.Generator().manual_seed(1))
    who = torch.eye(3)[torch.arange(len(real)) % 3]

    def coupling(weights):
        found = _features(fourier, _told(*encode(weights, real.features)))
        return (found[:, :, None] * (who - 1 / 3)[:, None, :]).mean(dim=0)

    weights = settings._drawn(SPEC.mels, 3, 3, torch.Generator().manual_seed(0))
    layer = weights["emotion.weight"].requires_grad_()
    (slope,) = torch.autograd.grad(coupling(weights).square().sum(), [layer])
    pull = gradients(settings, coupled=(fourier, coupling(weights).detach()))["emotion.weight"]
    assert torch.allclose(pull - gradients(settings)["emotion.weight"], slope, atol=1e-6)
    assert slope.abs().max() > 1e-5


def test_vclub_is_how_much_likelier_the_speaker_is_than_speakers_in_general():
    """Cheng et al. 2020: the mean of log q(y|x) less that under the marginal of y."""
    pull = {
        name: with_it - without
        for (name, without), with_it in zip(
            gradients(SMALL).items(), gradients(replace(SMALL, club=1.0)).values(), strict=True
        )
    }
    real = fake_speech((8, 8, 8))
    weights = SMALL._drawn(SPEC.mels, 3, 3, torch.Generator().manual_seed(0))
    layer = weights["emotion.weight"].requires_grad_()
    guess = functional.log_softmax(_adversary(weights, _told(*encode(weights, real.features))), 1)
    who = torch.arange(len(real)) % 3
    bound = (guess[torch.arange(len(real)), who] - guess.mean(dim=1)).mean()
    (slope,) = torch.autograd.grad(bound, [layer])
    assert torch.allclose(pull["emotion.weight"], slope, atol=1e-6)
    assert slope.abs().max() > 1e-5


@pytest.mark.parametrize(
    "term", [{"club": 1.0}, {"hsic": 1.0}, {"against": "reversal", "strength": 3.0}]
)
def test_no_term_of_the_encoder_moves_the_adversary(term):
    fourier = _fourier(3, SMALL.content, torch.Generator().manual_seed(1))
    coupling = torch.ones(128, 3)
    with_it = gradients(replace(SMALL, **term), strength=3.0, coupled=(fourier, coupling))
    calm = gradients(SMALL)
    for name in calm:
        if name.startswith("adversary"):
            assert torch.equal(with_it[name], calm[name]), name
    assert not torch.equal(with_it["emotion.weight"], calm["emotion.weight"])


def test_a_width_that_cannot_be_normalised_in_groups():
    with pytest.raises(UserError, match="a multiple of 8 and 8 frames or more; found 12"):
        Adversarial(width=12).fit(Curator(fake_speech()))


def test_a_single_speaker():
    real: RealSet = fake_speech()
    alone = real.select([row for row, s in enumerate(real.speakers) if s == real.speakers[0]])
    with pytest.raises(UserError, match=r"adversarial takes out how speakers differ.*found 1"):
        Adversarial().fit(Curator(alone))
