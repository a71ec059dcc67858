"""Sections of `report.md` beside the main table; each is empty where there is nothing to say."""

from collections.abc import Sequence
from typing import NamedTuple

from evaluation.options import FIXED, MAJORITY, PUPIL, RANDOM, TEACHER, UNTRAINED
from evaluation.records import Comparison, Group, Row, Score
from evaluation.runs import CLEAN, FULL, RANDOM_SUBSET
from evaluation.starts import name_of, noise_of
from evaluation.tables import (
    NONE,
    Table,
    difference,
    interval,
    items,
    markdown,
    mean,
    minutes,
    size,
    spread,
    start,
)

LOSERS = 5  # speakers
YES, NO = "yes", "no"


class Allows(NamedTuple):
    """What somebody can do with what was shipped.

    Whoever makes it has the recordings in every case.
    """

    seeing_real_speech: str  # single utterances, as features
    other_architectures: str
    training_again: str  # also with recordings of their own


ALLOWS: dict[str, Allows] = {
    "real items": Allows(YES, YES, YES),
    "synthetic items": Allows(NO, YES, YES),
    "synthetic items near real ones": Allows("nearly", YES, YES),
    "items of unknown origin": Allows("unknown", YES, YES),
    "means of items": Allows(NO, YES, YES),
    "a generator": Allows(NO, YES, YES),
    "weights": Allows(NO, NO, NO),
    "nothing": Allows(NO, NO, NO),
}


def robustness(rows: Sequence[Row]) -> str:
    """UAR by how the test speech is heard."""
    speeches = sorted(dict.fromkeys(row.speech for row in rows), key=lambda one: one != CLEAN)
    if len(speeches) < 2:
        return ""
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        name = (row.set, items(row.ipc), row.student, start(row))
        lines.setdefault(name, {})[row.speech] = f"{row.uar.mean:.3f}"
    return section(
        "Robustness",
        "UAR of the same students, by how the test speech is heard.",
        Table(
            ("set", "ipc", "student", "init", *speeches),
            [[*name, *(of.get(one, NONE) for one in speeches)] for name, of in lines.items()],
        ),
    )


def students(rows: Sequence[Row]) -> str:
    """Sets by the students that are trained on them, whatever network they were made for."""
    shown = [
        row
        for row in rows
        if row.speech == CLEAN
        and row.initialisation != FIXED
        and ALLOWS[row.ships].other_architectures == YES
    ]
    names = list(dict.fromkeys(row.student for row in shown))
    if len(names) < 2:
        return ""
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in shown:
        name = (row.set, items(row.ipc), row.made_for or NONE)
        ratio = "" if row.relative_uar is None else f" ({row.relative_uar.mean:.2f})"
        lines.setdefault(name, {})[row.student] = f"{row.uar.mean:.3f}{ratio}"
    return section(
        "Students",
        "UAR, with the ratio to full data in brackets, of students of several kinds, from random "
        "weights where they have any.",
        Table(
            ("set", "ipc", "made for", *names),
            [[*name, *(of.get(one, NONE) for one in names)] for name, of in lines.items()],
        ),
    )


def start_noise(rows: Sequence[Row]) -> str:
    """Sets by how far from the fixed weights their students start; full data and others beside."""
    sizes = sorted({noise for row in rows if (noise := noise_of(row.initialisation)) is not None})
    if not sizes:
        return ""
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        name = (row.set, items(row.ipc), row.student, row.recipe)
        ratio = "" if row.relative_uar is None else f" ({row.relative_uar.mean:.2f})"
        lines.setdefault(name, {})[row.initialisation] = f"{row.uar.mean:.3f}{ratio}"
    near = [name_of(size) for size in sizes]
    places = (FIXED, *near, RANDOM)
    return section(
        "Between fixed and random",
        "UAR, with the ratio to full data from the same start in brackets, of students that start "
        "from the fixed weights plus noise; at 1 it is as large as random weights are.",
        Table(
            ("set", "ipc", "student", "recipe", *places),
            [
                [*name, *(of.get(one, NONE) for one in places)]
                for name, of in lines.items()
                if of.keys() & set(near)
            ],
        ),
    )


def who_loses(groups: Sequence[Group], student: str) -> str:
    """UAR by gender, and the speakers who lose most against full data."""
    own = [group for group in groups if group.student == student]
    if not any(group.set not in (FULL, RANDOM_SUBSET) for group in own):
        return ""
    genders = list(dict.fromkeys(group.group for group in own if group.kind == "gender"))
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for group in own:
        if group.kind == "gender":
            name = (group.set, items(group.ipc), start(group))
            lines.setdefault(name, {})[group.group] = f"{group.uar:.3f}"
    by_gender = Table(
        ("set", "ipc", "init", *genders),
        [[*name, *(of[gender] for gender in genders)] for name, of in lines.items()],
    )
    losers = Table(("set", "ipc", "init", "speaker", "UAR", "full", "difference"), _losers(own))
    by_speaker = [
        f"Up to {LOSERS} speakers with the largest loss against full data, {student}:",
        markdown(losers) if losers.lines else "No speaker loses.",
    ]
    return "\n\n".join(
        [
            "## Who gains and who loses",
            *([f"UAR by gender, {student}:", markdown(by_gender)] if genders else []),
            *(by_speaker if any(group.set == FULL for group in own) else []),
        ]
    )


