"""What is wrong with a corpus is said before any work, with exit code 2, or counted."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy
import pytest
import soundfile
from commands import Command, Outcome, small_config
from trees import emodb_tree, noise

from evaluation.dimensional.report import DimensionalReport
from evaluation.report import Report
from synth_data.synthetic import SyntheticSet

Distil = Callable[..., Outcome]

EMODB_TREE = {"speakers": ("03", "08", "09", "10")}
EVERYONE = dict.fromkeys("abcd", ("anger", "joy"))


def table(folder: Path, emotions_of: Mapping[str, tuple[str, ...]], each: int = 2) -> Path:
    """A user's table of noise, `each` recordings of every speaker's emotions."""
    rows = ["file,emotion,speaker"]
    for speaker, emotions in emotions_of.items():
        for emotion in emotions:
            for number in range(each):
                name = f"wav/{speaker}-{emotion}-{number}.wav"
                noise(folder / name, seed=len(rows))
                rows.append(f"{name},{emotion},{speaker}")
    path = folder / "table.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def distil(distill_data: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Distil:
    """Runs the command on the first fold of a corpus; `out` is where to."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = small_config(tmp_path)

    def run(dataset: str, root: Path, *words: object, fold: object = 1) -> Outcome:
        return distill_data(
            "--config", config, "--dataset", dataset, "--data-root", root, "--fold", fold,
            "--out", tmp_path / "out", *words,
        )  # fmt: skip

    return run


def refused(done: Outcome, out: Path) -> str:
    """The message of a command that refused before any work."""
    assert done.code == 2
    assert "Traceback" not in done.err
    assert not out.exists()
    return done.err


def report_in(folder: Path) -> Report:
    return Report.load(folder / "out" / "report.json")


def test_a_wrong_tree(distil, tmp_path):
    (tmp_path / "tree" / "music").mkdir(parents=True)
    message = refused(distil("emodb", tmp_path / "tree"), tmp_path / "out")
    assert "not a tree of EmoDB" in message
    assert "Found there: music" in message
    assert "Looked for:" in message
    assert "Get the corpus from http" in message


def test_a_part_of_a_corpus_runs_and_says_so(distil, tmp_path):
    done = distil("emodb", emodb_tree(tmp_path / "tree", **EMODB_TREE), "--ipc", 1)
    assert done.code == 0
    assert "28 utterances instead of the published 535" in done.lines[0]
    assert "4 speakers instead of the published 10" in done.lines[-1]
    notes = report_in(tmp_path).notes
    assert any("anger 4 instead of 127" in note for note in notes)


def test_unusable_recordings(distil, tmp_path):
    tree = emodb_tree(tmp_path / "tree", per_emotion=2, **EMODB_TREE)
    rate = 16_000
    bad = {name: tree / "wav" / f"{name}a01Wb.wav" for name in ("03", "08", "09", "10")}
    bad["03"].write_bytes(b"RIFF, or so it seems")
    soundfile.write(bad["08"], numpy.zeros(0), rate)
    soundfile.write(bad["09"], numpy.zeros(rate), rate)
    soundfile.write(bad["10"], numpy.full(rate, numpy.nan), rate, subtype="FLOAT")
    done = distil("emodb", tree)
    message = refused(done, tmp_path / "out")
    assert "4 of 56 recordings of EmoDB" in message
    assert all(path.name in message for path in bad.values())
    assert "--skip-bad" in message

    done = distil("emodb", tree, "--skip-bad", "--ipc", 1)
    assert done.code == 0
    assert "4 recordings skipped" in done.lines[0]
    assert any("4 recordings skipped (" in note for note in report_in(tmp_path).notes)


def test_labels_without_audio_and_audio_without_labels(distil, tmp_path):
    path = table(tmp_path / "own", EVERYONE)
    (tmp_path / "own" / "wav" / "a-joy-0.wav").unlink()
    noise(tmp_path / "own" / "wav" / "unlisted.wav")
    message = refused(distil("table", path), tmp_path / "out")
    assert "labels without audio: 1 (wav/a-joy-0.wav)" in message
    assert "audio without a label: 1 (wav/unlisted.wav)" in message
    assert "--allow-missing" in message
    done = distil("table", path, "--allow-missing")
    assert done.code == 0
    assert "· 15 utterances ·" in done.lines[0]


