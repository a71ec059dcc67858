"""The report for people, part by part: who is shown, with which numbers, and when nothing is."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from small_folds import folds, report

from evaluation.runs import FoldResult, Run, Ships
from evaluation.sections import ALLOWS
from evaluation.tables import Table, markdown, plain


def fold(*more: Run) -> FoldResult:
    """The second fold, of two speakers, with more runs."""
    second = folds()[1]
    return replace(second, runs=(*second.runs, *more))


def again(name: str, **changes: Any) -> list[Run]:
    """The second fold's runs of a set, changed."""
    return [replace(r, **changes) for r in folds()[1].runs if r.set == name]


def section(title: str, of: FoldResult) -> list[str]:
    """A section's lines, without its title; none if there is no such section."""
    _, found, rest = report([of]).markdown().partition(f"## {title}\n\n")
    return rest.split("\n## ")[0].strip().splitlines() if found else []


@pytest.mark.parametrize("title", ["Robustness", "Students", "Model distillation"])
def test_sections_without_data_are_left_out(title: str) -> None:
    assert section(title, fold()) == []


def test_robustness_has_a_column_for_each_way_of_hearing_and_clean_first() -> None:
    lines = section(
        "Robustness",
        fold(
            *again("full", speech="noise", predicted=(0, 0, 0, 1)), *again("random", speech="mp3")
        ),
    )
    assert lines[2:] == [
        "| set | ipc | student | init | clean | noise | mp3 |",
        "| --- | ---: | --- | --- | ---: | ---: | ---: |",
        "| full | - | tdnn | fixed | 1.000 | 0.750 | - |",
        "| distilled | 1 | tdnn | fixed | 0.875 | - | - |",
        "| random | 1 | tdnn | fixed | 0.750 | - | 0.750 |",
    ]


def test_the_main_table_is_of_clean_speech_and_has_no_teachers() -> None:
    of = fold(
        *again("full", speech="noise"),
        *again("random", recipe="augmented"),
        *again("full", set="teacher: ensemble", ships="weights"),
        *again("full", set="distilled-model: ensemble, logits", ships="weights"),
    )
    main = report([of]).table().split("\n\n")[1]
    assert [line.split()[0] for line in main.splitlines()] == ["set", "full", "distilled", "random"]


def test_students_of_other_kinds_stand_side_by_side_from_random_weights() -> None:
    other = {"student": "svm", "initialisation": "none"}
    lines = section(
        "Students",
        fold(
            *again("full", initialisation="random"),
            *again("full", **other),
            *again("distilled", initialisation="random"),
            *again("random", **other),
            *again("full", set="model", ships="weights", **other),
        ),
    )
    assert lines[2:] == [
        "| set | ipc | made for | tdnn | svm |",
        "| --- | ---: | --- | ---: | ---: |",
        "| full | - | - | 1.000 (1.00) | 1.000 (1.00) |",
        "| distilled | 1 | tdnn | 0.875 (0.88) | - |",
        "| random | 1 | - | - | 0.750 (0.75) |",
    ]


def test_who_loses_is_said_of_genders_and_of_the_speakers_with_the_largest_loss() -> None:
    lines = section("Who gains and who loses", fold())
    assert "| distilled | 1 | fixed | 0.750 | 1.000 |" in lines  # female, male
    assert lines[-1] == "| distilled | 1 | fixed | eve | 0.750 | 1.000 | -0.250 |"
    assert not any("| bob |" in line for line in lines)  # who loses nothing
    assert section("Who gains and who loses", fold())[:3] == [
        "UAR by gender, tdnn:",
        "",
        "| set | ipc | init | female | male |",
    ]


def test_nothing_is_said_of_losses_where_there_is_no_full_data() -> None:
    one = fold()
    without = replace(one, runs=tuple(run for run in one.runs if run.set != "full"))
    lines = section("Who gains and who loses", without)
    assert lines[0] == "UAR by gender, tdnn:"
    assert not any("loss" in line or "loses" in line for line in lines)


