"""The toy corpus sounds the same every time, has known factors, and is as hard as it was made."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn.functional import one_hot

from evaluation import metrics, networks, students
from synth_data.corpora.toy import EMOTIONS, TOY, draw_voice, toy_utterances
from synth_data.corpora.toy_speech import ToyVoice
from synth_data.features import FEATURES
from synth_data.folds import Fold
from synth_data.utterance import Utterance

RATE = 16_000


@pytest.fixture(scope="module")
def corpus() -> list[Utterance]:
    return TOY.read(None, False)


@pytest.fixture(scope="module")
def waveforms(corpus: list[Utterance]) -> list[Tensor]:
    return [utterance.audio.waveform(RATE) for utterance in corpus]


@pytest.fixture(scope="module")
def targets(corpus: list[Utterance]) -> Int[np.ndarray, " n"]:
    return np.array([EMOTIONS.index(utterance.emotion) for utterance in corpus])


@pytest.fixture(scope="module")
def fold(corpus: list[Utterance]) -> Fold:
    """The default protocol's first."""
    return next(iter(TOY.protocols.values())).folds(corpus)[0]


def toy_voice(utterance: Utterance) -> ToyVoice:
    assert isinstance(utterance.audio, ToyVoice)
    return utterance.audio


def test_balanced(corpus: list[Utterance], fold: Fold) -> None:
    cells = Counter((utterance.speaker, utterance.emotion) for utterance in corpus)
    assert len(cells) == TOY.speakers * len(TOY.emotions)
    assert len(set(cells.values())) == 1
    assert Counter(utterance.emotion for utterance in corpus) == TOY.counts
    assert len({utterance.name for utterance in corpus}) == len(corpus)
    for side in (fold.train, fold.validation, fold.test):
        genders = Counter(corpus[row].gender for row in side)
        assert genders["female"] == genders["male"] > 0
    pairs = {(u.session, u.speaker) for u in corpus}
    assert set(Counter(session for session, _ in pairs).values()) == {2}


@pytest.mark.slow
def test_waveforms_are_sound(waveforms: list[Tensor]) -> None:
    for waveform in waveforms:
        assert waveform.dtype == torch.float32
        assert torch.isfinite(waveform).all()
        assert 0.1 < waveform.abs().max() <= 0.95
        assert 0.8 < len(waveform) / RATE < 1.6


def test_same_bits_every_time(corpus: list[Utterance], waveforms: list[Tensor]) -> None:
    again = toy_utterances()
    assert again == corpus
    assert all(torch.equal(again[row].audio.waveform(RATE), waveforms[row]) for row in (0, 99, 639))


def test_a_larger_corpus_begins_with_the_smaller() -> None:
    larger = {utterance.name: utterance for utterance in toy_utterances(20, 3)}
    smaller = toy_utterances(3, 2)
    assert len(smaller) == 3 * 2 * len(EMOTIONS)
    assert all(larger[utterance.name] == utterance for utterance in smaller)


def test_frozen_sound() -> None:
    """If this fails on purpose, raise `SYNTHESIS`, or cached features of the old sound stay."""
    waveform = toy_utterances(1, 1)[0].audio.waveform(RATE)
    loudness = waveform.reshape(8, -1).square().mean(dim=1).sqrt()
    frozen = torch.tensor([0.0574, 0.0438, 0.0364, 0.0609, 0.0297, 0.0203, 0.0116, 0.0082])
    assert len(waveform) == 24_000
    torch.testing.assert_close(loudness, frozen, rtol=0, atol=1e-4)


def test_resampled_on_request(corpus: list[Utterance], waveforms: list[Tensor]) -> None:
    assert abs(len(corpus[0].audio.waveform(8_000)) - len(waveforms[0]) / 2) <= 1


def test_digests_tell_every_factor_apart(corpus: list[Utterance]) -> None:
    assert len({utterance.audio.digest() for utterance in corpus}) == len(corpus)
    voice = toy_voice(corpus[0])
    louder = replace(voice.expression, energy_slope=voice.expression.energy_slope + 1)
    changed = [
        replace(voice, voice=draw_voice(1)),
        replace(voice, expression=louder),
        replace(voice, seed=(1,)),
    ]
    assert len({source.digest() for source in [voice, *changed]}) == 4
    assert replace(voice).digest() == voice.digest()


