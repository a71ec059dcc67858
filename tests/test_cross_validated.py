"""What is quoted on the card of a set that has no test speakers."""

from dataclasses import replace
from typing import Any

from small_folds import folds, report

from distill.cross_validated import cross_validated
from evaluation.report import Report
from evaluation.runs import FoldResult


def listed(results: list[FoldResult]) -> Report:
    """Of tests that are not parts of one."""
    named = [replace(one, listed=f"test{one.fold}") for one in results]
    return Report.of("Made up", named, corpus="made-up", command="", pooled=False)


def changed(name: str, **changes: Any) -> list[FoldResult]:
    """The folds, with a set's runs changed."""
    return [
        replace(
            one,
            runs=tuple(replace(run, **changes) if run.set == name else run for run in one.runs),
        )
        for one in folds()
    ]


def test_folds_that_are_parts_of_one_test_are_quoted_pooled():
    quoted = cross_validated(report(folds()), 2)
    assert quoted is not None
    assert ". All folds pooled: fixed initialisation: UAR 0." in quoted
    assert quoted.count("UAR") == 1
    of_more = cross_validated(report(folds()), 4)
    assert of_more is not None
    assert ". Only folds 1, 2 of 4: fixed initialisation: UAR 0." in of_more


def test_tests_that_are_not_are_quoted_each_by_its_name():
    quoted = cross_validated(listed(folds()), 2)
    assert quoted is not None
    assert "pooled" not in quoted
    assert "Made up. Fold 1 (test1) of 2: fixed initialisation: UAR 0." in quoted
    assert ". Fold 2 (test2) of 2: fixed initialisation: UAR 0." in quoted


def test_nothing_is_quoted_of_other_students_or_other_speech():
    for other in ({"speech": "noise-10dB"}, {"student": "crnn"}, {"initialisation": "fixed + 0.3"}):
        results = [
            replace(one, runs=(*one.runs, *(replace(r, **other) for r in one.runs)))
            for one in folds()
        ]
        assert cross_validated(report(results), 2) == cross_validated(report(folds()), 2)
    assert cross_validated(report(changed("distilled", set="mine")), 2) is None
