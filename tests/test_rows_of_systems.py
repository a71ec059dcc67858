"""Rows of a table of systems: pooled as sets are, with the intervals of sets."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from evaluation.concordance import ccc
from evaluation.intervals import correlation_interval, speaker_weights
from evaluation.systems.report import table
from evaluation.systems.rows import LOW_LEVEL, Fold, Run, rows_of


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _fold(number: int, speakers: list[str], said: Tensor, truth: Tensor) -> Fold:
    run = Run(LOW_LEVEL, 0, "speech", 10, 0, 40, 60.0, 0.5, said.tolist())
    taught = replace(run, model="distilled student", teachers=100, said=truth.tolist())
    names = [f"{number}-{n}" for n in range(len(speakers))]
    return Fold(number, ["valence"], names, speakers, truth.tolist(), [run, taught], [])


def test_folds_are_pooled_utterance_by_utterance():
    said, truth = (torch.randn(12, 1, generator=draws(n)).double() for n in (0, 1))
    said = said + truth
    folds = [
        _fold(1, ["a", "b", "c"] * 2, said[:6], truth[:6]),
        _fold(2, ["d", "e", "f"] * 2, said[6:], truth[6:]),
    ]
    plain, taught = rows_of("representation", folds)
    assert plain.fold == "all"
    assert plain.mean == pytest.approx(float(ccc(truth.numpy(), said.numpy())[0]))
    assert plain.interval is not None
    assert plain.interval[0] < plain.mean < plain.interval[1]
    assert taught.mean == pytest.approx(1.0)
    assert taught.relative == pytest.approx(1 / plain.mean)
    assert taught.fraction == pytest.approx(0.1)
    assert [row.fold for row in rows_of("representation", folds, pooled=False)] == [1, 1, 2, 2]


def test_intervals_are_those_of_sets():
    said, truth = (torch.randn(40, 1, generator=draws(n)).double() for n in (0, 1))
    fold = _fold(1, list("abcde") * 8, 0.3 * said + truth, truth)
    plain, _ = rows_of("representation", [fold])
    values = []
    for weights in speaker_weights(5, np.random.default_rng(0)):
        rows = np.repeat(np.arange(40), np.tile(weights, 8))
        values.append(ccc(truth.numpy()[rows], np.array(fold.runs[0].said)[rows])[0])
    expected = correlation_interval(np.array(values), 5)
    np.testing.assert_allclose(plain.interval, expected, rtol=1e-6)
    low, high = plain.interval
    assert plain.mean - low > high - plain.mean  # as on the scale of Fisher's z


def test_what_differs_between_folds_is_a_mean():
    said, truth = (torch.randn(6, 1, generator=draws(n)).double() for n in (0, 1))
    first = _fold(1, list("abcabc"), said, truth)
    wider = [replace(run, parameters=31, teachers=2 * run.teachers, bytes=60) for run in first.runs]
    wider[1] = replace(wider[1], speech_teacher=50)
    plain, taught = rows_of("representation", [first, replace(first, fold=2, runs=wider)])
    assert (taught.parameters, taught.bytes) == (20, 50)
    assert taught.fraction == pytest.approx((10 / 100 + 31 / 200) / 2)
    assert taught.of_speech == pytest.approx(31 / 50)
    assert plain.fraction is None
    assert plain.of_speech is None
    assert "| 12.8% (62.0% of speech's) |" in table([plain, taught])
