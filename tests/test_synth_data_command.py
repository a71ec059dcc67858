"""The command `synth-data`, and what all commands share."""

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer
from fake_speech import fake_speech
from felt_sets import felt_set, set_of_both
from safetensors.torch import save_file
from small_sets import forge, provenance, set_of_codes, small_set

from synth_data import cli, console
from synth_data.adoption import adopt
from synth_data.codecs import Codec, Packed, codec_of
from synth_data.corpora import CORPORA
from synth_data.errors import UserError
from synth_data.guarantee import Guarantee
from synth_data.ledger import PrivacyBudget, Release
from synth_data.protocol import leave_one_out
from synth_data.provenance import PublicSpeech
from synth_data.schedule import NativeSchedule
from synth_data.synthetic import SyntheticSet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_set().save(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs the command in this process: exit code, stdout, stderr."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", root.level)

    def run(*arguments: object, entry=cli.main) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            entry()
        captured = capsys.readouterr()
        return leaving.value.code, captured.out, captured.err

    return run


def test_inspect_says_what_there_is_to_know(command, folder):
    code, out, err = command("inspect", folder)
    assert (code, err) == (0, "")
    for line in (
        "items        6: anger 2, neutral 2, sadness 2",
        "shape        [6, 8, 12] (item, mel, frame)",
        "speech time  0.12 s each",
        "bytes        2,440 (start weights: 112)",
        "transforms   standardise",
        "evaluate on  the test side of fold 3 (leave-one-speaker-out), or another corpus",
        "objective    gradient-matching, seed 0, 2 per class",
        "             learning_rate = 0.1",
        "start        tdnn, seed 7",
        "derivatives  yes",
        "privacy      no formal guarantee (mechanism: none)",
    ):
        assert line in out.splitlines()


def test_inspect_of_a_set_from_all_speakers(command, tmp_path):
    made = provenance(fold=None, estimate="UAR 0.61")
    small_set(provenance=made, start=None, transforms=()).save(tmp_path / "set")
    _, out, _ = command("inspect", tmp_path / "set")
    assert "another corpus: every speaker of EmoDB (2005 release) went in" in out
    assert "estimate     UAR 0.61" in out
    assert "start        none" in out
    assert "transforms   none" in out


def test_inspect_for_machines(command, folder):
    code, out, _ = command("inspect", folder, "--json")
    found = json.loads(out)
    written = json.loads((folder / "manifest.json").read_text())
    low, high = small_set().features.aminmax()
    assert code == 0
    assert found.pop("measured") == {
        "bytes": 2440,
        "start_bytes": 112,
        "seconds_per_item": 0.12,
        "range": [low.item(), high.item()],
    }
    assert found == written


def test_a_foreign_set_does_not_steer_the_terminal(command, tmp_path):
    made = provenance(notes=("\x1b[2Jall is well",))
    small_set(provenance=made).save(tmp_path / "set")
    _, out, _ = command("inspect", tmp_path / "set")
    assert "\x1b" not in out
    assert r"\x1b[2Jall is well" in out


def test_verify(command, folder):
    digest = json.loads((folder / "manifest.json").read_text())["digest"]
    assert command("verify", folder) == (0, f"OK: 4 files, digest {digest}\n", "")
    (folder / "README.md").write_text("better")
    code, out, err = command("verify", folder)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {folder}: README.md is damaged")


def imported(folder: Path) -> SyntheticSet:
    real = fake_speech((6, 5, 4))
    labels = torch.tensor([0, 1, 2])
    save_file({"features": real.features[:3], "labels": labels}, folder / "theirs.safetensors")
    file = folder / "theirs.safetensors"
    return adopt(file, real, leave_one_out("speaker"), None, real.emotions, "theirs")


def packed(codec: Codec) -> SyntheticSet:
    stored = Packed.of(codec, small_set().features)
    return small_set(packed=stored, features=stored.features(12))