def test_an_emotion_missing_from_a_training_side(distil, tmp_path):
    path = table(tmp_path / "own", EVERYONE | {"a": ("anger", "joy", "fear")})
    message = refused(distil("table", path, fold="all"), tmp_path / "out")
    assert "the training side of fold 1 of table has no utterance of fear" in message


def test_an_emotion_missing_from_a_test_side_is_noted(distil, tmp_path):
    done = distil("table", table(tmp_path / "own", EVERYONE | {"a": ("anger",)}))
    assert done.code == 0
    assert any("fold 1 has no test utterance of joy" in n for n in report_in(tmp_path).notes)


def test_a_single_speaker(distil, tmp_path):
    path = table(tmp_path / "own", {"a": ("anger", "joy")})
    message = refused(distil("table", path), tmp_path / "out")
    assert "number of speakers found: 1" in message
    assert "--fold none distils from all of them without a test" in message
    done = distil("table", path, fold="none")
    assert done.code == 0
    assert (tmp_path / "out" / "fold-none" / "set" / "manifest.json").exists()


@pytest.mark.parametrize("words", [("--disentangle", "leace"), ("--speaker-penalty", 1)])
def test_a_single_speaker_cannot_be_told_from_others(distil, tmp_path, words):
    path = table(tmp_path / "own", {"a": ("anger", "joy")})
    message = refused(distil("table", path, *words, fold="none"), tmp_path / "out")
    assert "leace takes out how speakers differ, and so needs 2 or more" in message
    assert "found 1" in message


def test_disentanglers_that_do_not_exist_and_settings_of_none(distil, tmp_path):
    path = table(tmp_path / "own", EVERYONE)
    message = refused(distil("table", path, "--disentangle", "leece"), tmp_path / "out")
    assert "did you mean 'leace'" in message
    (tmp_path / "config.toml").write_text("[disentangler]\ndirections = 2\n")
    message = refused(distil("table", path, "--config", tmp_path / "config.toml"), tmp_path / "out")
    assert "settings of a disentangler, but none is named" in message


def test_more_items_than_there_are_utterances(distil, tmp_path):
    done = distil("table", table(tmp_path / "own", EVERYONE), "--ipc", 30)
    assert done.code == 0
    assert "not available: random: ipc 30 exceeds the " in done.out
    report = report_in(tmp_path)
    assert [reason.partition(":")[0] for reason in report.unavailable] == ["random"]
    sets = {row.set for row in report.rows}
    assert sets == {"full", "distilled", "compressed-int8", "cosines-int8", "untrained"}
    card = (tmp_path / "out" / "fold-1" / "set" / "README.md").read_text()
    assert "every item started as one real utterance" in card