def test_at_most_five_speakers_are_named() -> None:
    one = folds()[0]
    speakers = tuple("abcdefgh")
    made = replace(
        one,
        utterances=speakers,
        speakers=speakers,
        genders=("",) * 8,
        truth=(0, 1) * 4,
        runs=(
            replace(one.runs[0], predicted=(0, 1) * 4),
            replace(one.runs[2], predicted=(1, 0, 1, 0, 1, 0, 1, 1)),
        ),
    )
    lines = section("Who gains and who loses", made)
    assert [line.split(" | ")[3] for line in lines if line.startswith("| distilled")] == list(
        "abcde"
    )
    assert not any("gender" in line for line in lines)
    lossless = replace(made, runs=(made.runs[0], replace(made.runs[1], predicted=(0, 1) * 4)))
    assert section("Who gains and who loses", lossless)[-1] == "No speaker loses."


def test_what_each_way_ships_needs_and_allows() -> None:
    lines = section(
        "What each way ships and needs",
        fold(
            *again("full", set="model", ships="weights", steps=0, making_seconds=30.0),
            *again(
                "distilled",
                initialisation="random",
                peak_memory=200_000_000,
                bytes=100_000,
                steps=60,
            ),
            *again("full", set="untrained", ships="weights"),
            *again("full", set="majority", ships="nothing"),
            *again("full", set="teacher: ensemble", ships="weights"),
        ),
    )
    assert lines[4:] == [
        "| full | - | real items | 7.7 MB | 0.0 | 30.0 | 600 | - | 1,234 | yes | yes | yes |",
        "| distilled | 1 | synthetic items | 100 kB | 1.0 | 30.0 | 60 | 200 MB | 1,234 | no "
        "| yes | yes |",
        "| random | 1 | real items | 154 kB | 0.1 | 30.0 | 600 | - | 1,234 | yes | yes | yes |",
        "| model | - | weights | 7.7 MB | 0.5 | 30.0 | 0 | - | 1,234 | no | no | no |",
    ]


def test_every_way_of_sharing_allows_something_or_nothing() -> None:
    assert set(ALLOWS) == set(get_args(Ships))


def test_model_distillation_shows_each_teachers_lead_and_what_was_taught() -> None:
    lines = section(
        "Model distillation",
        fold(
            *again("full", set="teacher: ensemble", ships="weights"),
            *again("random", set="distilled-model: ensemble, logits", ships="weights", ipc=None),
        ),
    )
    found = [
        line.split(" | ")[:1] + line.split(" | ")[4:5] + line.split(" | ")[6:8] for line in lines
    ]
    assert [(one[0], one[2], one[3].split()[0]) for one in found[4:]] == [
        ("| full", "1.000", "-"),
        ("| distilled", "0.875", "-0.125"),
        ("| teacher: ensemble", "1.000", "+0.000"),
        ("| distilled-model: ensemble, logits", "0.750", "-0.250"),
    ]


def test_scores_stand_with_their_intervals() -> None:
    lines = section("Scores", fold())
    (found,) = report([fold()]).scores
    assert found.label_robust is not None
    low, high = found.label_robust.interval or (0.0, 0.0)
    assert lines[-1] == (
        f"| distilled | 1 | tdnn | fixed | {found.label_robust.mean:.3f} [{low:.3f}, {high:.3f}] "
        f"| - |"
    )


def test_a_long_table_is_broken_where_the_initialisation_changes() -> None:
    header = ("set", "init", "UAR")
    long = Table(header, [["a", "fixed", "0.5"]] * 7 + [["a", "random", "0.5"]] * 7)
    assert [i for i, line in enumerate(plain(long).splitlines()) if not line] == [8]
    assert "" not in plain(Table(header, long.lines[5:9])).splitlines()


def test_a_terminal_line_holds_names_of_any_usual_length() -> None:
    name = "time-compressed-int8-by-somebody-else"
    made = report([fold(*again("random", set=name), *again("random", set=name, ipc=None))])
    assert name in made.table()
    assert max(map(len, made.table().splitlines())) <= 110
    assert "recovery  " not in made.table()  # the least of the columns goes first
    assert "| recovery |" in made.markdown()
    assert f"\n{name}" in made.table()


def test_a_bar_in_a_name_does_not_break_a_table() -> None:
    assert markdown(Table(("a|b",), [["c|d"]])).splitlines() == [
        "| a\\|b |",
        "| --- |",
        "| c\\|d |",
    ]
