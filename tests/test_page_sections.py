"""The numbers on the page are those of the report, in their places."""

import re

import pytest
from page_reports import EMOTIONS, content, first_view, plain_report, rich_report, texts

from evaluation.page.architectures import architectures
from evaluation.page.colours import looks, shade
from evaluation.page.confusions import confusions
from evaluation.page.headline import headline, in_the_bytes_of
from evaluation.page.model_distillation import model_distillation
from evaluation.page.over_ipc import over_ipc
from evaluation.page.results import differences, results
from evaluation.page.robustness import robustness
from evaluation.page.scores import scores
from evaluation.page.speakers import speakers
from evaluation.page.table import Scale
from evaluation.page.view import View
from evaluation.page.ways import cost, ways
from evaluation.page.wording import MINUS, NONE
from evaluation.report import Report


@pytest.fixture(scope="module")
def report() -> Report:
    return rich_report()


@pytest.fixture(scope="module")
def view(report: Report) -> View:
    return first_view(report)


def test_the_headline_is_that_of_the_rows(view: View) -> None:
    (row,) = [row for row in view.judged if (row.ipc, row.initialisation) == (10, "random")]
    full = view.full(row)
    assert full is not None
    assert row.relative_uar is not None
    assert row.relative_uar.interval is not None
    low, high = row.relative_uar.interval
    *_, claim = [one for one in headline(view) if "random" in one.about]
    assert claim.about == "distilled, tdnn, random initialisation"
    assert claim.claim == f"10 items per class keep {100 * row.relative_uar.mean:.0f} %"
    assert claim.rest == (
        f"[{100 * low:.0f}, {100 * high:.0f}] of full-data UAR ({row.uar.mean:.3f} vs "
        f"{full.uar.mean:.3f}), 19 % of the bytes."
    )


def test_the_headline_counts_items_that_are_stored_small(report: Report) -> None:
    more = 16 * len(report.emotions)
    rows = tuple(
        row.model_copy(update={"utterances": more, "ipc": 1}) if row.judged else row
        for row in report.rows
    )
    claim, *_ = headline(first_view(report.model_copy(update={"rows": rows})))
    assert claim.claim.startswith("16 items per class, in no more than the bytes of 1, keep ")


@pytest.mark.parametrize(("items", "each"), [(225, 32), (224, 32), (222, 32)])
def test_folds_whose_sets_differ_in_size_have_a_mean_size(items: int, each: int) -> None:
    said = in_the_bytes_of(10, items, 7, "class")
    assert said == f"{each} items per class, in no more than the bytes of 10,"


def test_the_headline_without_full_data_makes_no_comparison(report: Report) -> None:
    rows = tuple(
        row.model_copy(update={"relative_uar": None, "recovery": None})
        for row in report.rows
        if row.set != "full"
    )
    alone = headline(first_view(report.model_copy(update={"rows": rows})))
    assert re.fullmatch(r"1 item per class: UAR 0\.\d{3}", alone[0].claim)
    assert alone[0].rest == "There is no student of full data beside it."


def test_the_main_table_shows_clean_speech_of_the_network_first(view: View) -> None:
    first, second = results(view)
    assert (first.name, second.name) == ("tdnn, generic recipe", "convnet, generic recipe")
    (table,) = first.tables
    assert [body.name for body in table.bodies] == [
        "fixed initialisation",
        "fixed initialisation, native schedule",
        "random initialisation",
    ]
    fixed, chance = table.bodies[0].rows, first_view(plain_report()).chance
    assert [(row[0].text, row[1].text) for row in fixed] == [
        ("full", NONE),
        ("untrained", NONE),
        ("distilled", "1"),
        ("random", "1"),
        ("distilled", "10"),
        ("random", "10"),
    ]
    (full,) = [row for row in view.clean if row.set == "full" and row.student == "tdnn"][:1]
    assert fixed[0][2].text == f"{full.uar.mean:.3f} ± {full.uar.sd:.3f}"
    plot = fixed[0][3].plot
    assert plot is not None
    assert f"UAR {full.uar.mean:.3f}, interval" in plot.label
    assert f"chance {chance:.3f}" in plot.label
    # The mark is where the full-data line is, and chance is to the left of both.
    assert [line.at for line in plot.lines if not line.dashed] == [plot.marks[0].at]
    assert plot.marks[0].low is not None
    assert plot.lines[0].at < plot.marks[0].low < plot.marks[0].at


