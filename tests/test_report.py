"""The report: rows counted by hand, what is compared with what, what is said of what is missing."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from small_folds import LINE, folds, report, result, run

from evaluation.page.page import html
from evaluation.page.wording import NONE
from evaluation.records import Row
from evaluation.report import Report
from evaluation.runs import FoldResult
from evaluation.saved_report import ReportError


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


def test_tests_that_share_their_training_side_are_not_pooled(tmp_path: Path) -> None:
    told = [replace(one, listed=f"test{one.fold}") for one in folds()]
    apart = Report.of(LINE, told, corpus="small", command="evaluate-data", pooled=False)
    pooled = report(folds())
    assert {row.fold for row in apart.rows} == {1, 2}
    for fold in (1, 2):
        assert row(apart, "distilled", fold).uar.mean == row(pooled, "distilled", fold).uar.mean
    assert {one.fold for one in apart.comparisons} == {1, 2}
    for shown in (apart.table(), apart.markdown()):
        assert "fold 1 (test1)" in shown
        assert "fold 2 (test2)" in shown
        assert "pooled" not in shown.replace("none are pooled", "")
    assert "each stands for itself" in apart.notes[-1]
    apart.save(tmp_path)
    assert Report.load(tmp_path / "report.json") == apart
    page = html(apart)
    assert page.count("recipe, fold 1 (test1)") == page.count("recipe, fold 2 (test2)") > 0


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
    assert by_set["random"].difference.interval is not None
    low, high = by_set["random"].difference.interval
    assert low < 0 < 0.8125 - 0.625 < high


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
    assert "distilled, ipc 1, minus   fixed\nfull                     -0.125\n" in made.table()
    assert "| random | +0.250 |" in made.markdown()
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
    assert made.unavailable == (
        "random, ipc 1 over all folds: some folds lack it, or have other draws or seeds of it; for "
        "single folds see UAR per fold in report.md, or report.json",
    )
    assert "UAR per fold:" in made.markdown()
    assert made.unavailable[0][:60] in made.table()


def test_students_that_some_folds_lack_are_not_pooled_and_the_others_are() -> None:
    one, two = folds()
    late = replace(two, runs=tuple(r for r in two.runs if (r.set, r.seed) != ("distilled", 1)))
    made = report([one, replace(late, failed=("distilled, tdnn, seed 1: diverged",))])
    assert row(made, "distilled", "all").runs == 1
    assert row(made, "distilled", "all").uar.mean == pytest.approx(0.875)  # the first student's
    assert row(made, "distilled", 1).runs == 2
    assert made.notes == (
        "distilled, ipc 1 (tdnn, fixed initialisation, generic recipe) over all folds: only what "
        "every fold has, students per fold: 1",
    )
    assert made.failed == ("distilled, tdnn, seed 1: diverged (fold 2)",)
    assert "failed: distilled, tdnn, seed 1: diverged (fold 2)" in made.table()
    assert "## Failed\n\n- distilled, tdnn, seed 1: diverged (fold 2)" in made.markdown()


def test_the_texts_say_what_the_numbers_mean() -> None:
    made = report(folds())
    text = made.markdown()
    assert text.startswith(f"# {LINE}\n")
    uar = "[{:.3f}, {:.3f}]".format(*row(made, "distilled", "all").uar.interval or ())
    interval = "[{:+.3f}, {:+.3f}]".format(*made.comparisons[1].difference.interval or ())
    assert (
        f"| distilled | 1 | fixed | 0.812 ± 0.088 | {uar} | 0.812 | 0.812 | 0.867 | 0.714 "
        "| 154 kB | 1.5 |"
    ) in text
    assert "| 1 | 0.875 | 0.750 | 0.500 |" in text  # UAR per fold
    assert "The 3 test speakers were drawn again" in text
    assert "at least 92 times in 100 over 4 speakers or more" in text
    assert text.endswith(f"\n{LINE}\n")
    assert "distill-data --ipc 1 --seed 0" in text
    assert "PyTorch 2" in text
    table = made.table()
    assert "tdnn (1,234 parameters), generic recipe, 2 folds pooled, 3 test speakers" in table
    assert f"\ndistilled    1  fixed  0.812 ± 0.088  {uar}  0.812  0.812  0.867" in table
    for rendering in (text, table):
        assert "no formal guarantee" in rendering
        assert "Differences of UAR on the same test speakers [95 % interval]:" in rendering
    assert f"| random | +0.188 {interval} |" in text
    assert f"random                   +0.188 {interval}" in table
    assert max(map(len, table.splitlines())) <= 110


def test_each_student_has_its_own_table_full_data_first_then_what_is_judged() -> None:
    (one, _) = folds()
    extra = [replace(r, student="convnet", parameters=99) for r in reversed(one.runs)]
    text = report([replace(one, runs=(*one.runs, *extra))]).table()
    headings = [line for line in text.splitlines() if "parameters" in line]
    assert [heading.split()[0] for heading in headings] == ["tdnn", "convnet"]
    starts = [line.split()[0] for line in text.splitlines() if " fixed  " in line]
    assert starts == ["full", "distilled", "random"] * 2


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


def test_a_row_says_what_is_shipped_and_what_a_student_takes() -> None:
    one, two = folds()
    second = [
        replace(r, setting="300 steps, learning rate 0.01", steps=300, peak_memory=7_000)
        if (r.set, r.seed) == ("distilled", 1)
        else r
        for r in two.runs
    ]
    made = row(report([one, replace(two, runs=tuple(second))]), "distilled", "all")
    assert (made.judged, made.made_for, made.ships) == (True, "tdnn", "synthetic items")
    assert made.steps == pytest.approx((3 * 600 + 300) / 4)
    assert made.settings == ("600 steps, learning rate 0.001", "300 steps, learning rate 0.01")
    assert made.peak_memory == 7_000
    full = row(report([one, two]), "full", "all")
    assert (full.judged, full.made_for, full.ships, full.peak_memory) == (
        False,
        None,
        "real items",
        None,
    )


def test_what_nobody_noted_is_no_time(tmp_path: Path) -> None:
    """A set of unknown making would look cheaper than what is made in a minute."""
    one, two = folds()
    foreign = replace(
        two, runs=tuple(replace(r, making_seconds=None) if r.judged else r for r in two.runs)
    )
    foreign.save(tmp_path)
    assert FoldResult.load(tmp_path) == foreign
    alone = report([foreign])
    made = row(alone, "distilled", 2)
    assert (made.seconds, made.making_seconds, made.student_seconds) == (None, None, 30.0)
    assert row(report([one, foreign]), "distilled", "all").seconds is None
    text = alone.markdown()
    main, ways = (line for line in text.splitlines() if re.match(r"\| distilled .* kB", line))
    assert main.endswith("| 154 kB | - |")
    assert "| 154 kB | - | 30.0 |" in ways
    assert alone.table().splitlines()[4].split()[-1] == "-"
    page = html(alone)
    assert page.count(f">{NONE}<") >= html(report([two])).count(f">{NONE}<") + 2


def test_a_row_is_relative_to_full_data_of_its_own_speech_and_recipe() -> None:
    truth = (0, 0, 1, 1)
    made = report(
        [
            result(
                1,
                ("ada", "bob", "ada", "bob"),
                truth,
                run("full", truth),
                run("full", (0, 0, 1, 0), recipe="augmented"),
                run("full", (0, 0, 0, 0), speech="noise"),
                run("distilled", (0, 0, 1, 0)),
                run("distilled", (0, 0, 1, 0), recipe="augmented"),
                run("distilled", (0, 0, 1, 0), recipe="hard-labels"),
                run("distilled", (0, 0, 1, 0), speech="noise"),
            )
        ]
    )
    ratios = {
        (r.recipe, r.speech): r.relative_uar.mean
        for r in made.rows
        if r.set == "distilled" and r.relative_uar is not None
    }
    assert ratios == {
        ("generic", "clean"): 0.75,
        ("augmented", "clean"): 1.0,
        ("hard-labels", "clean"): 0.75,  # no full data by that recipe: the common one
        ("generic", "noise"): 1.5,
    }
