"""On the page: students by a set's own schedule, and from between fixed and random weights."""

import pytest
from page_reports import content, first_view, plain_report, rich_report, texts

from evaluation.page.confusions import confusions
from evaluation.page.headline import headline
from evaluation.page.results import differences, results
from evaluation.page.speakers import speakers
from evaluation.page.start_noise import start_noise
from evaluation.page.view import View
from evaluation.page.ways import cost
from evaluation.page.wording import NONE


@pytest.fixture(scope="module")
def view() -> View:
    return first_view(rich_report())


def test_the_native_student_stands_beside_full_data_by_the_common_recipe(view: View) -> None:
    """Full data have no schedule."""
    (native,) = [row for row in view.judged if row.recipe == "native"]
    full = view.full(native)
    assert full is not None
    assert (full.initialisation, full.recipe) == ("fixed", "generic")
    assert native.relative_uar is not None
    assert native.relative_uar.mean == pytest.approx(native.uar.mean / full.uar.mean)
    ((row,),) = [
        body.rows
        for body in results(view)[0].tables[0].bodies
        if body.name == "fixed initialisation, native schedule"
    ]
    assert (row[0].text, row[2].text) == ("distilled", f"{native.uar.mean:.3f}")  # and no deviation
    assert row[3].plot is not None
    assert f"full data {full.uar.mean:.3f}" in row[3].plot.label
    (claim,) = [one for one in headline(view) if "native" in one.about]
    assert claim.about == "distilled, tdnn, fixed initialisation, native schedule"
    assert f"({native.uar.mean:.3f} vs {full.uar.mean:.3f})" in claim.rest
    (part,) = [part for part in confusions(view) if "native" in part.name]
    assert [table.caption for table in part.tables] == [
        "full",
        "distilled, ipc 10",
        "random, ipc 10",
    ]
    (people,) = [part for part in speakers(view) if "native" in part.name]
    assert [column.name for column in people.tables[0].columns[2:5]] == [
        "full",
        "distilled, ipc 10",
        "random, ipc 10",
    ]
    (pairs,) = [
        body.rows
        for body in differences(view)[0].tables[0].bodies
        if body.name.endswith("native schedule")
    ]
    assert {row[1].text for row in pairs} == {"full", "random"}
    paid = cost(view)
    assert paid is not None
    assert "20 steps of its own" in [row[5] for row in texts(paid)]


def test_between_fixed_and_random_lies_a_curve(view: View) -> None:
    (curves,) = start_noise(view)
    assert curves.name == "tdnn, generic recipe, ipc 10"
    names = [column.name for column in curves.numbers.columns]
    assert names == ["start", "full", "distilled", "distilled, native", "random"]
    rows = texts(curves.numbers)
    assert [row[0] for row in rows] == ["fixed", "0.3", "1", "random"]
    assert NONE not in [cell for row in rows for cell in row[:3]]
    assert rows[-1][3] == NONE  # no schedule is made for random weights
    uar = {
        (row.set, row.initialisation): f"{row.uar.mean:.3f} ± {row.uar.sd:.3f}"
        for row in view.all_starts
        if row.student == "tdnn" and row.speech == "clean" and row.ipc != 1
        and row.recipe == "generic" and row.uar.sd is not None
    }  # fmt: skip
    for line, start in zip(rows, ("fixed", "fixed + 0.3", "fixed + 1", "random"), strict=True):
        assert line[1:3] == [uar["full", start], uar["distilled", start]]
    for words in ("full at fixed: 0.", "distilled at 0.3: 0.", "distilled, native at 1: 0."):
        assert words in curves.picture.alt
    assert content(curves.picture.source).startswith(b"<?xml")
    assert start_noise(first_view(plain_report())) == []


def test_what_starts_between_is_in_that_section_only(view: View) -> None:
    for table in (results(view)[0].tables[0], differences(view)[0].tables[0]):
        assert not any("+" in body.name for body in table.bodies)
    assert not any("+ " in part.name for part in (*confusions(view), *speakers(view)))
    assert not any("+ " in score.initialisation for score in view.report.scores)
    assert "fixed + " not in view.report.table()
