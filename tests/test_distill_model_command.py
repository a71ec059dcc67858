"""`distill-model`, end to end with small encoders, and what it refuses."""

import json
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from commands import Command, Outcome, run_here
from safetensors.torch import load_file, save_file
from small_teachers import save_speech, save_text, small_corpus

from evaluation.systems import cli, plan, states
from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.rows import LOW_LEVEL, read_run
from evaluation.systems.table import SYSTEMS
from evaluation.systems.text_encoders import TextEncoder
from synth_data.corpora import CORPORA
from synth_data.errors import UserError
from synth_data.protocol import speaker_dependent
from synth_data.utterance import Utterance

QUICK = """\
[settings.recipe]
epochs = 2
batch = 8
"""
REPRESENTATION = """\
[settings.teacher]
channels = 8
states = 8
embedding = 8
[settings.student]
channels = 4
states = 4
embedding = 4
[settings.listening]
steps = 2
"""
AUDIO_TEXTUAL = """\
[settings.speech]
steps = 2
batch = 4
[settings.text]
steps = 2
keep = 1
[settings.beside.recipe]
epochs = 1
"""
OWN = {"representation": REPRESENTATION, "audio-textual": AUDIO_TEXTUAL}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("encoders")
    return save_speech(folder / "speech"), save_text(folder / "text")


@pytest.fixture
def distill_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path / "cache" / "features"))
    monkeypatch.setitem(CORPORA, "toy-words", small_corpus())
    return lambda *words: run_here(cli.main, words, monkeypatch, capsys)


@pytest.fixture
def quick(tmp_path: Path) -> dict[str, Path]:
    files = {}
    for name, own in OWN.items():
        files[name] = tmp_path / f"{name}.toml"
        files[name].write_text(QUICK + own)
    return files


def words(system: str, encoders: tuple[Path, Path], quick: dict[str, Path], out: Path) -> list:
    speech, text = encoders
    both = ["--text-teacher", text] if system == "audio-textual" else []
    return [
        *("--system", system, "--dataset", "toy-words", "--teacher", speech, *both),
        *("--config", quick[system], "--seeds", 1, "--out", out),
    ]


def refused(done: Outcome) -> str:
    assert done.code == 2, done.err
    assert "Traceback" not in done.err
    return done.err


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_leaves_a_table_a_student_and_a_report(
    system, distill_model, encoders, quick, tmp_path
):
    out = tmp_path / "out"
    given = words(system, encoders, quick, out)
    done = distill_model(*given, "--fold", 1)
    assert done.code == 0, done.err
    rows = read_run(out).rows
    assert rows[0].model == LOW_LEVEL
    assert all(list(row.ccc) == ["valence", "activation", "dominance"] for row in rows)
    assert {row.fraction is None for row in rows if row.model.startswith("teacher")} == {True}
    assert rows[-1].fraction is not None
    assert rows[-1].fraction < 1
    assert all(row.raw_speech == "who makes it" for row in rows)
    weights = out / "fold-1" / "student.safetensors"
    manifest = json.loads((out / "fold-1" / "manifest.json").read_text())
    assert manifest["system"] == system
    assert sum(each.nbytes for each in load_file(weights).values()) == rows[-1].bytes
    assert "folds 1 of 3" in done.out
    assert LOW_LEVEL in (out / "report.md").read_text()

    made = weights.stat().st_mtime_ns
    again = distill_model(*given, "--json", "--fold", 2)  # goes on: the first is not made again
    assert again.code == 0, again.err
    assert weights.stat().st_mtime_ns == made
    assert json.loads(again.out)["rows"][0]["system"] == system
    assert (out / "fold-2" / "result.json").is_file()


def test_a_dry_run_says_what_it_takes_and_writes_nothing(distill_model, encoders, quick, tmp_path):
    given = words("audio-textual", encoders, quick, tmp_path / "out")
    done = distill_model(*given, "--dry-run")
    assert done.code == 0, done.err
    assert "3 folds" in done.out.splitlines()[0]
    assert "[settings.text]\nkeep = 1\n" in done.out
    assert "for the teachers to listen to" in done.out
    assert "1 of each model on each fold (to do: 1, 2, 3)" in done.out
    told = json.loads(distill_model(*given, "--dry-run", "--json").out)
    assert told["plan"]["folds"] == [1, 2, 3]
    assert told["plan"]["listening"] > 0
    assert told["settings"]["text"]["keep"] == 1
    assert not (tmp_path / "out").exists()


