"""Attackers in the reports: the table, the picture in words, and nothing where nobody was asked."""

from dataclasses import replace

import pytest
from page_reports import first_view, rich_report
from small_folds import folds, report
from test_attack_summary import claims, naming

from evaluation.attacks.attempts import Attempt
from evaluation.page.attacks import attacks
from evaluation.page.page import html
from evaluation.report import Report

HIDDEN = "full, <hidden>"
FOUND = (
    naming("linear", 8),
    naming("linear", 5, HIDDEN),
    naming("linear", 9, whose="unseen"),
    naming("linear", 4, HIDDEN, whose="unseen"),
    claims(0.2),
    Attempt("full", "membership", "both", "nearest item", True, 0, rate=1.0, resampled=(1.0,)),
)


@pytest.fixture(scope="module")
def made() -> Report:
    """The second fold, with students of all real data who hear what was hidden."""
    fold = folds()[1]
    hearing = [
        replace(run, set=HIDDEN, initialisation="random") for run in fold.runs if run.set == "full"
    ]
    plain = [replace(run, set="full") for run in hearing]
    return report([replace(fold, runs=(*fold.runs, *plain, *hearing), attempts=FOUND)])


def test_the_table_has_a_line_for_each_way_and_game(made):
    _, _, text = made.markdown().partition("## Who is speaking?\n\n")
    lines = [line for line in text.split("\n## ")[0].splitlines() if line.startswith("| ")][2:]
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
    assert [row[:3] for row in cells] == [
        ["as it is", "identification", "fitted"],
        ["\\<hidden>", "identification", "fitted"],
        ["as it is", "identification", "unseen"],
        ["\\<hidden>", "identification", "unseen"],
        ["as it is", "verification", "unseen"],
        ["as it is", "membership", "both"],
    ]
    first, hidden, *_, claimed, member = cells
    assert first[3:5] == ["linear, informed", "0.800"]
    assert hidden[4] == "0.500"
    assert hidden[7] == f"{(0.5 - 0.25) / (0.8 - 0.25):.3f}"
    assert hidden[-1] == "1.000"  # of the emotion, as the same students were put there
    assert claimed[4] == "void"
    assert claimed[5] == claimed[8] == "-"  # nothing is said of an attacker who does not count
    assert member[4] == "1.000"


def test_the_page_shows_the_trade_off_in_a_picture_and_in_words(made):
    found = attacks(first_view(made))
    assert found is not None
    assert len(found.pictures) == 2
    assert "<hidden>: 0.500 named right, UAR " in found.pictures[0].alt
    assert "<hidden>: 0.400 named right, UAR " in found.pictures[1].alt
    page = html(made)
    assert "Who is speaking?" in page
    assert "<hidden>" not in page
    assert "&lt;hidden&gt;" in page
    assert page == html(made)


def test_no_picture_is_drawn_where_no_attacker_counts(made):
    void = [one.model_copy(update={"valid": False}) for one in made.attacks]
    found = attacks(first_view(made.model_copy(update={"attacks": void})))
    assert found is not None
    assert not found.pictures
    assert len(found.numbers.bodies) == 4


def test_nothing_is_said_where_nobody_was_asked():
    assert "Who is speaking?" not in rich_report().markdown()
    assert "Who is speaking?" not in html(rich_report())
