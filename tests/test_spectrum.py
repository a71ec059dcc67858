"""Noise with the spectrum of speech: as the answer says, as far as that can be believed."""

from dataclasses import replace

import pytest
import torch
from fake_speech import EMOTIONS, fake_speech
from torch.nn import functional

from distill.initialisations import INITIALISATIONS
from distill.modulations import coloured_noise
from distill.objectives.objective import Student
from distill.spectrum import BLANKS, LENGTH, SPECTRUM, Spectrum
from evaluation.networks import draw_weights, skeleton
from synth_data.curator import Curator
from synth_data.features import FeatureSpec
from synth_data.randomness import generator

SPEC = FeatureSpec(mels=8, frames=100)
SEEN = Spectrum(SPEC)


def speech(count: int = 400) -> torch.Tensor:
    """Faster than coloured noise, and with bands that vary in opposite ways."""
    noise = coloured_noise(count, SPEC, generator(0, "speech"))
    faster = noise - 0.9 * noise.roll(12, dims=2)
    opposite = torch.linspace(-1, 1, 8)
    heard = (torch.eye(8) + opposite[:, None] * opposite) @ faster
    heard = heard - heard.mean(dim=2, keepdim=True)
    return heard / heard.std(dim=(1, 2), keepdim=True)


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Between directions: how much of an utterance is cut off does not count."""
    one, other = (functional.normalize(each[:-BLANKS], dim=0) for each in (one, other))
    return float((one - other).norm())


def asked(features: torch.Tensor) -> torch.Tensor:
    return SEEN(features).mean(dim=0)


USUAL = asked(coloured_noise(400, SPEC, generator(5, "others")))


def test_what_is_drawn_has_the_spectrum_that_was_asked():
    answer = asked(speech())
    drawn = SEEN.draw(answer, 400, generator(1, "drawn"))
    assert drawn.shape == (400, *SPEC.shape)
    assert torch.allclose(drawn.mean(dim=2), torch.zeros(400, 8), atol=1e-5)
    assert torch.allclose(drawn.std(dim=(1, 2), correction=0), torch.ones(400), atol=1e-5)
    assert distance(asked(drawn), answer) < 0.15 < 3 * 0.15 < distance(USUAL, answer)


@pytest.mark.parametrize("deviation", [3.0, 1e3])
def test_noise_alone_is_not_believed(deviation):
    noise = deviation * torch.randn(SEEN.size, generator=generator(2, "noise"))
    drawn = SEEN.draw(noise, 400, generator(1, "drawn"))
    assert distance(asked(drawn), USUAL) < 0.2


def test_a_noisy_answer_is_believed_as_far_as_it_rises_above_its_noise():
    answer = asked(speech())
    noisy = answer + 0.02 * torch.randn(SEEN.size, generator=generator(3, "noise"))
    drawn = asked(SEEN.draw(noisy, 400, generator(1, "drawn")))
    assert distance(drawn, answer) < 0.5 * distance(USUAL, answer)


def test_an_utterance_is_looked_at_by_itself_and_has_a_length():
    features = torch.cat([1e3 * speech(3), speech(3), torch.zeros(1, *SPEC.shape)])
    seen = SEEN(features)
    assert seen.shape == (7, SEEN.size)
    assert seen.norm(dim=1).max() <= LENGTH + 1e-6
    assert torch.allclose(seen[:3], seen[3:6], atol=1e-6)  # loudness does not count
    assert torch.allclose(SEEN(features[4:5])[0], seen[4], atol=1e-6)
    assert not seen[:, -BLANKS:].any()


@pytest.mark.parametrize(
    "spec",
    [
        FeatureSpec(),
        FeatureSpec(mels=15, frames=7),
        FeatureSpec(mels=3, frames=2),
        FeatureSpec(window=0.032, hop=0.016, frames=373),
        FeatureSpec(mels=2, hop=0.1, frames=20),
    ],
)
def test_any_recipe(spec):
    spectrum = Spectrum(spec)
    answer = spectrum(torch.randn(5, *spec.shape)).mean(dim=0)
    assert answer.shape == (spectrum.size,)
    drawn = spectrum.draw(answer, 2, generator(0, "drawn"))
    assert drawn.shape == (2, *spec.shape)
    assert drawn.isfinite().all()


def test_items_that_start_so_ask_one_question():
    real = fake_speech((12,) * len(EMOTIONS), spec=SPEC)
    real = replace(real, features=speech(len(real)))
    network = skeleton("tdnn", SPEC.mels, len(EMOTIONS))
    student = Student(network, draw_weights(network, generator(0, "start")))

    def begun(seed: int) -> torch.Tensor:
        door = Curator(real)
        way = INITIALISATIONS["spectrum"]
        items, noisy = way.begin(door, student, 40, generator(seed, "candidate"))
        assert dict(door.questions) == {SPECTRUM: 1} == {one.purpose: 1 for one in way.releases}
        assert not noisy.any()
        return items

    assert len(begun(0)) == 40 * len(EMOTIONS)
    assert torch.equal(begun(0), begun(0))
    assert not torch.equal(begun(0), begun(1))
    assert distance(asked(begun(0)), asked(real.features)) < 0.25
