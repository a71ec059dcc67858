"""The comparison of parameterisations: every way in its table, at equal bytes, and resumed."""

import json
from dataclasses import replace

import pytest
import torch
from commands import Outcome, run_here
from fake_speech import fake_speech
from scripts import script
from trees import emodb_tree

from distill.config import RunConfig
from distill.engine import distill
from evaluation.students import RECIPES, Recipe
from synth_data.console import run
from synth_data.errors import UserError

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


@pytest.fixture
def asked_with(compare, tmp_path, monkeypatch):
    """Runs the command with a file of settings, until a set would be made: what that is given."""
    asked = []

    def making(curator, *_, **named):
        asked.append((curator, named))
        raise UserError("far enough")

    def command(settings: str, *words: object) -> tuple:
        monkeypatch.setattr(comparison, "distill", making)
        (tmp_path / "settings.toml").write_text(settings)
        given = ("--config", tmp_path / "settings.toml", "--ways", "means-4-int8", "--steps", 2)
        outcome = compare(*given, *words)
        assert "far enough" in outcome.err
        return asked.pop()

    return command


def test_settings_of_the_file_reach_the_making_of_sets(asked_with):
    _, named = asked_with('nested = [1]\ndisentangle = "leace"\n', "--ipc", 3)
    assert named["nested"] == (1,)
    assert named["disentangler"].name == "leace"
    _, named = asked_with("speaker_penalty = 0.5\n")
    assert (named["speaker_penalty"], named["disentangler"]) == (0.5, None)
    curator, _ = asked_with("dimension_weights = [5, 1, 1]\n", "--task", "dimensional")
    assert curator.task.weights == (5, 1, 1)


@pytest.mark.parametrize("labels", ["taught", "refined"])
@pytest.mark.parametrize("steps", [0, 2])
def test_without_steps_utterances_keep_their_own_labels(steps, labels, asked_with):
    _, named = asked_with(f'[parameterisation]\nlabels = "{labels}"\n', "--steps", steps)
    assert named["parameterisation"].labels == (labels if steps else "hard")


DAMAGED = ("{", "[1]", '{"asked": {"way": "x"}}', '{"asked": 3}', "\xff", 60_000 * "[")


@pytest.mark.parametrize("damage", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_of_results_is_named_and_left_alone(damage, compare, tmp_path):
    results = tmp_path / "results.json"
    results.write_text(damage, encoding="latin-1")
    refused = compare("--ways", "means-4-int8", "--steps", 0, "--results", results)
    assert refused.code == 2
    assert f"{results} is no file of results of this program, or is damaged" in refused.err
    assert results.read_text(encoding="latin-1") == damage


def test_settings_of_the_file_say_how_recordings_are_read(asked_with, compare, tmp_path):
    emodb_tree(tmp_path / "emodb", ("03", "08", "09", "10"))
    bad = next((tmp_path / "emodb").rglob("*.wav"))
    bad.write_bytes(b"no sound")
    given = ("--dataset", "emodb", "--data-root", tmp_path / "emodb")
    refused = compare(*given, "--ways", "means-4-int8", "--steps", 2)
    assert refused.code == 2
    assert "cannot be used" in refused.err
    curator, _ = asked_with("skip_bad = true\n", *given)
    assert curator.exact


def test_students_that_judge_learn_by_the_recipe_of_the_file():
    given = {"student": "tdnn", "recipe": {"batch": 5}}
    config = comparison.judging(RunConfig.of(None, given))
    assert config.build_recipe() == replace(RECIPES["tdnn"], batch=5)
    generic = comparison.judging(RunConfig(student="tdnn"))  # on the built-in corpus as well
    assert generic.build_recipe() == RECIPES["tdnn"]


@pytest.mark.slow
def test_speech_without_its_speakers_is_judged_by_such_speech(compare, tmp_path, monkeypatch):
    heard = []

    def judging(_examples, _weights, validation, _config):
        heard.append(validation)
        return 0.5, 0.5

    monkeypatch.setattr(comparison, "judged", judging)
    (tmp_path / "speakers.toml").write_text('disentangle = "speaker-normalisation"\n')
    words = ("--config", tmp_path / "speakers.toml", "--ways", "means-4-int8", "--steps", 0)
    assert len(rows(compare(*words))) == 1
    (validation,) = heard
    speakers = validation.speakers
    own = validation.features[[row for row, one in enumerate(speakers) if one == speakers[0]]]
    torch.testing.assert_close(own.mean(dim=(0, 2)), torch.zeros(own.shape[1]), atol=1e-4, rtol=0.0)
    assert own.mean(dim=2).abs().max() > 0.1  # as no utterance is taken for all of its speaker's


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("epsilon = 8.0\naccept_low_utility = true\n", "epsilon"),
        ('public_dataset = "emodb"\nmax_minutes = 5\n', "public_dataset, max_minutes"),
    ],
)
def test_settings_that_sets_are_made_without_here_are_refused(settings, named, compare, tmp_path):
    (tmp_path / "more.toml").write_text(settings)
    outcome = compare("--config", tmp_path / "more.toml")
    assert outcome.code == 2
    assert f"found {named} in the file of --config: leave it out" in outcome.err


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
