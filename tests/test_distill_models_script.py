"""The example that sets both kinds of distillation side by side, with commands that only say so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import EXAMPLES

TOLD = """\
#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$RUNS/told"
while (($#)); do [[ $1 == --out ]] && mkdir -p "$2" && touch "$2/run.toml"; shift; done
"""
PYTHON = """\
#!/usr/bin/env bash
[[ $1 == -c ]] && exec "{python}" "$@"
echo "python $*" >>"$RUNS/told"
"""


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "commands"
    folder.mkdir()
    for name in ("distill-model", "distill-data", "evaluate-data"):
        (folder / name).write_text(TOLD)
    (folder / "python").write_text(PYTHON.format(python=sys.executable))
    for file in folder.iterdir():
        file.chmod(0o755)
    runs = tmp_path / "runs"
    runs.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RUNS", str(runs))
    return runs / "told"


def carried_out() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", EXAMPLES / "distill_models.sh", "--fold", "1"],
        text=True,
        capture_output=True,
        check=False,
    )


def test_it_can_be_given_twice_with_encoders_of_any_family(commands, monkeypatch, tmp_path):
    speech = tmp_path / "speech"
    speech.mkdir()
    (speech / "config.json").write_text('{"model_type": "wavlm"}')
    monkeypatch.setenv("SPEECH", str(speech))
    monkeypatch.setenv("TEXT", "some/text")
    for again in (False, True):
        commands.unlink(missing_ok=True)
        done = carried_out()
        assert done.returncode == 0, done.stderr
        told = commands.read_text().splitlines()
        made = [line for line in told if line.startswith("distill-data")]
        assert len(made) == 2
        assert [line.endswith(" --resume") for line in made] == [again, again]
        assert f"--feature wavlm:{speech},layer=all" in made[1]
        judged = [line for line in told if line.startswith("evaluate-data")]
        assert len(judged) == 2
        assert all(" --overwrite" in line for line in judged)
        models = [line for line in told if line.startswith("distill-model")]
        assert len(models) == 2
        assert all(line.endswith(" --fold 1") for line in models)


def test_an_encoder_of_speech_alone_is_not_enough(commands, monkeypatch):
    monkeypatch.setenv("SPEECH", "some/speech")
    for name in ("TEXT", "FAMILY"):
        monkeypatch.delenv(name, raising=False)
    assert "TEXT: names an encoder of text" in carried_out().stderr
    monkeypatch.setenv("TEXT", "some/text")
    assert "FAMILY: says what SPEECH is" in carried_out().stderr
    assert not commands.exists()
