"""The published method, from recordings to its table of networks, at a size for a test."""

import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w
import torch
from commands import Command, Outcome
from trees import demos_tree

from evaluation.report import Report
from evaluation.students import RECIPES, Recipe
from synth_data.features import FEATURES
from synth_data.representations import PRESETS, known_feature
from synth_data.synthetic import SyntheticSet

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPT = EXAMPLES / "published_method.sh"
SETTINGS = tomllib.loads((EXAMPLES / "published_method.toml").read_text())
NETWORKS = ("cnn6", "resnet9", "vgg15")
TINY = {
    "seeds": 1,
    "loop": {"steps": 1, "checks": 1},
    "settings": {
        "experts": 1,
        "epochs": 2,
        "stride": 1,
        "last": 1,
        "matched": 1,
        "steps": 1,
        "sampling_probability": 0.1,
    },
    "recipe": {"schedules": [{"steps": 1, "learning_rate": 1e-3}], "batch": 4},
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a small DEMoS, and its settings on small features."""
    demos_tree(tmp_path / "demos")
    (tmp_path / "examples").mkdir()
    small = {
        key: {**SETTINGS[key], **value}
        for key, value in TINY.items()
        if key in SETTINGS and isinstance(value, dict)
    }
    whole = {**SETTINGS, **TINY, **small}
    (tmp_path / "examples" / "published_method.toml").write_text(tomli_w.dumps(whole))
    tiny = replace(FEATURES["schuller64"], mels=16, frames=16)
    monkeypatch.setitem(PRESETS, "schuller64", tiny)
    known_feature.cache_clear()
    for network in NETWORKS:
        monkeypatch.setitem(RECIPES, network, replace(Recipe.single(1), batch=4))
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path / "features"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    known_feature.cache_clear()


def commands(*given: str) -> list[list[str]]:
    """What the script runs when it is given these arguments, as words."""
    own = 'distill-data() { printf "%s\\n" "distill-data $*"; }\n'
    own += 'evaluate-data() { printf "%s\\n" "evaluate-data $*"; }\n'
    done = subprocess.run(
        ["bash", "-c", own + SCRIPT.read_text(), str(SCRIPT), *given],
        env={**os.environ, "DEMOS_ROOT": "demos"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [shlex.split(line) for line in done.stdout.splitlines()]


def run(words: list[str], distill_data: Command, evaluate_data: Command) -> Outcome:
    command = {"distill-data": distill_data, "evaluate-data": evaluate_data}[words[0]]
    done = command(*words[1:])
    assert done.code == 0, done.err
    return done


def test_it_ends_with_a_table_of_networks_by_networks(place, distill_data, evaluate_data):
    for words in commands("--ipc", "1"):
        run(words, distill_data, evaluate_data)
    runs = place / "runs" / "published-method-ipc1"
    report = Report.load(runs / "judged" / "report.json")
    assert report.protocol.startswith("DEMoS · 7 classes (neutral left out) · 136 utterances")
    made = {(row.set, row.made_for, row.student) for row in report.rows if row.judged}
    assert made == {(name, name, student) for name in NETWORKS for student in NETWORKS}
    page = (runs / "judged" / "report.html").read_text()
    table = page.split('<h2 id="architectures">')[1].split("</table>")[0]
    for name in NETWORKS:
        (row,) = re.findall(rf"<tr>(?:(?!</tr>).)*made for {name}.*?</tr>", table, re.DOTALL)
        assert len(re.findall(r"[01]\.\d\d\d", row)) == 3
    for name in NETWORKS:
        made_set = SyntheticSet.load(runs / name / "fold-1" / "set")
        assert made_set.provenance.objective == "trajectory-matching"
        assert made_set.schedule is not None  # of both epochs, from the fixed start
        assert made_set.schedule.learning_rates.shape == (2,)
        assert torch.equal(made_set.targets, torch.eye(7))


def test_its_full_size_can_be_planned(place, distill_data, evaluate_data):
    (place / "examples" / "published_method.toml").write_text(tomli_w.dumps(SETTINGS))
    planned = commands("--dry-run")
    assert [words[0] for words in planned] == ["distill-data"] * 3
    for words in planned:
        assert "published-method-ipc150" in words[words.index("--out") + 1]
        run(words, distill_data, evaluate_data)


def test_it_needs_the_corpus():
    environment = {key: value for key, value in os.environ.items() if key != "DEMOS_ROOT"}
    done = subprocess.run(
        ["bash", SCRIPT], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "DEMOS_ROOT" in done.stderr


@pytest.mark.parametrize("given", [("--ipc", "10"), ("--ipc=10",), ("-q", "--ipc", "10", "--json")])
def test_sizes_have_folders_of_their_own(given):
    *sets, judged = commands(*given)
    assert all(words[-len(given) :] == list(given) for words in sets)
    assert judged[-1] == "runs/published-method-ipc10/judged"