def _losers(groups: Sequence[Group]) -> list[list[str]]:
    speakers = [group for group in groups if group.kind == "speaker"]
    full = {(one.initialisation, one.group): one.uar for one in speakers if one.set == FULL}
    losses: dict[tuple[str, ...], list[tuple[float, Group]]] = {}
    for one in speakers:
        if one.set not in (FULL, RANDOM_SUBSET) and (one.initialisation, one.group) in full:
            name = (one.set, items(one.ipc), start(one))
            loss = full[one.initialisation, one.group] - one.uar
            losses.setdefault(name, []).append((loss, one))
    return [
        [*name, one.group, f"{one.uar:.3f}", f"{one.uar + loss:.3f}", f"{-loss:+.3f}"]
        for name, found in losses.items()
        for loss, one in sorted(found, key=lambda pair: -pair[0])[:LOSERS]
        if loss > 0
    ]


def needs(rows: Sequence[Row], student: str) -> str:
    """What each way of sharing ships, costs and allows."""
    ways: dict[tuple[str, int | None], Row] = {}
    # Random weights first: fixed ones are bytes more, and only few sets have them.
    for row in sorted(rows, key=lambda row: row.initialisation == FIXED):
        if row.speech == CLEAN and row.student == student:
            ways.setdefault((row.set, row.ipc), row)
    shown = [
        row
        for row in sorted(ways.values(), key=lambda row: (row.set != FULL, not row.judged))
        if row.set not in (UNTRAINED, MAJORITY) and not row.set.startswith(TEACHER)
    ]
    if not shown:
        return ""
    return section(
        "What each way ships and needs",
        f"For {student}: minutes to make what is shipped; then what whoever receives it spends on "
        "one student, in seconds, steps of the optimiser and bytes of memory; and whether they get "
        "to see real utterances, can train other architectures, and can train again or together "
        "with recordings of their own.",
        Table(
            (
                *("set", "ipc", "leaves the owner", "bytes", "minutes to make"),
                *("student seconds", "steps", "peak memory", "parameters"),
                *("real utterances seen", "other architectures", "train again, mix"),
            ),
            [
                [
                    row.set,
                    items(row.ipc),
                    row.ships,
                    size(row.bytes),
                    minutes(row.making_seconds),
                    f"{row.student_seconds:.1f}",
                    f"{row.steps:.0f}",
                    NONE if row.peak_memory is None else size(row.peak_memory),
                    f"{row.parameters:,}",
                    *ALLOWS[row.ships],
                ]
                for row in shown
            ],
        ),
    )


def model_distillation(rows: Sequence[Row], comparisons: Sequence[Comparison]) -> str:
    """Teachers and pupils beside full data and the judged sets."""
    clean = [row for row in rows if row.speech == CLEAN]
    taught = [row for row in clean if row.set.startswith((TEACHER, PUPIL))]
    if not taught:
        return ""
    rooms = {(row.student, row.initialisation) for row in taught}
    shown = [
        row
        for row in clean
        if (row.student, row.initialisation) in rooms and (row.set == FULL or row.judged)
    ]
    leads = {
        (one.set, one.ipc, one.student, start(one)): difference(one.difference)
        for one in comparisons
        if one.against == FULL and one.speech == CLEAN
    }
    return section(
        "Model distillation",
        "A teacher has heard all real training data; its pupil, the student, is trained on all of "
        "them with what the teacher says of each. Lead: of UAR over the student of full data.",
        Table(
            (
                *("set", "ipc", "student", "init", "UAR", "interval"),
                *("ratio", "lead", "parameters", "bytes", "minutes"),
            ),
            [
                [
                    row.set,
                    items(row.ipc),
                    row.student,
                    start(row),
                    spread(row.uar),
                    interval(row.uar),
                    mean(row.relative_uar),
                    leads.get((row.set, row.ipc, row.student, start(row)), NONE),
                    f"{row.parameters:,}",
                    size(row.bytes),
                    minutes(row.seconds),
                ]
                for row in sorted(shown, key=lambda row: row.set != FULL) + taught
            ],
        ),
    )


def scores(found: Sequence[Score]) -> str:
    """DD-Ranking's scores."""
    if not found:
        return ""
    return section(
        "Scores",
        "DD-Ranking's label-robust and augmentation-robust scores (Li et al. 2025), from UAR as "
        "fractions: 0.269 is no lead over random subsets and no loss against full data, 1 the most "
        "that can be.",
        Table(
            ("set", "ipc", "student", "init", "label-robust", "augmentation-robust"),
            [
                [
                    one.set,
                    items(one.ipc),
                    one.student,
                    one.initialisation,
                    *(
                        NONE if score is None else f"{mean(score)} {interval(score)}"
                        for score in (one.label_robust, one.augmentation_robust)
                    ),
                ]
                for one in found
            ],
        ),
    )


def section(title: str, text: str, table: Table) -> str:
    """A heading, what is in the table, and the table."""
    return f"## {title}\n\n{text}\n\n{markdown(table)}"
