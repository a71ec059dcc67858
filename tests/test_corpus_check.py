"""`synth-data corpora check`: what a copy of a corpus lacks."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from commands import Outcome, run_here
from trees import emodb_tree, noise, without_length

from synth_data import cli
from synth_data.corpora import CORPORA
from synth_data.corpora.emodb import EMODB
from synth_data.corpora.facts import Corpus, Recordings
from synth_data.corpora.table import TABLE
from synth_data.corpora.toy import TOY
from synth_data.corpus import load
from synth_data.corpus_check import check

SPEAKERS = ("03", "08", "09")
SMALL = replace(
    EMODB,
    counts=dict.fromkeys(EMODB.emotions, len(SPEAKERS)),
    speakers=len(SPEAKERS),
    recordings=Recordings(sample_rate=16_000, shortest=0.2, longest=0.2, total=4.2),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree that is all of the corpus `SMALL`."""
    return emodb_tree(tmp_path / "emodb", SPEAKERS)


@pytest.fixture
def synth_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    return lambda *words: run_here(cli.main, words, monkeypatch, capsys)


def test_complete(tree: Path) -> None:
    found = check(SMALL, tree)
    assert found.complete
    assert (found.faults, found.remarks) == ((), ())
    assert found.counts == SMALL.counts
    lacking = "the training side of fold 1 has no utterance of "  # as each has but three of each
    assert found.protocols["leave-one-speaker-out"] == 3
    assert str(found.protocols["speaker-dependent-5-fold"]).startswith(lacking)
    assert found.sample_rates == {16_000: 21}
    assert sum(found.durations) == pytest.approx(4.2)


def test_missing_recordings(tree: Path) -> None:
    for path in (tree / "wav").glob("03*"):
        path.unlink()
    found = check(SMALL, tree)
    assert not found.complete
    assert found.faults == (
        "utterances per emotion differ from the published: "
        + ", ".join(f"{emotion} 2 of 3" for emotion in SMALL.emotions),
        "speakers differ from the published: 2 of 3",
    )
    assert "speakers found: 2" in str(found.protocols["leave-one-speaker-out"])


def test_an_emotion_of_one_speaker_alone(tree: Path) -> None:
    for path in (tree / "wav").glob("*W?.wav"):
        if not path.name.startswith("03"):
            path.unlink()
    found = check(SMALL, tree)
    assert found.protocols["leave-one-speaker-out"] == (
        "the training side of fold 1 has no utterance of anger"
    )


def test_audio_and_labels_apart(tree: Path) -> None:
    noise(tree / "wav" / "song.wav")
    assert check(SMALL, tree).faults == ("audio without a label: 1 (song.wav)",)
    table = tree / "wav" / "mine.csv"
    table.write_text("file,emotion,speaker\nsong.wav,joy,anna\ngone.wav,joy,bert\n")
    faults = check(TABLE, table).faults
    assert faults[0] == "labels without audio: 1 (gone.wav)"
    assert faults[1].startswith("audio without a label: 21 (03a01Aa.wav, ")


def test_unreadable_recordings(tree: Path) -> None:
    (tree / "wav" / "03a01Wa.wav").write_text("version https://git-lfs.github.com/spec/v1\n")
    soundfile.write(tree / "wav" / "03a01Ta.wav", [], 16_000)
    (fault,) = check(SMALL, tree).faults
    assert fault.startswith("recordings that cannot be read: 2 (")
    assert "03a01Wa.wav" in fault
    assert "03a01Ta.wav: empty" in fault


def test_recordings_without_a_length(tmp_path: Path) -> None:
    noise(tmp_path / "a.wav")
    noise(tmp_path / "b.flac")
    without_length(tmp_path / "b.flac")
    (tmp_path / "own.csv").write_text("file,emotion,speaker\na.wav,joy,x\nb.flac,joy,x\n")
    found = check(TABLE, tmp_path / "own.csv")
    assert "b.flac: its header gives no length" in found.faults[0]
    assert found.durations == (0.2,)
    (used,) = load(TABLE, tmp_path / "own.csv", skip_bad=True, cache=tmp_path / "cache").utterances
    assert used.name == "a.wav"


def test_segments_outside_their_recording(tmp_path: Path) -> None:
    noise(tmp_path / "a.wav")
    (tmp_path / "table.csv").write_text(
        "file,emotion,speaker,start,end\na.wav,joy,x,0.1,\na.wav,joy,x,0.5,\na.wav,joy,x,0,0.9\n"
    )
    found = check(TABLE, tmp_path)
    assert found.faults == (
        "segments that are not in their recording: 2 (a.wav[0.5-], a.wav[0.0-0.9])",
    )
    assert found.durations == (pytest.approx(0.1),)


def test_durations_that_are_not_the_corpus_own(tree: Path) -> None:
    noise(tree / "wav" / "03a01Wa.wav", seconds=0.7)
    assert check(SMALL, tree).faults == (
        "recordings shorter or longer than the published 0.2 to 0.2 s: 1 (03a01Wa: 0.70 s)",
        "the recordings last 5 s in all instead of the published 4 s: they were cut, padded or "
        "changed in speed",
    )


def test_recordings_cut_to_one_length(tree: Path) -> None:
    published = Recordings(sample_rate=16_000, shortest=0.1, longest=0.9, total=8.4)
    (fault,) = check(replace(SMALL, recordings=published), tree).faults
    assert fault.startswith(
        "the recordings last 4 s in all instead of the published 8 s: they were"
    )


