"""Legends of the page's pictures, with names as people give them."""

from dataclasses import replace
from itertools import pairwise

import pytest
from matplotlib.figure import Figure
from page_reports import first_view, rich_report
from small_folds import folds, report
from test_attack_summary import naming

from evaluation.page.attacks import attacks
from evaluation.page.legend import UNSEEN, blank, labelled, under_legend
from evaluation.page.over_ipc import over_ipc
from evaluation.page.picture import Picture

NAMES = ("full", "distilled", "random", "chance")
LONG = "distribution-matching-of-speech-without-its-speakers-by-leace-with-learned-labels-and-"


def drawn(*names: str) -> tuple[Figure, Picture]:
    """A figure with a line for each name, and its picture."""
    figure = blank(5.0, 3.1)
    axes = figure.add_subplot()
    for number, name in enumerate(names):
        axes.plot([0, 1], [number, number], label=labelled(name))
    return figure, under_legend(figure, "lines")


def shown(figure: Figure) -> list[str]:
    """The names in the legend, each of which is in the picture as a whole."""
    (legend,) = figure.legends
    reach = legend.get_window_extent()
    assert reach.width <= figure.bbox.width
    (axes,) = figure.axes
    assert axes.get_window_extent().height > 2 * 72  # inches
    return [text.get_text() for text in legend.get_texts()]


def columns(figure: Figure) -> int:
    """How many the legend has."""
    lefts = [round(t.get_window_extent().x0) for t in figure.legends[0].get_texts()]
    return len(set(lefts))


def test_ordinary_names_stand_in_one_row():
    figure, picture = drawn(*NAMES)
    assert shown(figure) == list(NAMES)
    assert columns(figure) == 4
    assert (picture.width, 310 < picture.height < 340) == (480, True)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("full", "emodb-distribution-matching-leace", "random", "chance"), 3),
        (("full", *(f"distribution-matching-{n}" for n in range(6)), "chance"), 2),
        (tuple(f"emodb-distribution-matching-leace-ipc-{n}" for n in range(3)), 1),
    ],
)
def test_longer_names_have_fewer_columns_and_more_room(names, expected):
    figure, picture = drawn(*names)
    assert sorted(shown(figure)) == sorted(names)
    assert columns(figure) == expected
    assert picture.height > drawn(*NAMES)[1].height
    assert picture.height == round(96 * figure.get_figheight())


def test_a_name_wider_than_the_picture_keeps_its_ends():
    figure, _ = drawn("full", f"{LONG}10", f"{LONG}20", 1000 * "x")
    full, ten, twenty, x = shown(figure)
    assert full == "full"
    for name, end in ((ten, "and-10"), (twenty, "and-20")):
        assert name.startswith("distribution-matching-of")
        assert name.endswith(end)
        assert "…" in name
        assert len(name) > 40
    assert x.strip("x") == "…"


def test_a_name_that_matplotlib_would_hide_is_shown():
    figure, _ = drawn("full", "_mine")
    assert shown(figure) == ["full", f"{UNSEEN}_mine"]


def test_many_names_make_the_picture_grow():
    heights = [drawn(*(f"set {n}" for n in range(count)))[1].height for count in (4, 12, 40)]
    assert all(fewer < more for fewer, more in pairwise(heights))


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """All that are saved."""
    found: list[Figure] = []
    saved = Figure.savefig

    def kept(self: Figure, *words: object, **options: object) -> None:
        found.append(self)
        saved(self, *words, **options)

    monkeypatch.setattr(Figure, "savefig", kept)
    return found


@pytest.mark.parametrize("name", ["_mine", LONG])
def test_curves_name_every_set(name, figures):
    made = rich_report()
    rows = [one.model_copy(update={"set": name}) if one.judged else one for one in made.rows]
    over_ipc(first_view(made.model_copy(update={"rows": tuple(rows)})))
    assert len(figures) == 2
    for figure in figures:
        full, own, random, chance = sorted(shown(figure), key=_order)
        assert (full, random, chance) == ("full", "random", "chance")
        assert own.strip(UNSEEN)[:20] == name[:20]


@pytest.mark.parametrize("name", ["_mine", LONG])
def test_the_trade_off_names_every_way_of_hearing(name, figures):
    fold = folds()[1]
    plain = [replace(one, initialisation="random") for one in fold.runs if one.set == "full"]
    hearing = [replace(one, set=f"full, {name}") for one in plain]
    found = (naming("linear", 8), naming("linear", 5, f"full, {name}"))
    runs = (*fold.runs, *plain, *hearing)
    attacks(first_view(report([replace(fold, runs=runs, attempts=found)])))
    (figure,) = figures
    plain_speech, own = shown(figure)
    assert plain_speech == "as it is"
    assert own.strip(UNSEEN)[:20] == name[:20]


def _order(name: str) -> int:
    known = ("full", "own", "random", "chance")
    return known.index(name if name in known else "own")
