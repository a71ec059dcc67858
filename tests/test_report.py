"""Runs on disk, and the report made of them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evaluation.records import Row
from evaluation.report import Report, ReportError
from evaluation.runs import COLUMNS, FoldError, FoldResult, Run

LINE = "Made up · 2 classes · 8 utterances · two folds · logmel64"
EMOTIONS = ("calm", "angry")


def run(name: str, predicted: Sequence[int], **changes: Any) -> Run:
    settings = {
        "draw": 0,
        "ipc": None if name == "full" else 1,
        "student": "tdnn",
        "initialisation": "fixed",
        "recipe": "generic",
        "seed": 0,
        "learning_rate": 1e-3,
        "utterances": 100 if name == "full" else 2,
        "parameters": 1234,
        "bytes": 7_680_000 if name == "full" else 153_600,
        "making_seconds": 60.0 if name == "distilled" else 0.0,
        "student_seconds": 30.0,
    }
    return Run(set=name, predicted=tuple(predicted), **(settings | changes))


def result(fold: int, speakers: Sequence[str], truth: Sequence[int], *runs: Run) -> FoldResult:
    names = tuple(f"fold {fold}, number {i}" for i in range(len(truth)))
    return FoldResult(fold, EMOTIONS, names, tuple(speakers), tuple(truth), runs)


def folds() -> list[FoldResult]:
    """Two folds of one and two speakers, small enough to be counted by hand."""
    truth = (0, 0, 1, 1)
    return [
        result(
            1,
            ("ada", "ada", "ada", "ada"),
            truth,
            run("full", (0, 0, 1, 1)),
            run("full", (0, 0, 1, 0), seed=1),
            run("distilled", (0, 0, 1, 0)),
            run("distilled", (0, 0, 1, 0), seed=1),
            run("random", (0, 1, 1, 0)),
        ),
        result(
            2,
            ("bob", "eve", "bob", "eve"),
            truth,
            run("full", (0, 0, 1, 1)),
            run("full", (0, 0, 1, 1), seed=1),
            run("distilled", (0, 0, 1, 1)),
            run("distilled", (0, 1, 1, 1), seed=1),
            run("random", (1, 0, 1, 1), making_seconds=6.0),
        ),
    ]


def report(results: Sequence[FoldResult]) -> Report:
    return Report.of(LINE, results, corpus="made-up", command="distill-data --ipc 1 --seed 0")


def row(of: Report, name: str, fold: int | str) -> Row:
    (found,) = [row for row in of.rows if (row.set, row.fold) == (name, fold)]
    return found


def test_the_rows_of_a_small_example_counted_by_hand() -> None:
    made = report(folds())
    # Pooled, the first distilled student misses one of four angry: recalls 4/4 and 3/4. The
    # second misses one calm and one angry: 3/4 and 3/4.
    distilled = row(made, "distilled", "all")
    assert distilled.uar.mean == pytest.approx((0.875 + 0.75) / 2)
    assert distilled.uar.sd == pytest.approx(0.125 / 2**0.5)
    assert distilled.wa.mean == pytest.approx((7 / 8 + 6 / 8) / 2)
    # F1: 8/9 for calm and 6/7 for angry, then 3/4 for both.
    assert distilled.macro_f1.mean == pytest.approx(((8 / 9 + 6 / 7) / 2 + 0.75) / 2)
    # Full data: one student without a miss, one with one of four angry.
    full = row(made, "full", "all")
    assert full.uar.mean == pytest.approx((1 + 0.875) / 2)
    assert distilled.relative_uar is not None
    assert distilled.relative_uar.mean == pytest.approx(0.8125 / 0.9375)
    assert distilled.recovery is not None
    assert distilled.recovery.mean == pytest.approx(0.3125 / 0.4375)
    assert (distilled.speakers, distilled.runs, distilled.utterances) == (3, 2, 2)
    assert (distilled.seconds, distilled.student_seconds) == (90.0, 30.0)
    assert (distilled.bytes, distilled.parameters) == (153_600, 1234)
    random = row(made, "random", "all")
    assert random.uar.mean == pytest.approx((2 / 4 + 3 / 4) / 2)
    assert random.uar.sd is None  # a single run
    assert random.seconds == pytest.approx(33.0)  # a mean over folds


def test_each_fold_has_its_own_rows_and_pooling_is_not_their_mean() -> None:
    uneven = folds()
    uneven[1] = result(2, ("bob", "eve"), (0, 1), run("full", (1, 1)), run("full", (1, 1), seed=1))
    made = report(uneven)
    assert row(made, "full", 1).uar.mean == pytest.approx((1 + 0.75) / 2)
    assert row(made, "full", 2).uar.mean == pytest.approx(0.5)
    # Pooled: calm 2/3 for both students; angry 3/3 and 2/3.
    assert row(made, "full", "all").uar.mean == pytest.approx(((2 / 3 + 1) / 2 + 2 / 3) / 2)


def test_the_rows_of_a_single_fold_stand_once() -> None:
    made = report(folds()[:1])
    assert [row.fold for row in made.rows] == [1, 1, 1]
    assert [comparison.fold for comparison in made.comparisons] == [1, 1]


def test_full_data_relative_to_themselves_are_exactly_one() -> None:
    full = row(report(folds()), "full", "all")
    assert full.uar.interval is not None
    assert full.uar.interval[0] < full.uar.interval[1]
    for estimate in (full.relative_uar, full.recovery):
        assert estimate is not None
        assert estimate.mean == 1.0
        assert estimate.interval == (1.0, 1.0)


def test_comparisons_are_paired_over_speakers() -> None:
    results = [
        replace(
            one,
            runs=(*one.runs, *(replace(r, set="twin") for r in one.runs if r.set == "distilled")),
        )
        for one in folds()
    ]
    by_set = {comparison.against: comparison for comparison in report(results).comparisons}
    assert list(by_set) == ["full", "random", "twin"]
    assert by_set["twin"].difference.mean == 0.0
    assert by_set["twin"].difference.interval == (0.0, 0.0)
    assert by_set["random"].difference.mean == pytest.approx(0.8125 - 0.625)
    # Bob alone: 1 against 1/2; Eve alone: 3/4 against 1; Ada alone: 3/4 against 1/2.
    assert by_set["random"].difference.interval == pytest.approx((-0.25, 0.5))


def test_only_sets_of_one_size_student_and_initialisation_are_compared() -> None:
    others: list[dict[str, Any]] = [
        {"ipc": 2},
        {"student": "convnet"},
        {"initialisation": "random"},
        {"recipe": "native"},
    ]
    (one, _) = folds()
    extra = [replace(one.runs[4], **change) for change in others]
    made = report([replace(one, runs=(*one.runs, *extra))])
    assert [comparison.against for comparison in made.comparisons] == ["full", "random"]
    rows = {
        (r.ipc, r.student, r.initialisation, r.recipe): r for r in made.rows if r.set == "random"
    }
    # Full data were not trained from random weights or as another network: nothing to relate to.
    assert rows[1, "convnet", "fixed", "generic"].relative_uar is None
    assert rows[1, "tdnn", "random", "generic"].recovery is None
    assert rows[2, "tdnn", "fixed", "generic"].relative_uar is not None
    assert rows[1, "tdnn", "fixed", "native"].relative_uar is not None


def test_nothing_is_recovered_where_full_data_are_at_chance() -> None:
    guessing = result(
        1, "aabb", (0, 1, 0, 1), run("full", (0, 0, 0, 0)), run("distilled", (0, 1, 0, 0))
    )
    made = row(report([guessing]), "distilled", 1)
    assert made.recovery is None
    assert made.relative_uar is not None
    assert made.relative_uar.mean == pytest.approx(1.5)
    # Ada is recognised and Bob is not: a resample of Bob alone has full data at chance.
    half = result(1, "aabb", (0, 1, 0, 1), run("full", (0, 1, 0, 0)))
    recovery = row(report([half]), "full", 1).recovery
    assert recovery is not None
    assert (recovery.mean, recovery.interval) == (1.0, None)


def test_one_speaker_has_no_interval() -> None:
    made = report(folds()[:1])
    assert all(row.uar.interval is None for row in made.rows)
    assert made.comparisons[0].difference.interval is None
    assert "0.750 ± 0.000         -  0.750" in made.table()
    assert "| 0.750 ± 0.000 | - | 0.750 |" in made.markdown()
    for text in (made.table(), made.markdown()):
        assert "distilled - random: +0.250 (no interval: one test speaker), ipc 1" in text
    assert "nothing here says how the numbers would move with another speaker" in made.markdown()


def test_an_emotion_missing_from_a_test_fold_is_noted_and_left_out() -> None:
    calm_only = result(2, ("bob", "eve"), (0, 0), run("full", (0, 1)), run("full", (0, 0), seed=1))
    made = report([folds()[0], calm_only])
    assert row(made, "full", 2).uar.mean == pytest.approx(0.75)
    assert made.notes == (
        "fold 2 has no test utterance of angry: its UAR, F1 and chance level are over the "
        "emotions present",
    )
    assert made.notes[0] in made.markdown()


def test_sets_that_were_not_available_are_shown_with_the_reason() -> None:
    one, two = folds()
    everywhere = "herding, ipc 60: needs real utterances that are not there"
    made = report(
        [
            replace(one, unavailable=(everywhere, "random: ipc 60 exceeds the 46 of disgust")),
            replace(two, unavailable=(everywhere,)),
        ]
    )
    assert made.unavailable == (everywhere, "random: ipc 60 exceeds the 46 of disgust (fold 1)")
    for text in (made.table(), made.markdown()):
        assert "random: ipc 60 exceeds the 46 of disgust (fold 1)" in text
    assert "not available: herding" in made.table()
    assert "## Not available" in made.markdown()


def test_a_set_that_some_folds_lack_is_not_pooled() -> None:
    one, two = folds()
    made = report([one, replace(two, runs=two.runs[:-1])])
    assert [row.fold for row in made.rows if row.set == "random"] == [1]
    assert [comparison.against for comparison in made.comparisons] == ["full"]
    assert (
        "random, ipc 1 (tdnn, fixed initialisation, generic recipe) over all folds" in made.table()
    )


def test_the_texts_say_what_the_numbers_mean() -> None:
    made = report(folds())
    text = made.markdown()
    assert text.startswith(f"# {LINE}\n")
    assert text.endswith(f"\n{LINE}\n")
    assert (
        "| distilled | 1 | fixed | 0.812 ± 0.088 | [0.750, 1.000] | 0.812 | 0.812 | 0.867 | 0.714 "
        "| 154 kB | 1.5 |"
    ) in text
    assert "| 1 | 0.875 | 0.750 | 0.500 |" in text  # UAR per fold
    assert "The 3 test speakers were drawn again" in text
    assert "Over few speakers such intervals are too narrow" in text
    assert "distill-data --ipc 1 --seed 0" in text
    assert "PyTorch 2" in text
    table = made.table()
    assert "tdnn (1,234 parameters), generic recipe, 2 folds pooled, 3 test speakers" in table
    assert "\ndistilled    1  fixed  0.812 ± 0.088  [0.750, 1.000]  0.812  0.812  0.867" in table
    difference = (
        "distilled - random: +0.188 [-0.250, +0.500] (95 % interval over 3 speakers), ipc 1"
    )
    for rendering in (text, table):
        assert "no formal guarantee" in rendering
        assert difference in rendering
    assert max(map(len, table.splitlines())) <= 110


def test_each_student_and_recipe_has_its_own_table_with_full_data_first() -> None:
    (one, _) = folds()
    extra = [replace(r, student="convnet", parameters=99) for r in reversed(one.runs)]
    text = report([replace(one, runs=(*one.runs, *extra))]).table()
    headings = [line for line in text.splitlines() if "parameters" in line]
    assert [heading.split()[0] for heading in headings] == ["tdnn", "convnet"]
    starts = [line.split()[0] for line in text.splitlines() if " fixed  " in line]
    assert starts == ["full", "distilled", "random", "full", "random", "distilled"]


def test_the_report_is_written_read_and_the_same_each_time(tmp_path: Path) -> None:
    made = report(folds())
    made.save(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.json",
        "report.md",
    ]
    assert Report.load(tmp_path / "out" / "report.json") == made == report(folds())
    assert (tmp_path / "out" / "report.md").read_text(encoding="utf-8") == made.markdown()


def test_the_schema_documents_every_field_and_the_json_has_no_other() -> None:
    schema = Report.model_json_schema()
    found = json.loads(report(folds()).model_dump_json())

    def check(value: dict[str, Any], part: dict[str, Any]) -> None:
        assert part["additionalProperties"] is False
        assert list(value) == list(part["properties"])
        assert all(field["description"] for field in part["properties"].values())

    definitions = schema["$defs"]
    check(found, schema)
    check(found["versions"], definitions["Versions"])
    for each in found["rows"]:
        check(each, definitions["Row"])
        check(each["uar"], definitions["Spread"])
        check(each["recovery"], definitions["Estimate"])
    for each in found["comparisons"]:
        check(each, definitions["Comparison"])


def test_what_is_not_a_report_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    with pytest.raises(ReportError, match="not a report this version can read"):
        Report.load(path)
    fields = json.loads(report(folds()).model_dump_json())
    path.write_text(json.dumps(fields | {"accuracy": 0.9}))
    with pytest.raises(ReportError, match="accuracy"):
        Report.load(path)
    fields["rows"][0]["uar"]["mean"] = "0.9"
    with pytest.raises(ValidationError, match=r"rows\.0\.uar\.mean"):
        Report.model_validate_json(json.dumps(fields))


def test_folds_of_different_experiments_are_refused() -> None:
    one, two = folds()
    with pytest.raises(ReportError, match=r"at least one; found folds \[\]"):
        report([])
    with pytest.raises(ReportError, match=r"one result per fold.*found folds \[1, 1\]"):
        report([one, one])
    with pytest.raises(ReportError, match="fold 2 has the emotions calm, sad, but fold 1 has"):
        report([one, replace(two, emotions=("calm", "sad"))])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runs": ()}, "0 runs on 4 utterances"),
        ({"speakers": ("ada",)}, "4 utterances, but 1 speakers and 4 true emotions"),
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
        unavailable=("random: ipc 60 exceeds the 46 utterances of disgust",),
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
    assert lines[7] == '"fold 1, number 3",ada,angry,full,0,,tdnn,fixed,generic,1,calm'
    assert lines[-1] == '"fold 1, number 3",ada,angry,random,0,1,tdnn,fixed,generic,0,calm'


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("predictions.csv", lambda text: text[:0]),
        ("predictions.csv", lambda text: text[: len(text) // 2]),
        ("predictions.csv", lambda text: text.replace(",angry\n", ",sad\n", 1)),
        ("predictions.csv", lambda text: text.replace(",ada,calm", ",bob,calm", 1)),
        ("predictions.csv", lambda text: text.replace(",random,", ",other,")),
        ("predictions.csv", lambda text: text + text.splitlines()[-1].replace(",0,1,", ",9,1,")),
        ("runs.json", lambda text: text[:-10]),
        ("runs.json", lambda text: f"[{text}]"),
        ("runs.json", lambda text: text.replace('"parameters"', '"size"')),
        ("runs.json", lambda text: text.replace('"bytes": 153600', '"bytes": "many"')),
        ("runs.json", lambda text: text.replace('"unavailable": []', '"unavailable": 3')),
        ("runs.json", lambda text: text.replace('"fold": 1', '"fold": "one"')),
    ],
)
def test_a_damaged_fold_is_named_with_the_remedy(tmp_path: Path, file: str, damage: Any) -> None:
    folder = tmp_path / "fold-1"
    folds()[0].save(folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert damage(text) != text
    (folder / file).write_text(damage(text), encoding="utf-8")
    with pytest.raises(FoldError, match=rf"{file}.*Delete the folder .*fold-1 .*--resume"):
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