def test_resampled_recordings(tree: Path) -> None:
    noise(tree / "wav" / "03a01Wa.wav", sample_rate=22_050)
    found = check(SMALL, tree)
    assert found.complete
    assert found.remarks == ("recordings at 22,050 Hz instead of the published 16,000: 1",)
    noise(tree / "wav" / "03a01Wa.wav", sample_rate=8_000)
    assert check(SMALL, tree).faults == (
        "recordings at 8,000 Hz instead of the published 16,000: 1, which is less than the "
        "16,000 Hz of the features",
    )


def test_files_of_macos_are_a_remark(tree: Path) -> None:
    (tree / "wav" / "._03a01Wa.wav").write_bytes(b"Mac OS X")
    found = check(SMALL, tree)
    assert found.complete
    assert found.remarks == ("files of macOS among the recordings, which are passed over: 1",)


@pytest.mark.parametrize(
    "corpus",
    [c for c in CORPORA.values() if c.access != "built-in"],
    ids=lambda corpus: corpus.name,
)
def test_no_tree(corpus: Corpus, tmp_path: Path) -> None:
    found = check(corpus, tmp_path)
    assert not found.complete
    assert "Found there: nothing" in found.faults[0]
    assert (found.counts, found.protocols) == ({}, {})


def test_the_toy_corpus_is_complete() -> None:
    found = check(TOY, None)
    assert found.complete
    assert found.counts == TOY.counts
    assert found.durations == ()


def test_command(tree: Path, synth_data: Callable[..., Outcome], monkeypatch) -> None:
    monkeypatch.setitem(CORPORA, "emodb", SMALL)
    done = synth_data("corpora", "check", "emodb", "--data-root", tree)
    assert (done.code, done.err) == (0, "")
    for line in (
        "complete    yes",
        "utterances  21 of 21",
        "            anger 3 of 3",
        "speakers    3 of 3",
        "recordings  0.00 h, 0.20 to 0.20 s, 16,000 Hz",
        "protocol    leave-one-speaker-out: folds: 3",
    ):
        assert line in done.lines
    (tree / "wav" / "._03a01Wa.wav").write_bytes(b"Mac OS X")
    (tree / "wav" / "03a01Wa.wav").unlink()
    done = synth_data("corpora", "check", "emodb", "--data-root", tree)
    assert done.code == 1
    assert (
        "fault       utterances per emotion differ from the published: anger 2 of 3" in done.lines
    )
    assert any(line.startswith("remark      files of macOS") for line in done.lines)


def test_command_for_machines(tree: Path, synth_data: Callable[..., Outcome], monkeypatch) -> None:
    monkeypatch.setitem(CORPORA, "emodb", SMALL)
    monkeypatch.setenv("EMODB_ROOT", str(tree))
    (tree / "wav" / "03a01Wa.wav").unlink()
    done = synth_data("corpora", "check", "emodb", "--json")
    found = json.loads(done.out)
    assert done.code == 1
    assert (found["complete"], found["root"]) == (False, str(tree))
    assert found["utterances"] == {"found": 20, "published": 21}
    assert found["emotions"]["anger"] == {"found": 2, "published": 3}
    assert found["sample_rates"] == {"16000": 20}
    assert found["seconds"]["longest"] == pytest.approx(0.2)
    assert found["protocols"]["leave-one-speaker-out"] == {
        "folds": None,
        "problem": "the training side of fold 2 has no utterance of anger",
    }


def test_command_without_a_tree(tmp_path: Path, synth_data: Callable[..., Outcome]) -> None:
    done = synth_data("corpora", "check", "nemo", "--data-root", tmp_path, "--json")
    found = json.loads(done.out)
    assert done.code == 1
    assert found["seconds"] == {"total": 0, "shortest": None, "longest": None}
    assert "not a tree of nEMO" in found["faults"][0]
    done = synth_data("corpora", "check", "nemo", "--data-root", tmp_path)
    assert done.lines[1:3] == [f"found in    {tmp_path}", "complete    no"]


def test_command_of_the_toy_corpus(synth_data: Callable[..., Outcome]) -> None:
    done = synth_data("corpora", "check", "toy")
    assert done.code == 0
    assert "found in    this package" in done.lines


def test_wrong_usage(synth_data: Callable[..., Outcome], monkeypatch) -> None:
    monkeypatch.delenv("SER_DATA_ROOT", raising=False)
    done = synth_data("corpora", "check", "emdb")
    assert (done.code, done.out) == (2, "")
    assert "unknown corpus 'emdb': did you mean 'emodb'?" in done.err
    done = synth_data("corpora", "check", "emodb")
    assert done.code == 2
    assert "EMODB_ROOT is not set" in done.err
    done = synth_data("corpora", "--json", "check", "emodb")
    assert (done.code, done.out) == (2, "")
    assert "--json stands too early: give it after 'corpora check'" in done.err


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["emodb", "ravdess"])
def test_the_real_corpora_are_complete(data_root: Path, name: str) -> None:
    found = check(CORPORA[name], data_root / name)
    assert found.faults == ()
    assert all(isinstance(folds, int) for folds in found.protocols.values())


@pytest.mark.corpus
def test_a_real_corpus_cut_to_two_seconds(data_root: Path, tmp_path: Path) -> None:
    """Such a copy of EmoDB circulates: the genuine names, all of one length."""
    for path in (data_root / "emodb" / "wav").glob("*.wav"):
        soundfile.write(tmp_path / path.name, [0.1] * 44_100, 22_050)
    found = check(EMODB, tmp_path)
    (fault,) = found.faults
    assert fault.startswith("the recordings last 1,070 s in all instead of the published 1,487 s")
    assert found.remarks == ("recordings at 22,050 Hz instead of the published 16,000: 535",)
