"""The comparison of parameterisations: every way in its table, at equal bytes, and resumed."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from commands import Outcome, run_here

from distill.config import RunConfig
from distill.engine import distill
from evaluation.students import RECIPES, Recipe
from synth_data.console import run

PATH = Path(__file__).parents[1] / "examples" / "compare_parameterisations.py"
_spec = importlib.util.spec_from_file_location(PATH.stem, PATH)
comparison = importlib.util.module_from_spec(_spec)
sys.modules[PATH.stem] = comparison
sys.path.append(str(PATH.parent))  # where a script finds what lies beside it
_spec.loader.exec_module(comparison)


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys):
    """Runs the command on the toy corpus, in no time."""
    monkeypatch.setitem(RECIPES, "tdnn", Recipe.single(steps=2))
    settings = tmp_path / "quick.toml"
    settings.write_text("[settings]\nstarts = 1\ncheckpoints = 2\nstride = 1\n")

    def command(*words: object) -> Outcome:
        words = ("--config", settings, "--seeds", 1, *words)
        return run_here(lambda: run(comparison.app), words, monkeypatch, capsys)

    return command


def rows(outcome: Outcome) -> list[list[str]]:
    assert outcome.code == 0, outcome.err
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in outcome.lines[4:]]


@pytest.mark.parametrize("way", comparison.WAYS)
def test_every_way_can_be_made(way):
    given = {"parameterisation": comparison.WAYS[way]}
    made = RunConfig.of(None, given).resolved().build_parameterisation()
    assert all(getattr(made, name) == value for name, value in comparison.WAYS[way].items())


@pytest.mark.slow
def test_the_command_goes_on_where_it_was(compare, tmp_path, monkeypatch):
    file = tmp_path / "results" / "found.json"
    made = []
    monkeypatch.setattr(
        comparison, "distill", lambda *a, **named: made.append(named) or distill(*a, **named)
    )
    asked = ("--steps", "0,2", "--results", file)
    first = rows(compare("--ways", "means-4-int8,cosines-4-int8", *asked))
    assert len(made) == 4
    names = ["means-4-int8", "cosines-4-int8"]
    assert [row[:3] for row in first] == [[n, steps, "16"] for steps in "02" for n in names]
    assert len({row[3] for row in first}) == 1  # bytes
    assert len(json.loads(file.read_text())) == 4
    more = rows(compare("--ways", "cosines-4-int8,whole-float16", *asked))
    assert len(made) == 6
    assert [more[0], more[2]] == [first[1], first[3]]
    rows(compare("--ways", "cosines-4-int8", "--steps", "0", "--seed", 1, "--results", file))
    assert len(made) == 7


@pytest.mark.slow
def test_objectives_are_compared_for_dimensions(compare):
    names = ["distribution-matching", "kernel"]
    words = ("--task", "dimensional", "--objectives", ",".join(names), "--ways", "means-4-int8")
    outcome = compare(*words, "--ipc", 1, "--steps", 2)
    assert "valence, activation, dominance" in outcome.lines[0]
    assert "CCC, fixed" in outcome.lines[2]
    assert [row[0] for row in rows(outcome)] == [f"{name}, means-4-int8" for name in names]
    assert all(-1 <= float(row[4]) <= 1 for row in rows(outcome))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--ways", "means-4-int9"), "unknown way 'means-4-int9': did you mean 'means-4-int8'?"),
        (("--steps", "0,many"), "--steps takes numbers of outer steps, such as 0,600; found"),
        (("--fold", 99), "fold 99 does not exist"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(words, message, compare):
    outcome = compare(*words)
    assert outcome.code == 2
    assert message in outcome.err
