"""`synth-data import` of tensors that tell dimensions, from the toy corpus and from a table."""

import logging
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from trees import noise

from synth_data import cli
from synth_data.features import FEATURES
from synth_data.synthetic import SyntheticSet

SHAPE = FEATURES["logmel64-short"].shape


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs `synth-data import` on tensors for four cells: exit code, stderr, and the set."""
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path / "cache"))
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", root.level)
    noise(tmp_path / "a.wav")
    noise(tmp_path / "b.wav", seed=1)
    rows = ["file,emotion,speaker,valence,activation", "a.wav,joy,a,2,3", "b.wav,anger,b,1,5"]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    targets = torch.tensor([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    tensors = {"features": torch.zeros(4, *SHAPE), "targets": targets}
    save_file(tensors, tmp_path / "theirs.safetensors")

    def run(*words: str) -> tuple[object, str, Path]:
        place = tmp_path / "set"
        files = [str(tmp_path / "theirs.safetensors"), str(place)]
        options = ["--dataset", "table", "--data-root", str(tmp_path / "table.csv")]
        options += ["--feature", "logmel64-short", *words]
        monkeypatch.setattr(sys, "argv", ["synth-data", "import", *files, *options])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        return leaving.value.code, capsys.readouterr().err, place

    return run


@pytest.mark.parametrize(("given", "scale"), [((), (1.0, 5.0)), (("--scale", "1,7"), (1.0, 7.0))])
def test_a_table_has_a_scale(command, given, scale):
    code, err, place = command("--task", "dimensional", *given)
    assert code == 0, err
    synthetic = SyntheticSet.load(place)
    assert synthetic.task.scale == scale
    assert synthetic.task.columns == ("valence", "activation")
    assert list(synthetic.per_class.values()) == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task", "dimensionl"), "unknown task 'dimensionl': did you mean 'dimensional'"),
        (("--task", "dimensional", "--scale", "7,1"), "LOWEST,HIGHEST, such as 1,7; found '7,1'"),
        (("--task", "dimensional", "--scale", "1,4"), "table.csv, line 3: activation 5"),
        (("--task", "both"), "'targets' must have 4 columns (2 emotions, valence, activation)"),
        (("--scale", "1,5"), "is of dimensions, and none are to be told"),
    ],
)
def test_what_does_not_fit_is_said(command, words, message):
    code, err, place = command(*words)
    assert code == 2
    assert message in err
    assert not place.exists()
