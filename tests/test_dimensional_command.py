"""`evaluate-data` on sets of dimensions, as a user meets it."""

import json
from pathlib import Path

import pytest
import torch
from small_sets import provenance
from test_evaluate_data_command import toy_set
from trees import emodb_tree

from evaluation.dimensional.report import DimensionalReport
from evaluation.dimensional.results import DimensionalResult
from evaluation.networks import draw_weights, skeleton
from synth_data.corpora.toy import TOY
from synth_data.corpus import load
from synth_data.features import FEATURES
from synth_data.provenance import Start
from synth_data.randomness import generator
from synth_data.synthetic import SyntheticSet
from synth_data.task import Task

CONFIG = """
[recipe]
schedules = [{steps = 4, learning_rate = 1e-3}]
"""


def felt_set() -> SyntheticSet:
    """A set of noise that says it was made from fold 1 of the toy corpus, one item per cell."""
    spec, task = FEATURES["logmel64-short"], Task((), TOY.dimensions, TOY.scale)
    network = skeleton("tdnn", spec.mels, len(task.columns))
    made = {"corpus": "toy", "protocol": "four-speaker-folds", "fold": 1, "per_class": 1}
    made["corpus_digest"] = load("toy", None, spec, task="dimensional").digest
    corners = torch.tensor([task._corner(cell) for cell in task.cells]).float() - 0.5
    return SyntheticSet(
        features=torch.randn(len(corners), *spec.shape, generator=generator(0, "noise")),
        targets=corners,
        task=task,
        spec=spec,
        start=Start("tdnn", 0, draw_weights(network, generator(0, "start"))),
        provenance=provenance(**made),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    felt_set().save(tmp_path / "set")
    (tmp_path / "recipe.toml").write_text(CONFIG)
    return tmp_path / "set"


def test_a_report_on_dimensions(evaluate_data, folder, tmp_path):
    done = evaluate_data(
        folder, "--dataset", "toy", "--seeds", 1, "--recipe", tmp_path / "recipe.toml",
        "--baselines", "random,majority", "--students", "linear",
        "--speech", "none", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "CCC" in done.out
    assert "majority: it is made for emotions" in done.out
    out = tmp_path / "out"
    report = DimensionalReport.load(out / "report.json")
    assert report.dimensions == TOY.dimensions
    assert {row.set for row in report.rows} == {"full", "distilled", "random"}
    stored = DimensionalResult.load(out / "fold-1")
    assert stored.task.scale == TOY.scale
    assert json.loads((out / "report.json").read_text())["protocol"] == done.lines[0]
    page = (out / "report.html").read_text()
    assert "Told and true" in page
    assert 'src="http' not in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--teachers", "ensemble"], "model distillation by teachers are for sets of emotions"),
        (["--attacks", "speaker"], "attacks are for sets of emotions alone"),
        (["--scores"], "DD-Ranking's scores are for sets of emotions alone"),
    ],
)
def test_what_there_is_for_emotions_alone(evaluate_data, folder, words, message):
    done = evaluate_data(folder, "--dataset", "toy", *words)
    assert (done.code, done.out) == (2, "")
    assert message in " ".join(done.err.split())


def test_sets_of_emotions_and_of_dimensions_are_judged_apart(evaluate_data, folder, tmp_path):
    toy_set().save(tmp_path / "other")
    done = evaluate_data(folder, f"other={tmp_path / 'other'}", "--dataset", "toy")
    assert done.code == 2
    assert "judge them in separate reports" in done.err


def test_dimensions_need_no_map_on_another_corpus(evaluate_data, folder, tmp_path):
    emodb_tree(tmp_path / "emodb", ("03", "08", "09", "10"))
    words = (folder, "--dataset", "emodb", "--data-root", tmp_path / "emodb")
    refused = evaluate_data(*words)
    assert "was made from toy, not from emodb" in " ".join(refused.err.split())
    done = evaluate_data(
        *words, "--label-map", "", "--fold", 2, "--seeds", 1, "--students", "linear",
        "--baselines", "none", "--speech", "none", "--allow-missing", "--json",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert {row["set"] for row in report["rows"]} == {"full", "distilled"}
    assert "proxies" in report["protocol"] or "centr" in report["protocol"]