def test_swapped_voice_keeps_the_expression(
    corpus: list[Utterance], waveforms: list[Tensor]
) -> None:
    """The speaker probe follows the voice; the loudness contour, which is expression, stays."""
    probe = speaker_probe().fit(
        [long_term_spectrum(w) for w in waveforms], [u.speaker for u in corpus]
    )
    donors = sorted({u.speaker for u in corpus})
    heard = []
    for row in range(0, len(corpus), 37):
        utterance = corpus[row]
        donor = donors[(donors.index(utterance.speaker) + 5) % len(donors)]
        donated = next(toy_voice(u).voice for u in corpus if u.speaker == donor)
        swapped = replace(toy_voice(utterance), voice=donated)
        assert swapped.expression == toy_voice(utterance).expression
        waveform = swapped.waveform(RATE)
        heard.append(probe.predict([long_term_spectrum(waveform)])[0] == donor)
        contours = np.corrcoef(energy_contour(waveform), energy_contour(waveforms[row]))
        assert contours[0, 1] > 0.7
    assert np.mean(heard) >= 0.8


def test_speakers_are_easily_told_apart(corpus: list[Utterance], waveforms: list[Tensor]) -> None:
    spectra = np.stack([long_term_spectrum(waveform) for waveform in waveforms])
    speakers = np.array([utterance.speaker for utterance in corpus])
    fitted = np.arange(len(corpus)) // len(EMOTIONS) % 2 == 0
    probe = speaker_probe().fit(spectra[fitted], speakers[fitted])
    assert probe.score(spectra[~fitted], speakers[~fitted]) >= 0.90


@pytest.mark.slow
def test_difficulty(waveforms: list[Tensor], targets: Int[np.ndarray, " n"], fold: Fold) -> None:
    """On unseen speakers: within reach of a student, out of reach of energy alone."""
    student = student_uar(waveforms, targets, fold)
    energy = energy_uar(waveforms, targets, fold)
    assert 0.60 <= student <= 0.85
    assert 1 / len(EMOTIONS) + 0.05 < energy <= student - 0.15


def student_uar(
    waveforms: list[Tensor], targets: Int[np.ndarray, " n"], fold: Fold
) -> Float[np.ndarray, ""]:
    spec = FEATURES["logmel64"]
    features = torch.stack([spec(waveform) for waveform in waveforms])
    rows = list(fold.train)
    network = networks.skeleton("tdnn", spec.mels, len(EMOTIONS))
    generator = torch.Generator().manual_seed(0)
    recipe = students.Recipe()
    weights = students.train(
        network,
        networks.draw_weights(network, generator),
        students.Examples(
            features[rows], one_hot(torch.from_numpy(targets[rows]), len(EMOTIONS)).float()
        ),
        recipe,
        recipe.settings[0],
        generator,
    )
    test = list(fold.test)
    predicted = students.predict(network, weights, features[test])
    return uar(targets[test], predicted.numpy())


def energy_uar(
    waveforms: list[Tensor], targets: Int[np.ndarray, " n"], fold: Fold
) -> Float[np.ndarray, ""]:
    """The best of energy's contour: distribution, trend, speed, modulation and duration."""
    statistics = np.stack([energy_statistics(waveform) for waveform in waveforms])
    train, test = list(fold.train), list(fold.test)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    probe.fit(statistics[train], targets[train])
    return uar(targets[test], probe.predict(statistics[test]))


def uar(truth: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"]) -> Float[np.ndarray, ""]:
    return metrics.uar(metrics.confusion(truth.tolist(), predicted.tolist(), len(EMOTIONS)))


def energy_contour(waveform: Tensor) -> Float[np.ndarray, " step"]:
    """In dB, every 10 ms."""
    frames = waveform.numpy()[: len(waveform) // 160 * 160].reshape(-1, 160)
    return 10 * np.log10((frames**2).mean(axis=1) + 1e-7)


def energy_statistics(waveform: Tensor) -> Float[np.ndarray, " statistic"]:
    contour = energy_contour(waveform)
    time = np.arange(len(contour)) / 100
    slope, start = np.polyfit(time, contour, 1)
    power = np.abs(np.fft.rfft(contour - slope * time - start, 256)) ** 2
    frequency = np.fft.rfftfreq(256, 0.01)
    edges = [0.5, 2, 3, 4, 5, 6, 8, 12, 20]  # Hz: syllables come at 3 to 6
    modulation = [
        np.log(power[(low <= frequency) & (frequency < high)].sum())
        for low, high in pairwise(edges)
    ]
    percentiles = np.percentile(contour - contour.mean(), [5, 25, 50, 75, 95])
    speed = np.abs(np.diff(contour)).mean()
    shape = [contour.mean(), contour.std(), np.ptp(contour), slope, speed, len(contour)]
    return np.array([*shape, *percentiles, *modulation])


def long_term_spectrum(waveform: Tensor) -> Float[np.ndarray, " statistic"]:
    """Mean and deviation of each band of a log-mel that was not normalised."""
    spec = replace(FEATURES["logmel64-training"], frames=len(waveform) // 160)
    log_mel = spec(waveform)
    return torch.cat([log_mel.mean(dim=1), log_mel.std(dim=1)]).numpy()


def speaker_probe() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
