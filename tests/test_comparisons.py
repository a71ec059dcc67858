"""What is compared with what."""

from typing import Any

from small_folds import report, result, run

from evaluation.records import Comparison
from evaluation.runs import Run

TRUTH = (0, 1, 0, 1)


def heard(name: str, **changes: Any) -> Run:
    return run(name, TRUTH, **changes)


def pairs(*runs: Run) -> list[tuple[str, str]]:
    return [(named(one), one.against) for one in compared(*runs)]


def compared(*runs: Run) -> tuple[Comparison, ...]:
    return report([result(1, ("ada", "ada", "bob", "bob"), TRUTH, *runs)]).comparisons


def named(one: Comparison) -> str:
    return f"{one.set} {one.ipc}"


def test_each_judged_set_meets_the_others_of_its_size_and_those_of_none() -> None:
    found = pairs(
        heard("full"),
        heard("distilled"),
        heard("distilled", ipc=2),
        heard("random"),
        heard("random", ipc=2),
        heard("model", ipc=None, ships="weights"),
    )
    assert found == [
        *[("distilled 1", other) for other in ("full", "random", "model")],
        *[("distilled 2", other) for other in ("full", "random", "model")],
    ]


def test_judged_sets_of_one_size_meet_once() -> None:
    found = pairs(
        heard("ours", judged=True), heard("theirs", judged=True), heard("large", judged=True, ipc=9)
    )
    assert found == [("ours 1", "theirs")]


def test_sets_meet_on_the_same_speech_only() -> None:
    found = compared(
        heard("full"), heard("full", speech="noise"), heard("distilled", speech="noise")
    )
    assert [(one.set, one.against, one.speech) for one in found] == [("distilled", "full", "noise")]


def test_nothing_is_compared_with_what_has_learnt_nothing() -> None:
    assert (
        pairs(heard("distilled"), heard("untrained", ipc=None), heard("majority", ipc=None)) == []
    )


def test_teachers_and_pupils_are_compared_with_full_data() -> None:
    teacher = heard("teacher: ensemble", ipc=None, ships="weights")
    pupil = heard("distilled-model: ensemble, logits", ipc=None, ships="weights")
    assert pairs(heard("full"), heard("random"), teacher, pupil) == [
        ("teacher: ensemble None", "full"),
        ("distilled-model: ensemble, logits None", "full"),
    ]