BUDGET = PrivacyBudget(8.0, 1e-4)
RELEASES = (Release("a", 4.0), Release("b", 5.0, 0.25, 3))
IN_ORDER = torch.eye(3).repeat_interleave(2, dim=0)
PUBLIC = PublicSpeech(
    *("toy", "Toy", "ab" * 32, "none", "yes", "nobody", 12, 3, ("a note",), ("its start",))
)
MADE = {
    "of a fold": lambda _: small_set(),
    "of all": lambda _: small_set(provenance=provenance(fold=None), start=None),
    "with an estimate": lambda _: small_set(provenance=provenance(fold=None, estimate="0.5 ± 0.1")),
    "nested": lambda _: small_set(targets=IN_ORDER, nested=(1,)),
    "a part": lambda _: small_set(targets=IN_ORDER, nested=(1,)).prefix(1),
    "private": lambda _: small_set(
        guarantee=Guarantee(BUDGET, RELEASES),
        provenance=provenance(corpus_digest=None, training_utterances=None, public=PUBLIC),
    ),
    "packed": lambda _: packed(codec_of("int8", "means", 4)),
    "of dimensions": lambda _: felt_set(),
    "of both": lambda _: set_of_both(),
    "for a schedule": lambda _: small_set(
        schedule=NativeSchedule(torch.tensor([0.1, 0.3]), 0.9, 1), targets=IN_ORDER
    ),
    "imported": imported,
    "with a decoder": lambda _: set_of_codes(),
}


@pytest.mark.parametrize("made", MADE)
def test_every_card_that_is_written_is_verified_and_no_other(command, tmp_path, made):
    folder = tmp_path / "set"
    MADE[made](tmp_path).save(folder)
    code, out, err = command("verify", folder)
    assert (code, err) == (0, "")
    assert "not compared" not in out
    forge(folder, README=(folder / "README.md").read_bytes() + b"\nMade of nobody's speech.\n")
    code, out, err = command("verify", folder)
    assert (code, out) == (2, "")
    assert "README.md is not what distill-data" in err


def test_a_card_by_another_version_is_not_compared(command, tmp_path):
    small_set(provenance=provenance(version="0.0.1")).save(tmp_path / "set")
    forge(tmp_path / "set", README=b"another wording")
    code, out, _ = command("verify", tmp_path / "set")
    assert code == 0
    assert "README.md was not compared: it is by distill-data 0.0.1" in out


def test_prefix(command, folder, tmp_path, caplog):
    some = tmp_path / "some"
    assert command("prefix", folder, "--items", 1, "--out", some) == (0, f"{some}\n", "")
    assert f"{folder} was not made for this size; sizes that it was made for: none" in caplog.text
    assert command("verify", some)[0] == 0
    assert "items        3: anger 1, neutral 1, sadness 1" in command("inspect", some)[1]
    ordered = {"targets": torch.eye(3).repeat_interleave(2, dim=0), "nested": (1,)}
    small_set(**ordered).save(folder)
    caplog.clear()
    assert command("prefix", folder, "--items", 1, "--out", tmp_path / "again")[0] == 0
    assert caplog.text == ""


def test_a_prefix_replaces_nothing(command, folder, tmp_path):
    before = (folder / "set.safetensors").read_bytes()
    for there in (folder, tmp_path):
        code, out, err = command("prefix", folder, "--items", 1, "--out", there)
        assert (code, out) == (2, "")
        assert f"{there}: exists, and a prefix replaces nothing: choose another folder" in err
    assert (folder / "set.safetensors").read_bytes() == before


def test_draw(command, tmp_path):
    set_of_codes().save(tmp_path / "set")
    drawn = tmp_path / "drawn"
    given = ("draw", tmp_path / "set", "--items", 7)
    assert command(*given, "--out", drawn) == (0, f"{drawn}\n", "")
    assert command("verify", drawn)[0] == 0
    assert "items        21: anger 7, neutral 7, sadness 7" in command("inspect", drawn)[1]
    code, _, err = command(*given, "--out", drawn)
    assert (code, "exists, and a drawn set replaces nothing" in err) == (2, True)
    assert command(*given, "--seed", 1, "--out", tmp_path / "other")[0] == 0
    first, other = (SyntheticSet.load(tmp_path / name) for name in ("drawn", "other"))
    assert not torch.equal(first.features, other.features)


def test_a_set_without_a_decoder_says_so(command, folder, tmp_path):
    code, out, err = command("draw", folder, "--items", 7, "--out", tmp_path / "drawn")
    assert (code, out) == (2, "")
    assert "items are drawn by a set's decoder, and this set stores its items" in err