def test_places_on_a_scale_are_proportional() -> None:
    scale = Scale.around([0.14, 0.58])
    assert (scale.low, scale.high) == (0.1, 0.6)
    assert [scale.percent(x) for x in (0.1, 0.35, 0.6)] == [0.0, 50.0, 100.0]
    assert scale.ticks[0] == (0.0, "0.10")
    assert scale.ticks[-1] == (100.0, "0.60")
    single = Scale.around([0.3])
    assert single.low <= 0.3 < single.high


def test_differences_are_the_reports(view: View) -> None:
    rows = texts(differences(view)[0].tables[0])
    one = next(
        one
        for one in view.report.comparisons
        if (one.set, one.against, one.ipc) == ("distilled", "full", 10)
        and (one.student, one.initialisation, one.speech) == ("tdnn", "fixed", "clean")
    )
    minus = f"{one.difference.mean:+.3f}".replace("-", MINUS)
    assert ["distilled", "full", "10", minus] in [row[:4] for row in rows]


def test_curves_need_several_sizes(view: View) -> None:
    fixed, random = over_ipc(view)
    assert (fixed.name, random.name) == ("fixed initialisation", "random initialisation")
    assert "distilled at ipc 10: 0." in fixed.picture.alt
    assert [row[0] for row in texts(fixed.numbers)] == ["1", "10", "all"]
    drawn = content(fixed.picture.source)
    assert drawn.startswith(b"<?xml")
    assert b"<dc:date>" not in drawn
    assert over_ipc(first_view(plain_report())) == []


def test_curves_bear_any_name(report: Report) -> None:
    rows = tuple(
        row.model_copy(update={"set": "$\\frac{1}$ <b>"}) if row.judged else row
        for row in report.rows
    )
    (curves, _) = over_ipc(first_view(report.model_copy(update={"rows": rows})))
    assert curves.picture.alt.count("$\\frac{1}$ <b>") == 2


def test_architectures_need_several_students(view: View) -> None:
    table = architectures(view)
    assert table is not None
    assert [column.name for column in table.columns] == ["set", "tdnn", "convnet"]
    assert [row[0] for row in texts(table)] == [
        "full",
        "distilled, ipc 1, made for tdnn",
        "distilled, ipc 10, made for tdnn",
        "random, ipc 1",
        "random, ipc 10",
    ]
    best, worst = table.bodies[0].rows[0][1], table.bodies[0].rows[3][2]
    assert (best.small, best.shades) == ("100 %", shade(1.0))
    assert worst.shades != best.shades
    assert architectures(first_view(plain_report())) is None


def test_confusions_are_shares_of_the_true_emotion(view: View) -> None:
    part = confusions(view)[0]
    assert [table.caption for table in part.tables] == ["full", "distilled, ipc 1", "random, ipc 1"]
    counts = view.report.confusions[0].counts
    row = part.tables[0].bodies[0].rows[0]
    assert [cell.text for cell in row] == [
        "anger",
        *(f"{100 * count / sum(counts[0]):.0f}" for count in counts[0]),
    ]
    assert row[1].shades == shade(counts[0][0] / sum(counts[0]))


def test_an_emotion_that_nobody_spoke_has_no_shares(report: Report) -> None:
    emptied = tuple(
        one.model_copy(update={"counts": ((0.0,) * len(EMOTIONS), *one.counts[1:])})
        for one in report.confusions
    )
    view = first_view(report.model_copy(update={"confusions": emptied}))
    assert {cell.text for cell in confusions(view)[0].tables[0].bodies[0].rows[0][1:]} == {NONE}
    assert view.chance == 1 / (len(EMOTIONS) - 1)


