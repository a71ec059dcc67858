"""Both kinds of distillation together: sets in an encoder's representation, taught by a teacher."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from commands import Command, run_here, small_config
from scripts import script
from small_teachers import save_speech, save_text, small_corpus
from test_distill_model_command import AUDIO_TEXTUAL, QUICK, REPRESENTATION

from evaluation.systems import cli
from evaluation.systems.fitting import Recipe
from evaluation.systems.taught_set import teach as teach_set
from evaluation.systems.tc_gru import Size
from synth_data.console import run
from synth_data.corpora import CORPORA
from synth_data.synthetic import SyntheticSet

pytest.importorskip("transformers")


@pytest.fixture
def teach(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    script_of = script("teach_a_set")
    quick = partial(teach_set, size=Size(8, 8, 8), recipe=Recipe(epochs=2, batch=8))
    monkeypatch.setattr(script_of, "teach", quick)
    return lambda *words: run_here(lambda: run(script_of.app), words, monkeypatch, capsys)


def test_sets_in_an_encoders_representation_stand_side_by_side(
    distill_data: Command,
    evaluate_data: Command,
    teach: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path / "cache" / "features"))
    corpus = small_corpus()  # whose scale is open here, as that of a table is
    monkeypatch.setitem(CORPORA, "toy-words", replace(corpus, scales=(corpus.scale,)))
    speech, plain, taught = (tmp_path / name for name in ("speech", "plain", "taught"))
    save_speech(speech)
    of_words = ("--dataset", "toy-words")
    made = distill_data(
        *(*of_words, "--task", "dimensional", "--feature", f"hubert:{speech},pool=sequence"),
        *("--fold", 1, "--config", small_config(tmp_path), "--native-steps", 0, "--out", plain),
        *("--scale=-9,9", "--dimension-weights", "2,1,1"),  # by which the teacher is to learn
    )
    assert made.code == 0, made.err

    given = ("--run", plain, *of_words, "--encoder", speech)
    done = teach(*given, "--out", taught)
    assert done.code == 0, done.err
    before, after = (SyntheticSet.load(run / "fold-1" / "set") for run in (plain, taught))
    assert torch.equal(before.features, after.features)
    assert not torch.equal(before.targets, after.targets)
    assert (after.task.scale, after.task.weights) == ((-9, 9), (2, 1, 1))
    assert json.loads((taught / "fold-1" / "cost.json").read_text())["distilling_seconds"] > 0

    text = save_text(tmp_path / "text")
    for system, settings, more in (
        ("representation", REPRESENTATION, ()),  # on all folds
        ("audio-textual", AUDIO_TEXTUAL, ("--text-teacher", text, "--fold", 1)),
    ):
        (tmp_path / "quick.toml").write_text(QUICK + settings)
        words = ("--system", system, *of_words, "--teacher", speech, *more, "--seeds", 1)
        words += ("--scale=-9,9", "--config", tmp_path / "quick.toml", "--out", tmp_path / system)
        modelled = run_here(cli.main, words, monkeypatch, capsys)
        assert modelled.code == 0, modelled.err
    systems = f"{tmp_path / 'representation'},{tmp_path / 'audio-textual'}"

    judged = evaluate_data(
        *(f"plain={plain}", f"taught={taught}", *of_words, "--encoder", speech, "--seeds", 1),
        *("--recipe", plain / "run.toml", "--baselines", "none", "--speech", "none"),
        *("--systems", systems, "--out", tmp_path / "judged", "--json"),
    )
    assert judged.code == 0, judged.err
    report = json.loads(judged.out)
    assert {"plain", "taught", "full"} <= {row["set"] for row in report["rows"]}
    assert {row["fold"] for row in report["systems"]} == {1}  # as the sets are of it alone
    written = (tmp_path / "judged" / "report.md").read_text()
    assert "| representation: distilled student |" in written
    assert "| audio-textual: student audio+text |" in written
    assert any("hear speech through speech, which whoever uses" in one for one in report["notes"])

    of_all = replace(before, provenance=replace(before.provenance, fold=None))
    of_all.save(tmp_path / "of-all")
    refused = teach("--run", tmp_path / "of-all", *given[2:], "--out", tmp_path / "none")
    assert refused.code == 2
    assert "is of all speakers: give a run over folds" in refused.err
