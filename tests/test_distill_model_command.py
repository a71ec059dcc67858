"""`distill-model`, end to end with small encoders, and what it refuses."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from commands import Command, Outcome, run_here
from safetensors.torch import load_file, save_file
from small_teachers import save_speech, save_text, small_corpus
from trees import Segment, msp_podcast_tree, noise

from evaluation.concordance import ccc
from evaluation.systems import cli, plan, representation, states, teaching
from evaluation.systems.audio_textual import AudioTextual
from evaluation.systems.distil_encoder import Distillation
from evaluation.systems.encoders import SpeechEncoder, open_speech
from evaluation.systems.fitting import parameters
from evaluation.systems.recordings import recordings
from evaluation.systems.representation import Representation
from evaluation.systems.rows import LOW_LEVEL, read_fold, read_run
from evaluation.systems.shipped import load_student
from evaluation.systems.table import SYSTEMS
from evaluation.systems.text_encoders import TextEncoder, open_text
from synth_data.corpora import CORPORA
from synth_data.corpora.facts import Corpus
from synth_data.corpora.msp_podcast import MSP_PODCAST
from synth_data.corpora.toy_words import WORDS
from synth_data.corpora.tree import Kept
from synth_data.errors import UserError
from synth_data.protocol import speaker_dependent
from synth_data.task import DIMENSIONS
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
    tokenizer = [one.stat().st_size for one in (out / "fold-1" / "tokenizer").glob("*")]
    assert bool(tokenizer) == (system == "audio-textual")
    held = sum(each.nbytes for each in load_file(weights).values()) + sum(tokenizer)
    assert held == rows[-1].bytes
    assert_does_what_its_run_said(out / "fold-1", rows[-1].model, small_corpus().read(None, False))
    assert "folds 1 of 3" in done.out
    assert LOW_LEVEL in (out / "report.md").read_text()

    made = weights.stat().st_mtime_ns
    again = distill_model(*given, "--json", "--fold", 2)  # goes on: the first is not made again
    assert again.code == 0, again.err
    assert weights.stat().st_mtime_ns == made
    assert json.loads(again.out)["rows"][0]["system"] == system
    assert (out / "fold-2" / "result.json").is_file()
    pictured = (out / "layers.svg").exists()
    assert pictured == (system == "audio-textual")
    if pictured:
        assert "valence" in (out / "layers.svg").read_text()


def assert_does_what_its_run_said(
    folder: Path, model: str, utterances: Sequence[Utterance]
) -> None:
    """The student that was shipped, of the utterances that it was tested on."""
    student = load_student(folder)
    tested = read_fold(folder / "result.json")
    (run,) = (one for one in tested.runs if one.model == model)
    by_name = {one.name: one for one in utterances}
    for name, said in zip(tested.utterances, run.said, strict=True):
        one = by_name[name]
        told = student(one.audio.waveform(student.sample_rate), one.text)
        assert list(told) == tested.dimensions
        assert list(told.values()) == pytest.approx(said, abs=1e-5)


def test_a_student_that_is_not_whole_is_refused(tmp_path, distill_model, encoders, quick):
    with pytest.raises(UserError, match=r"holds no manifest.json of a student"):
        load_student(tmp_path)
    given = words("audio-textual", encoders, quick, tmp_path / "out")
    assert distill_model(*given, "--fold", 1).code == 0
    folder = tmp_path / "out" / "fold-1"
    student = load_student(folder)
    with pytest.raises(UserError, match="give the transcript as well"):
        student(torch.randn(16_000))
    file = folder / "tokenizer" / "tokenizer.json"
    whole = file.read_text()
    file.write_text(whole.replace("[CLS]", "[SEP]"))
    with pytest.raises(
        UserError, match=r"^\S+tokenizer.json is not the file that the manifest lists"
    ):
        load_student(folder)
    file.unlink()
    with pytest.raises(UserError, match="is damaged"):
        load_student(folder)


def test_a_dry_run_says_what_it_takes_and_writes_nothing(distill_model, encoders, quick, tmp_path):
    given = words("audio-textual", encoders, quick, tmp_path / "out")
    done = distill_model(*given, "--dry-run")
    assert done.code == 0, done.err
    assert "3 folds" in done.out.splitlines()[0]
    assert "[settings.text]\nkeep = 1\n" in done.out
    assert "at most for the teachers to listen to 24 utterances" in done.out
    assert " to distil encoders; training" in done.out
    assert "1 of each model on each fold (to do: 1, 2, 3)" in done.out
    told = json.loads(distill_model(*given, "--dry-run", "--json").out)
    assert told["plan"]["folds"] == [1, 2, 3]
    assert told["plan"]["trainings"] == 3
    assert told["plan"]["listening"] > 0
    assert told["plan"]["teaching"] > 0
    assert told["settings"]["text"]["keep"] == 1
    assert not (tmp_path / "out").exists()


def test_the_estimate_counts_every_utterance_of_every_teacher():
    """Two seconds for each by one teacher of speech, half a second by one of text."""
    speech, text = mock.Mock(spec=SpeechEncoder), mock.Mock(spec=TextEncoder)
    said = [mock.Mock(spec=Utterance) for _ in range(100)]
    system = Representation()
    with mock.patch.object(plan.time, "perf_counter", side_effect=[0.0, 6.0, 10.0, 11.5]):
        told = plan.planned(system, [speech], text, said, [[1, 3], [2]], seeds=2)
    assert told.listening == pytest.approx(100 * (3 * 2.0 + 0.5))  # once, and for each training
    assert (told.folds, told.trainings, told.teaching) == ((1, 2, 3), 2, 0.0)
    assert speech.states.call_count == text.states.call_count == 4  # the first is not timed
    assert plan.planned(system, [speech], text, said, [], seeds=2).listening == 0.0


def test_teachers_listen_as_often_as_the_estimate_says(
    distill_model, encoders, quick, tmp_path, monkeypatch
):
    """Where every fold chooses other layers, which is the most that they may be asked."""
    usual, listen = representation.best_layers, SpeechEncoder.states
    chosen, heard = iter(([0], [1], [2])), []

    def others(*given):
        usual(*given)
        return next(chosen)

    def counted(encoder, utterance):
        heard.append(utterance.name)
        return listen(encoder, utterance)

    monkeypatch.setattr(representation, "best_layers", others)
    monkeypatch.setattr(SpeechEncoder, "states", counted)
    done = distill_model(*words("representation", encoders, quick, tmp_path / "out"))
    assert done.code == 0, done.err
    assert len(heard) == 24 * Representation().listens(3) + 1 + plan.TRIED


def test_the_time_to_distil_grows_with_the_steps_and_the_corpus(encoders):
    """Starting takes 5 seconds with one step, two steps more take 6; the student listens in 3."""
    teacher, some = open_text(str(encoders[1])), small_corpus().read(None, False)[:3]
    with mock.patch.object(teaching.time, "perf_counter", side_effect=[0.0, 5.0, 16.0, 19.0]):
        took = teaching.seconds_of(teacher, Distillation(keep=1, steps=10, batch=6), some, 30)
    assert took == pytest.approx(10 * (6 / 3) * (11 - 5) / 2 + 30 / 3 * 3)


def test_tests_that_share_their_training_share_its_models(
    distill_model, encoders, quick, tmp_path, monkeypatch
):
    """MSP-Podcast in its layout: two tests of one training side, each with its own numbers."""
    random = np.random.default_rng(0)
    sides = {"Train": 3, "Development": 2, "Test1": 2, "Test2": 3, "Test3": 1}
    speakers = [(side, f"{side} {n}") for side, count in sides.items() for n in range(count)]
    segments = [
        Segment(
            name=f"MSP-PODCAST_{place:04}_{n:04}",
            emotion="AHNSUX"[n],
            speaker=speaker,
            split=side,
            audio=noise(tmp_path / "noise" / f"{place}-{n}.wav", 10 * place + n, 0.3),
            **{name: float(random.uniform(1, 7)) for name in DIMENSIONS},
            text=list(WORDS)[n],
        )
        for place, (side, speaker) in enumerate(speakers)
        for n in range(4)
    ]
    tree = msp_podcast_tree(tmp_path / "tree", segments)
    trained = []
    usual = AudioTextual.run
    monkeypatch.setattr(AudioTextual, "run", lambda *given: trained.append(1) or usual(*given))
    out = tmp_path / "out"
    given = words("audio-textual", encoders, quick, out)
    given[given.index("toy-words")] = "msp-podcast"
    done = distill_model(*given, "--data-root", tree)
    assert done.code == 0, done.err
    assert len(trained) == 1
    assert {row.fold for row in read_run(out).rows} == {1, 2}
    assert not (out / "layers.svg").exists()
    asked = {n: json.loads((out / f"layers-fold-{n}.json").read_text()) for n in (1, 2)}
    for number, speakers_of in ((1, 2), (2, 3)):
        folder = out / f"fold-{number}"
        tested = read_fold(folder / "result.json")
        assert {name.partition(" ")[0] for name in tested.speakers} == {f"Test{number}"}
        assert {one["speakers"] for one in asked[number]["dimensions"]} == {speakers_of}
        model = "student audio+text"
        assert_does_what_its_run_said(folder, model, MSP_PODCAST.read_rated(tree, False))
    (tested_by,) = (f"{name}, fold" for name in MSP_PODCAST.protocols)
    assert f"of speech, {tested_by} 2\n" in (out / "report.md").read_text()


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
    """And only of those that a model needs: nobody listens to teach a student to read."""
    usual = states.summed_up

    def slowly(teacher, *given):
        if isinstance(teacher, SpeechEncoder):
            time.sleep(1.5)
        return usual(teacher, *given)

    monkeypatch.setattr(states, "summed_up", slowly)
    for out in (tmp_path / "cold", tmp_path / "warm"):
        done = distill_model(*words(system, encoders, quick, out), "--fold", 1)
        assert done.code == 0, done.err
        monkeypatch.setattr(states, "summed_up", None)  # nothing is listened to again
        listened = {row.model: row.minutes > 1.5 / 60 for row in read_run(out).rows}
        spared = {LOW_LEVEL, "student text"}
        assert listened == {model: model not in spared for model in listened}


def test_students_are_compared_with_what_taught_them(distill_model, encoders, quick, tmp_path):
    out = tmp_path / "out"
    done = distill_model(*words("audio-textual", encoders, quick, out), "--fold", 1)
    assert done.code == 0, done.err
    rows = {row.model: row for row in read_run(out).rows}
    speech = parameters(open_speech(str(encoders[0])).network)
    text = parameters(open_text(str(encoders[1])).network)
    of = {"audio": speech, "text": text, "audio+text": speech + text}
    for parts, taught_by in of.items():
        row = rows[f"student {parts}"]
        assert row.fraction == pytest.approx(row.parameters / taught_by)
    fused = rows["student audio+text"]
    assert fused.of_speech == pytest.approx(fused.parameters / speech)
    assert {model for model, row in rows.items() if row.of_speech} == {fused.model}


def test_another_run_is_not_gone_on_with(distill_model, encoders, quick, tmp_path, monkeypatch):
    """But where nothing is done yet, other settings can be given."""
    out = tmp_path / "out"
    given = words("representation", encoders, quick, out)
    out.mkdir()
    (out / "run.json").write_text('{"seed": 5}')
    distill_model(*given, "--fold", 1)
    assert json.loads((out / "run.json").read_text())["seed"] == 0
    for ways in ((), ("--dry-run",)):
        assert "differs in seed:" in refused(distill_model(*given, "--seed", 1, *ways))
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


def test_utterances_without_a_transcript_are_left_out_at_will(
    distill_model, encoders, quick, tmp_path, monkeypatch
):
    monkeypatch.setitem(CORPORA, "toy-words", small_corpus(transcripts=False))
    given = words("audio-textual", encoders, quick, tmp_path / "out")
    done = distill_model(*given, "--skip-bad", "--dry-run")
    assert done.code == 0, done.err
    assert "8 utterances · pairs" in done.out
    assert "16 utterances without a transcript left out" in done.out
    told = {
        read: recordings(small_corpus(transcripts=False), None, read=read, skip_bad=True)
        for read in (False, True)
    }
    assert [len(real) for real in told.values()] == [24, 8]
    assert told[False].digest != told[True].digest  # nothing is compared over other utterances
    kept = Kept(small_corpus(transcripts=False).read(None, False), ["labels without audio: 1"])
    noted = recordings(
        replace(small_corpus(), read=lambda *_: kept), None, read=True, skip_bad=True
    )
    assert "labels without audio: 1" in noted.notes
    monkeypatch.setitem(CORPORA, "toy-words", spoken_of(text=None))
    assert "24 of 24 utterances" in refused(distill_model(*given, "--skip-bad"))


def spoken_of(**changes: object) -> Corpus:
    """The small corpus, with something else about each utterance."""
    corpus = small_corpus()
    listed = [replace(one, **changes) for one in corpus.read(None, False)]
    return replace(corpus, read=lambda *_: listed)


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_lacks_a_dimension_teaches_and_tests_what_else_is_known(
    system, distill_model, encoders, quick, tmp_path, monkeypatch
):
    corpus = small_corpus()
    listed = corpus.read(None, False)
    lacking = [
        replace(one, valence=None if n % 3 == 0 else one.valence) for n, one in enumerate(listed)
    ]
    monkeypatch.setitem(CORPORA, "toy-words", replace(corpus, read=lambda *_: lacking))
    given = words(system, encoders, quick, tmp_path / "out")
    assert "without a value: 8 of 24" in refused(distill_model(*given, "--fold", 1))
    done = distill_model(*given, "--fold", 1, "--allow-missing")
    assert done.code == 0, done.err
    tested = read_fold(tmp_path / "out" / "fold-1" / "result.json")
    truth = {one.name: one.valence for one in lacking}
    valence = tested.dimensions.index("valence")
    found = [row[valence] for row in tested.truth]
    assert [one is None for one in found] == [truth[name] is None for name in tested.utterances]
    assert None in found
    known = [place for place, one in enumerate(found) if one is not None]
    for row in read_run(tmp_path / "out").rows:
        (run,) = (one for one in tested.runs if one.model == row.model)
        told = np.array(run.said)[known, valence, None]
        assert row.ccc["valence"] == pytest.approx(
            ccc(np.array([[found[place]] for place in known]), told)[0]
        )


def test_emotions_are_no_condition_and_a_scale_can_be_given(
    distill_model, encoders, quick, tmp_path, monkeypatch
):
    unknown = {"emotions": (), "counts": {}, "scales": ((1.0, 5.0),)}
    monkeypatch.setitem(CORPORA, "toy-words", replace(spoken_of(emotion=""), **unknown))
    out = tmp_path / "out"
    given = words("representation", encoders, quick, out)
    done = distill_model(*given, "--fold", 1, "--scale=0,6")
    assert done.code == 0, done.err
    manifest = json.loads((out / "fold-1" / "manifest.json").read_text())
    assert manifest["outputs"] == ["valence", "activation", "dominance"]
    assert manifest["scale"] == [0.0, 6.0]
    assert "differs in scale:" in refused(distill_model(*given, "--fold", 1, "--scale=0,7"))
    assert "a scale is written" in refused(distill_model(*given, "--scale", "wide"))
    assert "differs in weights:" in refused(
        distill_model(*given, "--fold", 1, "--scale=0,6", "--dimension-weights", "2,1,1")
    )


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
    """Also by a dry run; and nothing stays that a corrected command would stumble over."""
    out = tmp_path / "out"
    given = words("audio-textual", encoders, quick, out)
    quick["audio-textual"].write_text("[settings]\nlayers = [9]\n")
    for ways in ((), ("--dry-run",)):
        said = refused(distill_model(*given, *ways))
        assert "layer 9 cannot teach: speech has layers 0 to 4" in said
    alone = ("--system", "audio-textual", "--dataset", "toy-words", "--teacher", encoders[0])
    said = refused(distill_model(*alone, "--out", out, "--dry-run"))
    assert "give one --teacher and a --text-teacher" in said
    assert not out.exists()
    quick["audio-textual"].write_text("[settings.beside.augment]\nshift = 0.1\n")
    assert "augment.shift is 0.1" in refused(distill_model(*given))
    for idle in ("recipe.embedding_weight", "beside.teacher.states", "beside.listening.steps"):
        table, _, name = idle.rpartition(".")
        quick["audio-textual"].write_text(f"[settings.{table}]\n{name} = 1\n")
        assert "unknown" in refused(distill_model(*given)).lower()
    quick["audio-textual"].write_text("[settings.speech]\nkeep = 0\n")
    assert "keep" in refused(distill_model(*given))
    quick["audio-textual"].write_text("[settings.speech]\nstart = [1, 9]\n")
    assert "no student can start as layer 9: speech has layers 1 to 4" in refused(
        distill_model(*given)
    )
    quick["audio-textual"].write_text("[settings.text]\nstart = [1, 2]\n")
    assert "for each that the student keeps: 1; found 2 (1, 2)" in refused(distill_model(*given))
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
    assert "--teacher names no encoder" in said("--teacher", ",")
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
