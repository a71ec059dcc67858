"""`distill-data --disentangle`: a frozen transform in the set, and a report that has both."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from commands import Command, small_config
from fake_speech import SPEC, fake_speech
from test_bad_input import EVERYONE, table

from distill.candidate import Parameterisation
from distill.disentangle import DISENTANGLERS
from distill.engine import distill
from distill.objectives import OBJECTIVES
from distill.outer_loop import Loop
from distill.speaker_penalty import SpeakerPenalty
from evaluation.report import Report
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet
from synth_data.transforms import TRANSFORMS

QUICK = {"adversarial": "[disentangler]\nsteps = 3\nwidth = 16\n"}


def speakers(loud: float = 1.5) -> RealSet:
    """Fake speech in which each of four speakers has levels of their own."""
    real = fake_speech((16, 16, 16))
    levels = loud * torch.randn(4, SPEC.mels, 1, generator=torch.Generator().manual_seed(7))
    who = torch.arange(len(real)) % 4
    return replace(
        real,
        features=real.features + levels[who],
        utterances=tuple(
            replace(utterance, speaker=f"speaker-{row % 4}")
            for row, utterance in enumerate(real.utterances)
        ),
    )


@pytest.mark.parametrize("name", DISENTANGLERS)
def test_a_run_and_what_is_said_of_it(name, distill_data: Command, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = Path(small_config(tmp_path))
    config.write_text(config.read_text() + QUICK.get(name, ""))
    root = table(tmp_path / "own", EVERYONE)
    run = ("--config", config, "--dataset", "table", "--data-root", root, "--fold", 1)
    done = distill_data(*run, "--disentangle", name, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "full, distilled" in done.out  # students of all real data who hear the same
    synthetic = SyntheticSet.load(tmp_path / "out" / "fold-1" / "set")
    assert synthetic.transforms[-1].hides_speaker
    assert synthetic.provenance.settings["disentangler"]["name"] == name
    assert f"went through {name} first" in synthetic.provenance.notes[-1]
    report = Report.load(tmp_path / "out" / "report.json")
    assert {"full", "distilled", "full, distilled"} <= {row.set for row in report.rows}
    again = distill_data("--resume", "--out", tmp_path / "out")
    assert again.code == 0, again.err


@pytest.mark.parametrize("name", DISENTANGLERS)
def test_the_table_has_each_under_its_own_name(name):
    assert DISENTANGLERS[name].name == name


@pytest.mark.parametrize("name", DISENTANGLERS)
def test_what_is_fitted_is_in_the_table_of_transforms_and_can_be_stored(name):
    settings = {"steps": 2, "width": 16} if name == "adversarial" else {}
    fitted = DISENTANGLERS[name](**settings).fit(Curator(speakers()))
    again = TRANSFORMS[fitted.name].of(fitted.tensors())
    features = fake_speech().features
    assert torch.equal(again(features), fitted(features))
    assert not torch.equal(fitted(features), features)


@pytest.mark.parametrize("name", DISENTANGLERS)
def test_equal_seeds_give_equal_bits(name):
    settings = {"steps": 2, "width": 16} if name == "adversarial" else {}
    one, other = (DISENTANGLERS[name](**settings).fit(Curator(speakers()), 5) for _ in range(2))
    assert one.tensors().keys() == other.tensors().keys()
    assert all(torch.equal(one.tensors()[key], other.tensors()[key]) for key in one.tensors())


@pytest.mark.parametrize("name", DISENTANGLERS)
def test_a_speaker_with_one_utterance(name):
    """Counts as a speaker, and is heard like everybody."""
    settings = {"steps": 2, "width": 16} if name == "adversarial" else {}
    real = speakers()
    first, *others = real.utterances
    real = replace(real, utterances=(replace(first, speaker="alone"), *others))
    fitted = DISENTANGLERS[name](**settings).fit(Curator(real))
    heard = fitted.on(real.features, real.speakers)
    assert heard.isfinite().all()
    assert heard[0].std() > 1e-3


def made(penalty: float) -> SyntheticSet:
    return distill(
        Curator(speakers()),
        OBJECTIVES["distribution-matching"](starts=1, checkpoints=1, starts_from="random"),
        "tdnn",
        ipc=4,
        seed=0,
        loop=Loop(steps=30, noise=0.0),
        parameterisation=Parameterisation(),
        speaker_penalty=penalty,
    )


def test_a_penalty_keeps_speakers_out_of_the_items():
    measured = SpeakerPenalty.of(Curator(speakers()), 1.0)
    assert measured(speakers().features) == pytest.approx(1.0, abs=1e-3)
    without, with_it = (float(measured(made(weight).features)) for weight in (0.0, 10.0))
    assert with_it < 0.6 * without
    assert made(10.0).provenance.settings["speaker_penalty"] == 10.0


def test_a_penalty_can_be_had_of_more_speakers_than_there_are_directions():
    real = fake_speech((40, 40, 40))  # of 16 bands, so of 32 directions
    crowd = replace(
        real,
        utterances=tuple(
            replace(one, speaker=f"speaker-{row}") for row, one in enumerate(real.utterances)
        ),
    )
    penalty = SpeakerPenalty.of(Curator(crowd), 1.0)
    assert penalty(real.features) == pytest.approx(1.0, abs=1e-3)
    assert round(float(penalty.erase.matrix.trace())) == 16


def test_a_penalty_is_for_speech_as_it_is(distill_data, tmp_path):
    erased = Curator(speakers())
    erased = erased.map(DISENTANGLERS["leace"]().fit(erased))
    with pytest.raises(UserError, match="for sets from speech as it is: after erase-statistics"):
        SpeakerPenalty.of(erased, 1.0)
    words = ("--disentangle", "leace", "--speaker-penalty", 1, "--out", tmp_path / "out")
    refused = distill_data(*words)
    assert refused.code == 2
    assert "Use --speaker-penalty or --disentangle, not both" in refused.err


def test_a_penalty_below_zero_is_refused():
    with pytest.raises(UserError, match="speaker_penalty must be 0 or more; found -1"):
        made(-1.0)