def test_the_estimate_counts_every_utterance_of_every_teacher():
    """Two seconds for each by one teacher of speech, half a second by one of text."""
    speech, text = mock.Mock(spec=SpeechEncoder), mock.Mock(spec=TextEncoder)
    said = [mock.Mock(spec=Utterance) for _ in range(100)]
    with mock.patch.object(plan.time, "perf_counter", side_effect=[0.0, 6.0, 10.0, 11.5]):
        took = plan.listening([speech], text, said)
    assert took == pytest.approx(100 * (2 * 2.0 + 0.5))
    assert speech.states.call_count == text.states.call_count == 4  # the first is not timed


@pytest.mark.parametrize("how", ["speakers on both sides", "one utterance on a side"])
def test_where_layers_cannot_be_asked_the_report_says_why(
    how, distill_model, encoders, quick, tmp_path, monkeypatch
):
    corpus = small_corpus()
    if how == "speakers on both sides":
        protocol, why = speaker_dependent(3), "tests speakers that it trains on"
    else:
        (usual,) = corpus.protocols.values()
        first = usual.folds(corpus.read(None, False))[0]
        short = replace(first, validation=first.validation[:1])
        protocol = replace(usual, name="short", folds=lambda _: [short])
        why = "valence is known of 1 utterances on the validation side"
    monkeypatch.setitem(CORPORA, "toy-words", replace(corpus, protocols={protocol.name: protocol}))
    out = tmp_path / "out"
    done = distill_model(*words("audio-textual", encoders, quick, out), "--fold", 1)
    assert done.code == 0, done.err
    assert why in read_run(out).notes[-1]
    assert why in (out / "report.md").read_text()
    assert not (out / "layers.svg").exists()


def test_the_same_seed_makes_the_same_student(distill_model, encoders, quick, tmp_path):
    outs = [tmp_path / name for name in "ab"]
    for out in outs:
        distill_model(*words("audio-textual", encoders, quick, out), "--fold", 1)
    first, second = ((out / "fold-1" / "student.safetensors").read_bytes() for out in outs)
    assert first == second


@pytest.mark.parametrize("system", SYSTEMS)
def test_minutes_count_what_was_listened_to_before(
    system, distill_model, encoders, quick, tmp_path, monkeypatch
):
    usual = states.summed_up

    def slowly(*given):
        time.sleep(1.5)
        return usual(*given)

    monkeypatch.setattr(states, "summed_up", slowly)
    for out in (tmp_path / "cold", tmp_path / "warm"):
        done = distill_model(*words(system, encoders, quick, out), "--fold", 1)
        assert done.code == 0, done.err
        monkeypatch.setattr(states, "summed_up", None)  # nothing is listened to again
        taught = [row for row in read_run(out).rows if row.model != LOW_LEVEL]
        assert all(row.minutes > 1.5 / 60 for row in taught)
        assert next(row for row in read_run(out).rows if row.model == LOW_LEVEL).minutes < 1.5 / 60


def test_another_run_is_not_gone_on_with(distill_model, encoders, quick, tmp_path, monkeypatch):
    out = tmp_path / "out"
    given = words("representation", encoders, quick, out)
    distill_model(*given, "--fold", 1)
    assert "differs in seed:" in refused(distill_model(*given, "--seed", 1))
    with monkeypatch.context() as changed:
        corpus = small_corpus()
        turned = [replace(one, valence=6 - one.valence) for one in corpus.read(None, False)]
        reader = replace(corpus, read=lambda _root, _missing: turned)
        changed.setitem(CORPORA, "toy-words", reader)
        assert "differs in ratings:" in refused(distill_model(*given))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    given = words("representation", encoders, quick, tmp_path / "full")
    assert "no run's folder" in refused(distill_model(*given))


def test_missing_transcripts_are_counted_and_named(
    distill_model, encoders, quick, tmp_path, monkeypatch
):
    monkeypatch.setitem(CORPORA, "toy-words", small_corpus(transcripts=False))
    said = refused(distill_model(*words("audio-textual", encoders, quick, tmp_path / "out")))
    assert "16 of 24 utterances of toy corpus with words" in said
    assert "have no transcript" in said
    assert "w0001-calm-01" in said
    assert not (tmp_path / "out").exists()


