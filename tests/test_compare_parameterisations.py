"""The comparison of parameterisations: every way in its table, at equal bytes, and resumed."""

import json

import pytest
from commands import Outcome, run_here
from fake_speech import fake_speech
from scripts import script

from distill.config import RunConfig
from distill.engine import distill
from evaluation.students import RECIPES, Recipe
from synth_data.console import run

comparison = script("compare_parameterisations")


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


def test_what_is_known_is_of_the_recordings_and_the_version(tmp_path, monkeypatch):
    worth = iter((0.1, 0.2, 0.3, 0.4))
    monkeypatch.setattr(
        comparison,
        "one",
        lambda _train, _validation, way, _config, steps: comparison.Found(
            way, steps, 1, 1, next(worth), 0.5, 1.0
        ),
    )
    file, ways = tmp_path / "found.json", {"a way": RunConfig()}
    first, second = fake_speech(seed=1), fake_speech(seed=2)

    def found(train, validation):
        (only,) = comparison.compare(train, validation, ways, [0], file)
        return only.fixed

    assert [found(first, first), found(first, first)] == [0.1, 0.1]
    assert [found(second, first), found(first, second)] == [0.2, 0.3]
    monkeypatch.setattr(comparison, "package_version", lambda: "another")
    assert found(first, first) == 0.4


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
