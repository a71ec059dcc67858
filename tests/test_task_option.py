"""`distill-data --task`: sets that tell dimensions, from the command to the report."""

import json
import re

import pytest
from commands import small_config

from evaluation.dimensional.report import DimensionalReport
from synth_data.synthetic import SyntheticSet

RECIPE = """
[recipe]
schedules = [{steps = 4, learning_rate = 1e-3}]
"""
TOLD = "valence, activation, dominance (-1 to 1)"


def test_a_run_its_report_and_the_set_to_share(distill_data, tmp_path):
    out = tmp_path / "out"
    config = small_config(tmp_path)
    done = distill_data("--task", "dimensional", "--config", config, "--out", out, "--ipc", "1")
    assert done.code == 0, done.err
    assert TOLD in done.lines[0]
    for name in ("full", "distilled", "random"):
        assert re.search(rf"^{name} .*0\.\d\d\d", done.out, re.MULTILINE)
    found = {str(path.relative_to(out)) for path in out.rglob("*") if path.parent.name != "set"}
    assert found == {
        *("run.toml", "report.json", "report.md", "report.html", "fold-1", "fold-1/set"),
        *("fold-1/cost.json", "fold-1/predictions.csv", "fold-1/runs.json"),
    }
    synthetic = SyntheticSet.load(out / "fold-1" / "set")
    assert synthetic.task.name == "dimensional"
    assert len(synthetic) == len(synthetic.task.groups)
    assert DimensionalReport.load(out / "report.json").dimensions == synthetic.task.dimensions
    assert any(key.startswith("CCC of validation") for key in synthetic.provenance.settings)

    again = distill_data("--resume", "--out", out)
    assert (again.code, again.out.split("minutes")[0]) == (0, done.out.split("minutes")[0])
    shipped = distill_data("--resume", "--out", out, "--fold", "none")
    assert shipped.code == 0, shipped.err
    estimate = SyntheticSet.load(out / "fold-none" / "set").provenance.estimate
    assert estimate is not None
    assert "fixed initialisation: mean CCC " in estimate
    other = distill_data("--resume", "--out", out, "--task", "both")
    assert other.code == 2
    assert "task is both, not dimensional" in other.err


def test_emotions_and_weighed_dimensions_at_once(distill_data, evaluate_data, tmp_path):
    config, out = small_config(tmp_path), tmp_path / "out"
    done = distill_data(
        *("--task", "both", "--config", config, "--out", out, "--ipc", "1", "--fold", "1"),
        *("--objective", "kernel", "--labels", "soft", "--dimension-weights", "2,1,1"),
    )
    assert done.code == 0, done.err
    synthetic = SyntheticSet.load(out / "fold-1" / "set")
    assert synthetic.task.weights == (2, 1, 1)
    assert synthetic.provenance.settings["dimension_weights"] == [2, 1, 1]
    card = (out / "fold-1" / "set" / "README.md").read_text()
    assert "ccc(told[:, 4:], meant[:, 4:]) @ torch.tensor([0.5, 0.25, 0.25])" in card
    (tmp_path / "recipe.toml").write_text(RECIPE)
    judged = evaluate_data(
        *(out / "fold-1" / "set", "--dataset", "toy", "--seeds", 1, "--baselines", "random"),
        *("--recipe", tmp_path / "recipe.toml", "--speech", "none", "--out", tmp_path / "judged"),
    )
    assert judged.code == 0, judged.err
    told = "valence, activation, dominance (-1 to 1, weighed 2:1:1)"
    assert told in done.lines[0]
    assert told in judged.lines[0]  # whoever is compared learns the same
    assert (synthetic.task.name, synthetic.targets.shape[1]) == ("both", 7)
    assert ((synthetic.targets[:, :4] > 0) & (synthetic.targets[:, :4] < 1)).all()


def test_a_dry_run_plans_by_cells(distill_data, tmp_path):
    sizes = {}
    for task in ("categorical", "dimensional"):
        done = distill_data("--task", task, "--ipc", "1", "--dry-run", "--json")
        assert done.code == 0, done.err
        plan = json.loads(done.out)
        assert plan["settings"]["task"] == task
        assert (TOLD in plan["protocol"]) == (task == "dimensional")
        sizes[task] = plan["estimate"]["set_bytes"]
    assert sizes["dimensional"] != sizes["categorical"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--task", "emotional"],
            "task: input should be 'categorical', 'dimensional' or 'both', found 'emotional'",
        ),
        (["--task", "dimensional", "--scale", "7"], "a scale is written LOWEST,HIGHEST"),
        (
            ["--task", "dimensional", "--dimension-weights", "much"],
            "weights of dimensions are numbers between commas, such as 2,1,1; found 'much'",
        ),
        (
            ["--task", "dimensional", "--dimension-weights", "2,1"],
            "not all of them 0, one for each of valence, activation, dominance; found 2, 1",
        ),
        (
            ["--dimension-weights", "2,1,1"],
            "one for each of the dimensions, of which none are told; found 2, 1, 1",
        ),
        (["--scale", "1,7"], "a scale (1 to 7) is of dimensions, and none are to be told"),
        (
            ["--task", "dimensional", "--epsilon", "8", "--objective", "kernel"],
            "what kernel asks of speech with dimensions has no public length",
        ),
        (
            ["--task", "both", "--disentangle", "adversarial"],
            "adversarial keeps how likely each emotion is and nothing else",
        ),
    ],
)
def test_wrong_usage(distill_data, tmp_path, words, message):
    done = distill_data(*words, "--out", tmp_path / "out")
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not (tmp_path / "out").exists()
