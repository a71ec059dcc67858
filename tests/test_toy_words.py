"""The toy corpus with words sounds the same every time, and each dimension is where it was put."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from jaxtyping import Float
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from evaluation.concordance import ccc
from synth_data.corpora.toy import TOY
from synth_data.corpora.toy_words import (
    EMOTIONS,
    FORMANTS,
    HIGHEST,
    LOWEST,
    MIDDLE,
    TOY_WORDS,
    WORDS,
    Spoken,
    toy_word_utterances,
    valence_of,
)
from synth_data.features import FEATURES
from synth_data.folds import Fold
from synth_data.utterance import Utterance

RATE = 16_000
PLEASANT, NEUTRAL, UNPLEASANT = (
    [word for word, valence in WORDS.items() if valence == wanted]
    for wanted in (HIGHEST, MIDDLE, LOWEST)
)


@pytest.fixture(scope="module")
def corpus() -> list[Utterance]:
    return TOY_WORDS.read(None, False)


@pytest.fixture(scope="module")
def waveforms(corpus: list[Utterance]) -> list[Tensor]:
    return [utterance.audio.waveform(RATE) for utterance in corpus]


@pytest.fixture(scope="module")
def truth(corpus: list[Utterance]) -> Float[np.ndarray, "n 3"]:
    return np.array([[u.valence, u.activation, u.dominance] for u in corpus])


@pytest.fixture(scope="module")
def fold(corpus: list[Utterance]) -> Fold:
    return next(iter(TOY_WORDS.protocols.values())).folds(corpus)[0]


def spoken(utterance: Utterance) -> Spoken:
    assert isinstance(utterance.audio, Spoken)
    return utterance.audio


def test_pleasant_and_unpleasant_words_differ_in_order_alone() -> None:
    """In no vowel, no place of one, and no two next to each other; in the first and the last."""
    assert len(PLEASANT) == len(NEUTRAL) == len(UNPLEASANT) == 10
    for word in WORDS:
        assert (word[0], word[2], word[4]) == ("s", "l", "l")
        assert set(word[1::2]) <= set(FORMANTS)

    def counted(words: list[str], what) -> Counter:
        return Counter(found for word in words for found in what(word[1::2]))

    assert counted(PLEASANT, enumerate) == counted(UNPLEASANT, enumerate)
    in_step = [
        counted(words, lambda vowels: enumerate(pairwise(vowels)))
        for words in (PLEASANT, UNPLEASANT)
    ]
    assert in_step[0] == in_step[1]
    ends = [{(word[1], word[5]) for word in words} for words in (PLEASANT, UNPLEASANT)]
    assert not ends[0] & ends[1]


def test_balanced(corpus: list[Utterance], fold: Fold) -> None:
    cells = Counter((utterance.speaker, utterance.emotion) for utterance in corpus)
    assert len(cells) == TOY_WORDS.speakers * len(TOY_WORDS.emotions)
    assert len(set(cells.values())) == 1
    assert Counter(utterance.emotion for utterance in corpus) == TOY_WORDS.counts
    assert len({utterance.name for utterance in corpus}) == len(corpus)
    for side in (fold.train, fold.validation, fold.test):
        genders = Counter(corpus[row].gender for row in side)
        assert genders["female"] == genders["male"] > 0


def test_numbers_are_what_they_are_said_to_be(
    corpus: list[Utterance], truth: Float[np.ndarray, "n 3"]
) -> None:
    for utterance, (valence, activation, _) in zip(corpus, truth, strict=True):
        words = tuple(str(utterance.text).split())
        assert words == spoken(utterance).words
        assert valence == valence_of(words) != MIDDLE
        assert EMOTIONS[utterance.emotion] == (valence > MIDDLE, activation > MIDDLE)
    assert truth.min() >= LOWEST
    assert truth.max() <= HIGHEST
    valence, activation, dominance = range(3)
    together = np.corrcoef(truth.T)
    assert abs(together[valence, activation]) < 0.05
    assert abs(together[valence, dominance]) < 0.1
    assert 0.6 < together[activation, dominance] < 0.8  # the other half is the pitch


def test_waveforms_are_sound(
    corpus: list[Utterance], waveforms: list[Tensor], truth: Float[np.ndarray, "n 3"]
) -> None:
    for utterance, waveform in zip(corpus, waveforms, strict=True):
        assert waveform.dtype == torch.float32
        assert torch.isfinite(waveform).all()
        assert 0.05 < waveform.abs().max() <= 0.95
        assert 0.85 < len(waveform) / RATE < 2.0
        syllables = [span for word in spoken(utterance).spans() for span in word]
        times = [time for span in syllables for time in span]
        assert np.diff(times).min() > -1e-9
        assert times[0] == 0
        assert times[-1] < len(waveform) / RATE
    levels = [float(waveform.square().mean().log()) for waveform in waveforms]
    assert np.corrcoef(levels, truth[:, 1])[0, 1] > 0.7


def test_same_bits_every_time(corpus: list[Utterance], waveforms: list[Tensor]) -> None:
    again = toy_word_utterances()
    assert again == corpus
    assert all(torch.equal(again[row].audio.waveform(RATE), waveforms[row]) for row in (0, 99, 895))


def test_a_larger_corpus_begins_with_the_smaller() -> None:
    larger = {utterance.name: utterance for utterance in toy_word_utterances(20, 3)}
    smaller = toy_word_utterances(3, 2)
    assert len(smaller) == 3 * 2 * len(EMOTIONS)
    assert all(larger[utterance.name] == utterance for utterance in smaller)


def test_another_seed_is_of_other_people(corpus: list[Utterance]) -> None:
    others = {spoken(utterance).voice for utterance in toy_word_utterances(16, 1, seed=9)}
    assert len(others) == 16
    assert not others & {spoken(utterance).voice for utterance in corpus}
    assert not others & {utterance.audio.voice for utterance in TOY.read(None, False)}


def test_frozen_sound() -> None:
    """If this fails on purpose, raise `SYNTHESIS`, or cached features of the old sound stay."""
    waveform = toy_word_utterances(1, 1)[0].audio.waveform(RATE)
    loudness = waveform[: len(waveform) // 8 * 8].reshape(8, -1).square().mean(dim=1).sqrt()
    frozen = torch.tensor([0.0777, 0.0429, 0.0344, 0.037, 0.0727, 0.0479, 0.0398, 0.0413])
    torch.testing.assert_close(loudness, frozen, rtol=0, atol=1e-4)


def test_digests_tell_every_factor_apart(corpus: list[Utterance]) -> None:
    assert len({utterance.audio.digest() for utterance in corpus}) == len(corpus)
    voice = spoken(corpus[0])
    changed = [
        replace(voice, words=voice.words[::-1]),
        replace(voice, voice=spoken(corpus[-1]).voice),
        replace(voice, expression=replace(voice.expression, tilt=-1.0)),
        replace(voice, level=-20.0),
        replace(voice, seed=(1,)),
    ]
    assert len({source.digest() for source in [voice, *changed]}) == 6
    assert replace(voice).digest() == voice.digest()


def test_energy_is_easily_heard_and_words_are_not(
    waveforms: list[Tensor], truth: Float[np.ndarray, "n 3"], fold: Fold
) -> None:
    """The mean, deviation and change of each log-mel band tell activation, and no valence."""
    features = torch.stack([FEATURES["logmel64"](waveform) for waveform in waveforms])
    change = features.diff(dim=2).abs().mean(dim=2)
    heard = torch.cat([features.mean(dim=2), features.std(dim=2), change], dim=1).numpy()
    valence, activation, dominance = told(heard, truth, fold)
    assert valence < 0.2
    assert activation > 0.65
    assert dominance > 0.5


def test_transcripts_tell_valence_alone(
    corpus: list[Utterance], truth: Float[np.ndarray, "n 3"], fold: Fold
) -> None:
    texts = [str(utterance.text).split() for utterance in corpus]
    counts = np.array([[text.count(word) for word in WORDS] for text in texts], dtype=float)
    valence, activation, dominance = told(counts, truth, fold)
    assert valence > 0.98
    assert abs(activation) < 0.15
    assert abs(dominance) < 0.15


def told(
    heard: Float[np.ndarray, "n number"], truth: Float[np.ndarray, "n 3"], fold: Fold
) -> list[float]:
    """CCC on the test speakers of a ridge regression."""
    train, test = list(fold.train), list(fold.test)
    ridge = make_pipeline(StandardScaler(), Ridge(10.0)).fit(heard[train], truth[train])
    return ccc(truth[test], ridge.predict(heard[test])).tolist()
