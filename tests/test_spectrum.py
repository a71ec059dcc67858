"""Noise with the spectrum of speech: as the answer says, as far as that can be believed."""

from dataclasses import replace

import pytest
import torch
from fake_speech import EMOTIONS, TASK, fake_speech
from torch.nn import functional

from distill.initialisations import INITIALISATIONS
from distill.modulations import coloured_noise
from distill.objectives.objective import Student
from distill.spectrum import BLANKS, LENGTH, SPECTRUM, Spectrum
from evaluation.networks import draw_weights, skeleton
from synth_data.curator import Curator
from synth_data.features import FEATURES, FeatureSpec
from synth_data.mechanism import Exact
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


def fast(count: int, spec: FeatureSpec) -> torch.Tensor:
    """Noise whose energy is alike at all rates."""
    return torch.randn(count, *spec.shape, generator=generator(4, "fast"))


@pytest.mark.parametrize("frames", [96, 100])  # an even and an odd number of looks
def test_each_rate_is_as_strong_as_was_asked(frames):
    spec = replace(SPEC, frames=frames)
    seen = Spectrum(spec)
    white = functional.avg_pool1d(fast(600, spec), 4).repeat_interleave(4, dim=2)
    answer = seen(white - white.mean(dim=2, keepdim=True)).mean(dim=0)
    drawn = seen(seen.draw(answer, 600, generator(1, "drawn"))).mean(dim=0)
    (_, wanted), (_, found) = seen.believed(answer), seen.believed(drawn)
    assert torch.allclose(found[1:] / wanted[1:], torch.ones(len(wanted) - 1), atol=0.15)


def far(noisy: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """How far believed covariances are from those without noise, relative to coloured noise."""
    believed, exact, usual = (SEEN.believed(each)[0] for each in (noisy, truth, USUAL))
    return (believed - exact).norm(dim=(1, 2)) / (usual - exact).norm(dim=(1, 2))


@pytest.mark.parametrize(
    ("deviation", "median", "worst"), [(0.005, 0.5, 0.7), (0.03, 1.0, 1.6), (0.3, 1.0, 1.0)]
)
def test_noise_does_not_lead_further_astray_than_coloured_noise(deviation, median, worst):
    answer = asked(speech())
    found = torch.stack(
        [
            far(answer + deviation * torch.randn(SEEN.size, generator=generator(seed, "n")), answer)
            for seed in range(20)
        ]
    )
    assert found.median(dim=0).values.max() < median
    assert found.max() < worst


@pytest.mark.parametrize("deviation", [1e-3, 0.1, 3.0, 1e2, 1e4])
@pytest.mark.parametrize("spec", [SPEC, FEATURES["logmel64-short"]])
def test_whatever_the_answer_is_something_can_be_drawn(deviation, spec):
    seen = Spectrum(spec)
    for seed in range(8):
        noise = deviation * torch.randn(seen.size, generator=generator(seed, "noise"))
        drawn = seen.draw(noise, 2, generator(1, "drawn"))
        assert drawn.isfinite().all()
        covariances, energies = seen.believed(noise)
        assert torch.allclose(energies.sum(), torch.tensor(1.0))
        assert torch.linalg.eigvalsh(covariances).min() > 0


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


def test_items_that_start_so_ask_one_question(monkeypatch):
    real = fake_speech((12,) * len(EMOTIONS), spec=SPEC)
    real = replace(real, features=speech(len(real)))
    network = skeleton("tdnn", SPEC.mels, len(EMOTIONS))
    student = Student(network, draw_weights(network, generator(0, "start")), TASK)

    bounds = []
    answered = Exact.means

    def means(self, real, statistic, question):
        bounds.append(question.bound)
        return answered(self, real, statistic, question)

    monkeypatch.setattr(Exact, "means", means)

    def begun(seed: int) -> torch.Tensor:
        door = Curator(real)
        way = INITIALISATIONS["spectrum"]
        items, _, noisy = way.begin(door, student, 40, generator(seed, "candidate"))
        assert dict(door.questions) == {SPECTRUM: 1} == {one.purpose: 1 for one in way.releases}
        assert not noisy.any()
        return items

    assert len(begun(0)) == 40 * len(EMOTIONS)
    assert torch.equal(begun(0), begun(0))
    assert not torch.equal(begun(0), begun(1))
    assert distance(asked(begun(0)), asked(real.features)) < 0.25
    assert set(bounds) == {LENGTH}  # by which noise is measured