def test_a_table_without_a_speaker_column(distil, tmp_path):
    path = table(tmp_path / "own", EVERYONE)
    lines = [line.rpartition(",")[0] for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    message = refused(distil("table", path), tmp_path / "out")
    assert "there is no speaker column" in message
    assert "no --disentangle, --speaker-penalty or --attacks" in message


def test_a_run_is_not_resumed_on_other_labels(distil, distill_data, tmp_path):
    """Relabelled speakers would put test speakers among the training speakers."""
    path = table(tmp_path / "mine", EVERYONE)
    assert distil("table", path).code == 0
    path.write_text(path.read_text().replace(",a\n", ",x\n"))
    done = distill_data("--resume", "--out", tmp_path / "out", "--fold", 2)
    assert done.code == 2
    assert "was made from other recordings or labels" in done.err
    assert not (tmp_path / "out" / "fold-2").exists()


def test_a_run_is_not_resumed_on_other_ratings(distil, distill_data, tmp_path):
    path = table(tmp_path / "mine", EVERYONE)
    lines = path.read_text().splitlines()
    rated = [f"{line},{1 + n % 5}" for n, line in enumerate(lines[1:])]
    path.write_text("\n".join([f"{lines[0]},valence", *rated]))
    done = distil("table", path, "--task", "dimensional", "--ipc", 1)
    assert done.code == 0, done.err
    reversed_ = [f"{line},{5 - n % 5}" for n, line in enumerate(lines[1:])]
    path.write_text("\n".join([f"{lines[0]},valence", *reversed_]))
    done = distill_data("--resume", "--out", tmp_path / "out", "--fold", 2)
    assert done.code == 2
    assert "ratings and transcripts count where they are used" in done.err
    assert not (tmp_path / "out" / "fold-2").exists()


def test_a_moved_corpus_is_resumed(distil, distill_data, tmp_path):
    path = table(tmp_path / "mine", EVERYONE)
    assert distil("table", path).code == 0
    (tmp_path / "mine").rename(tmp_path / "moved")
    moved = tmp_path / "moved" / path.name
    done = distill_data("--resume", "--out", tmp_path / "out", "--fold", 2, "--data-root", moved)
    assert done.code == 0
    assert {row.fold for row in report_in(tmp_path).rows} == {"all", 1, 2}
    assert "--config" in report_in(tmp_path).command  # the whole run, not this addition to it


def test_a_set_is_judged_whatever_became_of_its_cost(distil, distill_data, tmp_path):
    assert distil("table", table(tmp_path / "mine", EVERYONE)).code == 0
    fold = tmp_path / "out" / "fold-1"
    (fold / "runs.json").unlink()
    (fold / "cost.json").write_text('{"seconds": NaN}')
    assert distill_data("--resume", "--out", tmp_path / "out", "--fold", 1).code == 0
    assert report_in(tmp_path).rows


def test_an_output_folder_that_cannot_be(distil, tmp_path):
    (tmp_path / "file").write_text("")
    done = distil("table", table(tmp_path / "mine", EVERYONE), "--out", tmp_path / "file" / "sub")
    assert done.code == 2
    assert "Not a directory" in done.err
    assert "Traceback" not in done.err


def test_a_single_emotion(distil, tmp_path):
    one = dict.fromkeys("abcd", ("anger",))
    message = refused(distil("table", table(tmp_path / "mine", one)), tmp_path / "out")
    assert "has a single emotion, anger: there is nothing to tell apart" in message


def test_an_emotion_that_no_set_could_hold(distil, tmp_path):
    path = table(tmp_path / "mine", EVERYONE)
    path.write_text(path.read_text().replace(",anger,a", ",an\u200bger,a", 1))
    message = refused(distil("table", path), tmp_path / "out")
    assert "line 2: emotion is not a printable name of up to 100 characters" in message


def test_what_is_left_out_is_named_and_counted(distil, tmp_path, caplog):
    path = table(tmp_path / "mine", EVERYONE)
    (tmp_path / "mine" / "wav" / "a-anger-0.wav").unlink()
    assert distil("table", path, "--allow-missing").code == 0
    assert "left out: labels without audio: 1 (" in caplog.text


def test_values_of_dimensions_that_are_not_known(distil, tmp_path):
    path = table(tmp_path / "mine", EVERYONE)
    head, *rows = path.read_text().splitlines()
    values = [f"{1 + row % 4},{1 + (row // 2) % 4}" for row in range(len(rows))]
    values[0], values[5], values[10] = ",3", "2,", ","
    told = [f"{row},{value}" for row, value in zip(rows, values, strict=True)]
    path.write_text("\n".join([f"{head},valence,activation", *told]) + "\n")
    words = ("--task", "both", "--scale", "1,4", "--native-steps", 0)
    message = refused(distil("table", path, *words), tmp_path / "out")
    assert "without a value: 3 of 16" in message
    assert "what else is known of them with --allow-missing" in message
    done = distil("table", path, *words, "--allow-missing", fold="all")
    assert done.code == 0, done.err
    assert "4 of 4 done" in done.err
    report = DimensionalReport.load(tmp_path / "out" / "report.json")
    told = "2 utterances without a value of valence (no item starts as one"
    assert any(note.startswith(told) for note in report.notes)
    assert all(math.isfinite(row.mean.ccc.mean) for row in report.rows)
    assert SyntheticSet.load(tmp_path / "out" / "fold-1" / "set").targets.isfinite().all()