def test_speakers_stand_by_their_loss(view: View) -> None:
    part = speakers(view)[0]
    assert part.name == "distilled, ipc 1, fixed initialisation"
    people, genders = part.tables[0].bodies
    changes = [float(row[5].text.replace(MINUS, "-")) for row in people.rows]
    assert changes == sorted(changes)
    assert len(changes) == 6
    assert {row[0].text for row in genders.rows} == {"female", "male"}
    for row in (*people.rows, *genders.rows):
        full, own = float(row[2].text), float(row[3].text)
        change = float(row[5].text.replace(MINUS, "-"))
        assert change == pytest.approx(own - full, abs=0.0011)
        assert row[6].plot is not None
        assert len(row[6].plot.marks) == 3
        assert row[6].plot.label.endswith("; chance 0.143")


def test_each_speakers_own_chance_is_drawn(report: Report) -> None:
    """Whoever has fewer of the emotions is right more often by guessing."""
    groups = tuple(
        one.model_copy(update={"chance": 0.5 if one.group == "03" else one.chance})
        for one in report.groups
    )
    part = speakers(first_view(report.model_copy(update={"groups": groups})))[0]
    places = {row[0].text: row[6].plot for row in part.tables[0].bodies[0].rows}
    assert {name for name, plot in places.items() if "chance 0.500" in plot.label} == {"03"}
    at = {name: plot.lines[0].at for name, plot in places.items()}
    assert len(set(at.values())) == 2
    assert at["03"] > at["08"]


def test_robustness_has_a_column_per_way_of_hearing(view: View) -> None:
    (table,) = robustness(view)[0].tables
    assert [column.name for column in table.columns] == ["set", "ipc", "clean", "noise-10dB"]
    noisy = {row[0]: row[3] for row in texts(table)}
    assert noisy["full"] != NONE
    assert noisy["k-means"] == NONE
    assert robustness(first_view(plain_report())) == []


def test_model_distillation_stands_apart(view: View) -> None:
    table = model_distillation(view)
    assert table is not None
    names = [row[0] for row in texts(table)]
    assert names[0] == "full"
    assert names[-2:] == ["teacher: ensemble", "distilled-model: ensemble, logits"]
    main = {row[0] for row in texts(results(view)[0].tables[0])}
    assert not main & {"teacher: ensemble", "distilled-model: ensemble, logits"}
    teacher = texts(table)[-2]
    assert teacher[3].startswith("+")  # it leads the student of full data


def test_ways_say_what_is_shipped_and_allowed(view: View) -> None:
    table, paid = ways(view), cost(view)
    assert table is not None
    assert paid is not None
    by_set = {row[0]: row[1:] for row in texts(table)}
    assert by_set["model"][0] == "weights"
    assert by_set["model"][-3:] == ["no", "no", "no"]
    assert by_set["distilled, ipc 10"] == ["synthetic items", "5.5 MB", "1.0", "no", "yes", "yes"]
    assert not {"majority", "untrained"} & set(by_set)
    assert ["full", "3.0", "2,000", "180 MB", "142,215", "learning rate 0.001"] in texts(paid)


def test_scores_are_the_reports(view: View) -> None:
    table = scores(view)
    assert table is not None
    for row, one in zip(texts(table), view.report.scores, strict=True):
        assert one.label_robust is not None
        assert row[4] == f"{one.label_robust.mean:.3f}"
        assert (row[5] == NONE) == (one.augmentation_robust is None)


def test_colours_tell_sets_apart_and_cells_can_be_read(view: View) -> None:
    found = looks(view.report.rows)
    assert len({found[name] for name in ("full", "distilled", "random", "k-means")}) == 4
    assert len({found[name].shape for name in ("full", "distilled", "random", "k-means")}) == 4
    assert min(_contrast(*shade(step / 255)) for step in range(256)) >= 4.5


def _contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it, from 1 to 21."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)
