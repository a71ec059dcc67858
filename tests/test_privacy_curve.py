"""The curve of what a privacy budget costs: a row for every way, and mistakes named before any."""

import pytest
from commands import Outcome, run_here
from scripts import script
from trees import emodb_tree

from distill.outer_loop import Loop
from evaluation.students import RECIPES, Recipe
from synth_data.console import run

curve = script("privacy_curve")


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs the script, in no time."""
    monkeypatch.setattr(curve, "PER_EMOTION", 1)
    monkeypatch.setattr(curve, "RECIPE", Recipe.single(steps=2))
    monkeypatch.setitem(RECIPES, "tdnn", Recipe.single(steps=2))
    monkeypatch.setattr(curve, "MATCHING", Loop(steps=1))
    monkeypatch.setattr(curve, "PRIVATE", Loop(steps=1, initialisation="spectrum"))

    def runs(*words: object) -> Outcome:
        return run_here(lambda: run(curve.app), words, monkeypatch, capsys)

    return runs


def names(outcome: Outcome) -> list[str]:
    """Of the rows."""
    assert outcome.code == 0, outcome.err
    rows = [row for row in outcome.lines if row.startswith("| ")]
    return [row.split("|")[1].strip() for row in rows[1:]]


def test_the_curve_has_a_row_for_every_way(command):
    outcome = command("--speakers", 44, "--epsilons", 8, "--ipc", 1)
    assert "16 utterances of 4 speakers to learn from" in outcome.lines[0]
    found = names(outcome)
    assert found[0] == "full data"
    private = ["epsilon 8", "DP-SGD student, epsilon 8"]
    assert found[-3:] == ["released-moments, without noise", *private]
    assert len(found) == 7


def test_folds_of_recordings_have_a_line_each(command, tmp_path):
    emodb_tree(tmp_path, ("03", "08", "09", "10"))
    given = ("--dataset", "emodb", "--data-root", tmp_path, "--folds", "1,2", "--ipc", 1)
    outcome = command(
        *given, "--unit", "utterance", "--epsilons", 8, "--private-only", "--sets-only"
    )
    assert names(outcome) == ["full data", "released-moments, without noise", "epsilon 8"]
    assert ["fold 1" in outcome.lines[0], "fold 2" in outcome.lines[1]] == [True, True]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--dataset", "nope"), "unknown corpus 'nope'"),
        (("--dataset", "emodb", "--data-root", "/nowhere"), "/nowhere"),
        (("--dataset", "emodb", "--folds", "all"), "such as 1,2; found 'all'"),
        (("--dataset", "emodb", "--folds", "0"), "--folds takes numbers from 1"),
        (("--speakers", 40), "--speakers takes a number above 40, since 20 toy speakers test"),
        (("--epsilons", "8,x"), "--epsilons takes numbers between commas, such as 8,3,1; found"),
        (("--epsilons", "8,0"), "epsilon must be a positive number"),
        (("--epsilons", "8,100"), "an epsilon of 100 guarantees nothing"),
        (("--delta", 2), "delta must be above 0 and below 1"),
        (("--unit", "word"), "unknown unit 'word'"),
        (("--task", "dimensional"), "goes with --private-only --sets-only: give both"),
        (("--task", "both"), "--task takes categorical or dimensional here"),
        (("--task", "dimension"), "unknown task 'dimension': did you mean 'dimensional'?"),
        (("--seeds", 0), "--seeds"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(words, message, command):
    outcome = command(*words)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not outcome.out


def test_one_toy_speaker_to_learn_from_is_enough(command):
    outcome = command("--speakers", 41, "--epsilons", 8, "--ipc", 1, "--private-only")
    assert "of 1 speakers to learn from" in outcome.lines[0]
    assert len(names(outcome)) == 4