@pytest.mark.parametrize("items", [0, 2, 9])
def test_a_prefix_of_all_or_nothing(command, folder, tmp_path, items):
    code, out, err = command("prefix", folder, "--items", items, "--out", tmp_path / "some")
    assert (code, out) == (2, "")
    assert f"of a set of 2 items of each emotion has from 1 to 1; found {items}\n" in err
    assert not (tmp_path / "some").exists()


@pytest.mark.parametrize("entry", ["inspect", "verify"])
def test_no_set(command, tmp_path, entry):
    code, out, err = command(entry, tmp_path / "none")
    assert (code, out) == (2, "")
    assert "no such folder; a synthetic set is a folder with manifest.json" in err
    assert "Traceback" not in err


def test_corpora(command):
    code, out, _ = command("corpora")
    assert code == 0
    assert out.splitlines()[0].split() == ["name", "classes", "utterances", "speakers", "access"]
    for corpus in CORPORA.values():
        assert f"\n{corpus.name} " in out
        assert f"licence: {corpus.licence} (derivatives: {corpus.derivatives})" in out
        assert f"protocols: {', '.join(corpus.protocols)}" in out
    for line in (
        "dimensions: valence, activation, dominance (1 to 5)",
        "dimensions: valence, activation, dominance (as its columns say)",
        "dimensions: valence, activation, dominance (-1 to 1): proxies of the emotions (Russell",
    ):
        assert f"    {line}" in out
    rows = json.loads(command("corpora", "--json")[1])
    assert [row["name"] for row in rows] == [corpus.name for corpus in CORPORA.values()]


@pytest.mark.parametrize(
    "arguments", [["verfy", "x"], ["verify"], ["verify", "x", "y"], ["inspect", "x", "--jsn"], []]
)
def test_wrong_usage(command, arguments):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert "Usage:" in err


def test_version_and_help(command):
    code, out, _ = command("--version")
    assert code == 0
    assert out.startswith("distill-data ")
    code, out, _ = command("--help")
    assert code == 0
    assert all(name in out for name in ("inspect", "prefix", "verify", "corpora"))


def small_command(action) -> typer.Typer:
    app = console.command_line("For tests.")
    app.command()(action)
    return app


def test_only_a_user_error_is_printed_without_a_traceback(command, monkeypatch):
    def user() -> None:
        raise UserError("the lamp is off: switch it on")

    def defect() -> None:
        raise RuntimeError("a defect")

    code, out, err = command(entry=lambda: console.run(small_command(user)))
    assert (code, out, err) == (2, "", "error: the lamp is off: switch it on\n")
    monkeypatch.setattr(sys, "argv", ["command"])
    with pytest.raises(RuntimeError, match="a defect"):
        console.run(small_command(defect))


def test_interrupted(command):
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert command(entry=lambda: console.run(small_command(interrupted))) == (
        130,
        "",
        "interrupted\n",
    )


def test_ctrl_c_in_a_process_of_its_own(tmp_path):
    script = (
        "import signal, time\nfrom synth_data import console\n"
        # A shell starts what runs in the background deaf to it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "app = console.command_line('For tests.')\n"
        "@app.command()\ndef wait() -> None:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "console.run(app)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "interrupted\n")


def test_a_traceback_on_demand(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", "from synth_data.cli import main; main()", "-v", "verify", "none"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: none: no such folder")
    assert "Traceback" in done.stderr


def test_logging_levels(monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", root.level)
    for arguments, level in (
        ({}, logging.WARNING),
        ({"verbose": True}, logging.DEBUG),
        ({"quiet": True}, logging.ERROR),
    ):
        console.set_up_logging(**arguments)
        assert root.level == level
    with pytest.raises(UserError, match="contradict each other"):
        console.set_up_logging(verbose=True, quiet=True)


def test_json_holds_only_numbers_that_json_knows(capsys):
    console.print_json({"uar": 0.5})
    assert json.loads(capsys.readouterr().out) == {"uar": 0.5}
    with pytest.raises(ValueError, match="JSON compliant"):
        console.print_json(float("nan"))
