"""A fold's predictions: checked when made, and the same when read from disk again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_folds import folds, run

from evaluation.runs import COLUMNS, RUNS, FoldError, FoldResult


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runs": ()}, "0 runs on 4 utterances"),
        ({"runs": (), "failed": ("full: too short",)}, "every student failed: full: too short"),
        ({"speakers": ("ada",)}, "4 utterances, but 1 speakers, 4 genders and 4 true emotions"),
        ({"runs": (run("full", (0, 1)),)}, "2 predictions for 4 in"),
        ({"runs": (run("full", (0, 0, 0, 2)),)}, "a class index outside the 2 emotions"),
        ({"runs": (run("full", (0, 0, 0, 1)),) * 2}, "two runs are .*set='full'.* seed 0"),
    ],
)
def test_a_fold_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FoldError, match=message):
        replace(folds()[0], **changes)


def test_a_fold_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    awkward = replace(
        folds()[0],
        emotions=("calm", "angry, or so"),
        utterances=("a,b", 'c"d', "é", "plain"),
        speakers=("07", "07", "7", "None"),
        genders=("", "female", "male", ""),
        unavailable=("random: ipc 60 exceeds the 46 utterances of disgust",),
        failed=("distilled, tdnn: training diverged",),
    )
    for stored in (awkward, *folds()):
        folder = tmp_path / f"fold-{stored.fold}"
        stored.save(folder)
        assert FoldResult.load(folder) == stored
        assert sorted(path.name for path in folder.iterdir()) == ["predictions.csv", "runs.json"]


def test_predictions_are_a_table_with_emotions_by_name(tmp_path: Path) -> None:
    folds()[0].save(tmp_path)
    header, *lines = (tmp_path / "predictions.csv").read_text(encoding="utf-8").splitlines()
    assert header == ",".join(COLUMNS)
    assert len(lines) == 5 * 4
    assert lines[7] == '"fold 1, number 3",ada,female,angry,full,0,,tdnn,fixed,generic,clean,1,calm'
    assert (
        lines[-1]
        == '"fold 1, number 3",ada,female,angry,random,0,1,tdnn,fixed,generic,clean,0,calm'
    )


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("predictions.csv", lambda text: text[:0]),
        ("predictions.csv", lambda text: text[: len(text) // 2]),
        ("predictions.csv", lambda text: text.replace(",angry\n", ",sad\n", 1)),
        ("predictions.csv", lambda text: text.replace(",ada,", ",bob,", 1)),
        ("predictions.csv", lambda text: text.replace(",random,", ",other,")),
        ("predictions.csv", lambda text: text + text.splitlines()[-1].replace(",0,1,", ",9,1,")),
        ("runs.json", lambda text: text[:-10]),
        ("runs.json", lambda text: f"[{text}]"),
        ("runs.json", lambda text: text.replace('"parameters"', '"size"')),
        ("runs.json", lambda text: text.replace('"bytes": 153600', '"bytes": "many"')),
        ("runs.json", lambda text: text.replace('"unavailable": []', '"unavailable": 3')),
        ("runs.json", lambda text: text.replace('"ships": "real items"', '"ships": "a van"')),
        ("runs.json", lambda text: text.replace('"fold": 1', '"fold": "one"')),
        (
            "runs.json",
            lambda text: text.replace('"student_seconds": 30.0', '"student_seconds": NaN'),
        ),
    ],
)
def test_a_damaged_fold_is_named_with_the_remedy(tmp_path: Path, file: str, damage: Any) -> None:
    folder = tmp_path / "fold-1"
    folds()[0].save(folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert damage(text) != text
    (folder / file).write_text(damage(text), encoding="utf-8")
    with pytest.raises(FoldError, match=rf"{file}.*Delete .*fold-1.runs.json, nothing else, and"):
        FoldResult.load(folder)


@pytest.mark.parametrize("file", ["predictions.csv", "runs.json"])
def test_a_missing_file_of_a_fold_is_named(tmp_path: Path, file: str) -> None:
    folds()[0].save(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(FoldError, match=rf"{file}: damaged or missing.*--resume"):
        FoldResult.load(tmp_path)


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds()[0].save(tmp_path)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        folds()[1].save(tmp_path)
    assert FoldResult.load(tmp_path) == folds()[0]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_fold_that_an_earlier_version_stored_is_read(tmp_path: Path) -> None:
    replace(folds()[0], listed="test1").save(tmp_path)
    stored = json.loads((tmp_path / RUNS).read_text())
    assert stored.pop("listed") == "test1"
    (tmp_path / RUNS).write_text(json.dumps(stored))
    assert FoldResult.load(tmp_path) == folds()[0]
