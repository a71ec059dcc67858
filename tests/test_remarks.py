"""What a report says of what is missing from its numbers."""

from dataclasses import replace

from small_dimensional import judged
from small_folds import folds, report

from evaluation.dimensional.report import DimensionalReport


def test_a_set_that_is_not_pooled_has_one_line_whoever_its_students_are() -> None:
    one, two = folds()
    random = one.runs[-1]
    others = [replace(random, student="svm"), replace(random, speech="noise")]
    one = replace(one, runs=(*one.runs, *others))
    assert len(report([one, replace(two, runs=two.runs[:-1])]).unavailable) == 1
    # Where some students of it are pooled, it says who are not.
    (remark,) = report([one, two]).unavailable
    assert remark.startswith(
        "random, ipc 1 (svm, fixed initialisation, generic recipe; tdnn, fixed initialisation, "
        "generic recipe) over all folds: some folds lack it"
    )


def test_a_report_of_dimensions_says_where_single_folds_are() -> None:
    one = judged(baselines=("full", "random"), students=("linear",))
    lacking = tuple(run for run in one.runs if run.set != "random")
    made = DimensionalReport.of(
        "a line", [one, replace(one, fold=2, runs=lacking)], corpus="made-up", command="evaluate"
    )
    (remark,) = [each for each in made.unavailable if each.startswith("random, ipc 2 over all")]
    assert remark.endswith("for single folds see mean CCC per fold in report.md, or report.json")
    assert "## Mean CCC per fold" in made.markdown()