def test_audio_textual_needs_a_text_teacher(distill_model, encoders, quick, tmp_path):
    speech, _ = encoders
    said = refused(
        distill_model(
            *("--system", "audio-textual", "--dataset", "toy-words", "--teacher", speech),
            *("--config", quick["audio-textual"], "--out", tmp_path / "out"),
        )
    )
    assert "give one --teacher and a --text-teacher" in said


def test_encoders_are_fused(distill_model, encoders, quick, tmp_path):
    speech, text = encoders
    other = save_speech(tmp_path / "other", layers=2, family="WavLM", seed=1)
    out = tmp_path / "out"
    given = words("representation", (f"{speech},{other}", text), quick, out)
    done = distill_model(*given, "--fold", 1, "--text-teacher", text)
    assert done.code == 0, done.err
    teacher = next(row for row in read_run(out).rows if row.model == "teacher")
    assert teacher.hears == "speech + transcript"
    note = read_run(out).notes[0]
    assert "of speech" in note
    assert "of other" in note


def test_the_report_says_who_chose_the_layers(distill_model, encoders, quick, tmp_path):
    notes = {}
    for layers in ("", "[settings]\nlayers = [1, 3]\n"):
        quick["audio-textual"].write_text(layers + QUICK + AUDIO_TEXTUAL)
        out = tmp_path / f"out{len(notes)}"
        done = distill_model(*words("audio-textual", encoders, quick, out), "--fold", 1)
        assert done.code == 0, done.err
        notes[layers] = read_run(out).notes[0]
    chosen, given = notes.values()
    assert "that taught, chosen on validation speakers: " in chosen
    assert given == "fold 1: layers of speech that taught, as set: 1, 3"


def test_settings_that_are_none_are_refused(distill_model, encoders, quick, tmp_path):
    given = words("audio-textual", encoders, quick, tmp_path / "out")
    quick["audio-textual"].write_text("[settings]\nlayers = [9]\n")
    assert "layer 9 cannot teach: speech has layers 0 to 4" in refused(distill_model(*given))
    quick["audio-textual"].write_text("[settings.speech]\nkeep = 0\n")
    assert "keep" in refused(distill_model(*given))
    quick["audio-textual"].write_text("seeds = 1\n")
    assert "has no table [settings]" in refused(distill_model(*given))


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_encoder_of_nan_is_refused_before_any_work(
    system, distill_model, encoders, quick, tmp_path
):
    broken = save_speech(tmp_path / "broken")
    weights = {name: w * torch.nan for name, w in load_file(broken / "model.safetensors").items()}
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    given = words(system, (broken, encoders[1]), quick, tmp_path / "out")
    assert "broken gives no finite features of it" in refused(distill_model(*given))
    assert not (tmp_path / "out" / "fold-1").exists()


def test_what_is_no_encoder_is_refused(distill_model, encoders, tmp_path, monkeypatch):
    def said(*others: object) -> str:
        return refused(
            distill_model(
                *("--system", "representation", "--dataset", "toy-words", "--out", tmp_path / "o"),
                *others,
            )
        )

    speech, text = encoders
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_text((speech / "config.json").read_text())
    assert "no weights as safetensors" in said("--teacher", bare)
    assert "no speech encoder" in said("--teacher", text)
    assert "no encoder of text" in said("--teacher", speech, "--text-teacher", speech)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "nobody/knows-this" in said("--teacher", "nobody/knows-this")
    assert "takes a number or all" in said("--teacher", speech, "--fold", "first")
    assert "folds 1 to 3" in said("--teacher", speech, "--fold", 9)
    assert "Known: representation, audio-textual" in refused(
        distill_model("--system", "both", "--dataset", "toy-words", "--teacher", speech)
    )


def test_a_corpus_without_dimensions_is_refused(
    distill_model, encoders, quick, tmp_path, monkeypatch
):
    plain = replace(small_corpus(), dimensions=())
    monkeypatch.setitem(CORPORA, "toy-words", plain)
    given = words("representation", encoders, quick, tmp_path / "out")
    assert "has no valence, activation, dominance" in refused(distill_model(*given))


def test_rows_of_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(UserError, match="holds no report"):
        read_run(tmp_path)
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(UserError, match="damaged"):
        read_run(tmp_path)
