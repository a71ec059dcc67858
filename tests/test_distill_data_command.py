"""The command `distill-data`, as a user meets it."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import (
    ask_to_end,
    press_ctrl_c,
    set_bytes,
    small_config,
    start_and_save_often,
)

from evaluation.report import Report
from synth_data.synthetic import SyntheticSet

PROTOCOL = (
    "toy corpus, made by this package · 4 classes · 640 utterances · four-speaker-folds, 4 folds"
    " · validation: speaker-disjoint · logmel64-short"
)


@pytest.fixture
def run(distill_data, tmp_path):
    """`distill-data` with small settings, into a folder by name."""
    config = small_config(tmp_path)
    return lambda out, *words: distill_data("--config", config, "--out", tmp_path / out, *words)


def test_a_run_from_start_to_report(run, tmp_path):
    done = run("out")
    assert done.code == 0
    assert (done.lines[0], done.lines[-1]) == (PROTOCOL, PROTOCOL)
    for name in ("full", "distilled", "random"):
        assert re.search(rf"^{name} .*0\.\d\d\d", done.out, re.MULTILINE)
    chosen, estimate = done.err.splitlines()
    assert chosen.startswith("objective: distribution-matching, with a classification term, since")
    assert estimate.startswith("estimate: ")
    out = tmp_path / "out"
    found = {str(path.relative_to(out)) for path in out.rglob("*") if path.parent.name != "set"}
    assert found == {
        "run.toml",
        "report.json",
        "report.md",
        "report.html",
        "fold-1",
        "fold-1/cost.json",
        "fold-1/set",
        "fold-1/predictions.csv",
        "fold-1/runs.json",
    }
    report = Report.load(out / "report.json")
    assert report.protocol == PROTOCOL
    assert {row.recipe for row in report.rows} == {"custom"}
    synthetic = SyntheticSet.load(out / "fold-1" / "set")
    assert len(synthetic.features) == 8

    again = run("out")
    assert again.code == 2
    assert "holds a run already: give --resume to go on with it, or another --out" in again.err

    refused = run("out", "--resume")
    assert refused.code == 2
    assert "leave out --config" in refused.err


def test_json_alone_on_stdout_and_nothing_on_stderr(run, tmp_path):
    done = run("out", "--json", "-q")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == json.loads((tmp_path / "out" / "report.json").read_text())


def test_the_same_seed_and_the_written_settings_give_the_same_bits(run, distill_data, tmp_path):
    assert run("a", "-q").code == 0
    written = tmp_path / "a" / "run.toml"
    assert distill_data("--config", written, "--out", tmp_path / "b", "-q").code == 0
    assert run("c", "-q", "--seed", 1).code == 0
    a, b, c = (tmp_path / name / "fold-1" for name in "abc")
    assert set_bytes(a) == set_bytes(b)
    assert (a / "predictions.csv").read_bytes() == (b / "predictions.csv").read_bytes()
    assert set_bytes(a)["set.safetensors"] != set_bytes(c)["set.safetensors"]


@pytest.mark.slow
@pytest.mark.usefixtures("two_at_once")
def test_all_folds_side_by_side_and_one_by_one_give_the_same_bits(run, distill_data, tmp_path):
    done = run("all", "--fold", "all")
    assert re.findall(r"^fold \d: UAR 0\.\d+ distilled.*; (\d) of 4 done$", done.err, re.M) == [
        "1", "2", "3", "4",
    ]  # fmt: skip
    assert run("one", "--fold", 1).code == 0
    assert set_bytes(tmp_path / "all" / "fold-1") == set_bytes(tmp_path / "one" / "fold-1")
    one, every = (tmp_path / name / "fold-1" / "predictions.csv" for name in ("one", "all"))
    assert one.read_bytes() == every.read_bytes()

    # Nothing is left to do, and that is what the plan says.
    assert "estimate: " in done.err
    again = distill_data("--resume", "--out", tmp_path / "all")
    assert again.code == 0
    assert "estimate: " not in again.err

    # Folds can be added, and the report is about all that are there.
    out = tmp_path / "one"
    assert distill_data("--resume", "--out", out, "--fold", 2).code == 0
    report = Report.load(out / "report.json")
    assert {row.fold for row in report.rows} == {"all", 1, 2}
    assert "not all folds: 1, 2 of 4" in report.notes

    # The set to share is made beside the folds, quotes them, and leaves the settings alone.
    before = (tmp_path / "all" / "run.toml").read_bytes()
    shared = distill_data("--resume", "--out", tmp_path / "all", "--fold", "none")
    assert shared.code == 0
    assert "no estimate" not in shared.err
    assert (tmp_path / "all" / "run.toml").read_bytes() == before
    card = (tmp_path / "all" / "fold-none" / "set" / "README.md").read_text()
    assert re.search(r"All folds pooled: fixed initialisation: UAR 0\.\d+ \[", card)
    assert distill_data("--resume", "--out", out, "--fold", "none").code == 0
    card = (out / "fold-none" / "set" / "README.md").read_text()
    assert re.search(r"Only folds 1, 2 of 4: fixed initialisation: UAR 0\.\d+ \[", card)
    left = distill_data("--resume", "--out", out, "--fold", "all", "--dry-run", "--json")
    assert json.loads(left.out)["estimate"]["folds"] == 2


def test_a_set_to_share(run, evaluate_data, tmp_path):
    done = run("out", "--fold", "none")
    line = PROTOCOL.replace(
        "four-speaker-folds, 4 folds · validation: speaker-disjoint", "all speakers, no test"
    )
    folder = tmp_path / "out" / "fold-none" / "set"
    assert done.lines == [line, str(folder), line]
    assert "its card quotes no estimate of what it is worth. For one: distill-data" in done.err
    assert json.loads((folder / "manifest.json").read_text())["provenance"]["fold"] is None
    assert "For an estimate on its own, `distill-data --resume --fold all`" in (
        folder / "README.md"
    ).read_text().replace("\n", " ")
    assert sorted(path.name for path in folder.parent.iterdir()) == ["cost.json", "set"]
    refused = evaluate_data(folder, "--dataset", "toy")
    assert refused.code == 2
    assert (
        "was made from all speakers of toy, which leaves none to test it on: judge sets of"
        in refused.err
    )


def test_resume_needs_a_run_and_its_settings(run, distill_data, tmp_path):
    assert "--resume needs the folder of a run in --out" in distill_data("--resume").err
    nothing = distill_data("--resume", "--out", tmp_path / "nothing")
    assert nothing.code == 2
    assert "found" in nothing.err
    assert run("out", "--fold", "none", "-q").code == 0
    other = distill_data("--resume", "--out", tmp_path / "out", "--ipc", 5, "--seed", 3)
    assert other.code == 2
    assert "other settings (ipc is 5, not 2; seed is 3, not 0)" in other.err


def test_a_folder_of_something_else_is_left_alone(run, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("one")
    done = run("thesis")
    assert done.code == 2
    assert "exists and is not a run's folder: choose another --out" in done.err
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter"]


def test_a_dry_run_reads_no_speech_and_writes_nothing(run, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("speech was read")

    monkeypatch.setattr("synth_data.corpora.toy_speech.ToyVoice.waveform", refuse)
    monkeypatch.setattr("synth_data.corpora.toy_speech.ToyVoice.digest", refuse)
    taught = tmp_path / "taught.toml"
    small = small_config(tmp_path).read_text()
    taught.write_text(small.replace("[expert]\nsteps = 2\n", "[expert]\nsteps = 1000\n"))
    before = sorted(tmp_path.rglob("*"))
    done = run("out", "--dry-run", "--fold", "all")
    assert done.code == 0
    assert done.lines[0] == PROTOCOL
    assert "ipc = 2" in done.lines
    assert re.search(
        r"^# estimate: .* for 4 folds .* GB of memory, .* [kM]B per set$", done.lines[-1]
    )
    for_machines = json.loads(run("out", "--dry-run", "--json").out)
    assert for_machines["protocol"] == PROTOCOL
    assert for_machines["settings"]["loop"]["steps"] == 3
    assert for_machines["estimate"]["seconds"] > 0
    assert for_machines["estimate"]["memory"] > 1e8
    words = ("--dry-run", "--json", "--native-steps", 1, "--config", taught)
    more = json.loads(run("out", *words).out)
    assert more["settings"]["native"]["steps"] == 1
    assert more["estimate"]["distilling"] > 3 * for_machines["estimate"]["distilling"]
    # A limit does not end what is asked before the first step.
    hurried = run("out", *words, "--max-minutes", 0.001)
    limited = json.loads(hurried.out)["estimate"]
    assert limited["distilling"] == limited["before"] > 1
    told = run("out", *words[:1], *words[2:], "--max-minutes", 0.001).lines[-1]
    assert re.match(r"# what is asked of .* takes about .*, and --max-minutes allows 0.001", told)
    assert not any("--max-minutes" in line for line in done.lines)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("private", [False, True])
def test_a_nested_run(distill_data, tmp_path, monkeypatch, private):
    """Its prefixes are sets, and keep what is guaranteed about the speakers."""
    monkeypatch.setenv("DISTILL_DATA_LEDGERS", str(tmp_path / "ledgers"))
    words = ("--epsilon", 8, "--accept-low-utility") if private else ("--objective", "unrolled")
    steps = tmp_path / "steps.toml"
    steps.write_text("[loop]\nsteps = 3\n")
    given = ("--ipc", 3, "--nested", "2, 1", "--slices", 1, "--numbers", "float32")
    done = distill_data(
        *words, *given, "--fold", "none", "--config", steps, "--out", tmp_path / "a"
    )
    assert done.code == 0
    synthetic = SyntheticSet.load(tmp_path / "a" / "fold-none" / "set")
    assert synthetic.nested == (1, 2)
    assert synthetic.provenance.settings["nested"] == [2, 1]
    some = synthetic.prefix(2)
    assert set(some.per_class.values()) == {2} or private  # whose labels are what answers say
    assert some.guarantee == synthetic.guarantee
    assert (some.guarantee is not None) == private


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ipc", "0"], "ipc: input should be greater than or equal to 1, found 0"),
        (["--ipc", "x"], "Invalid value for '--ipc'"),
        (["--nested", "1,x"], "--nested takes whole numbers between commas, such as 1,5"),
        (["--nested", "0,5"], "nested.0: input should be greater than or equal to 1, found 0"),
        (["--nested", "1,5", "--ipc", "5"], "one of ipc 5 they can be from 1 to 4; found 5"),
        (
            ["--native-steps", "-1"],
            "the native schedule: steps: input should be greater than or equal",
        ),
        (
            ["--native-steps", "3", "--starts-from", "random"],
            "a native schedule is for students from the fixed initialisation, and this set is for",
        ),
        (
            ["--native-steps", "3", "--objective", "unrolled"],
            "unrolled learns a native schedule of its own: set native steps to 0",
        ),
        (["--fold", "0"], "fold: should be a number from 1, all or none, found"),
        (["--fold", "x"], "fold: should be a number from 1, all or none, found 'x'"),
        (["--fold", "99"], "fold 99 does not exist: four-speaker-folds on toy has folds 1 to 4"),
        (["--dataset", "toi"], "unknown corpus 'toi': did you mean 'toy'"),
        (["--student", "tddn"], "unknown student 'tddn': did you mean 'tdnn'"),
        (["--dataset", "emodb", "--data-root", "/nowhere"], "/nowhere: no such folder"),
        (["--verbose", "--quiet"], "contradict each other"),
        (
            ["--stedent", "tdnn"],
            "No such option: --stedent (Possible options: --nested, --seed, --student)",
        ),
    ],
)
def test_wrong_usage(distill_data, tmp_path, words, message):
    done = distill_data(*words, "--out", tmp_path / "out")
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_verbose_shows_where_an_error_was_raised(distill_data, caplog):
    distill_data("--ipc", 0)
    assert caplog.text == ""
    distill_data("--ipc", 0, "-v")
    assert "Traceback" in caplog.text


def test_help_and_version(distill_data):
    text = distill_data("--help").out
    options = set(re.findall(r"^  (?:-\w, )?--([\w-]+)", text, re.MULTILINE))
    assert options == {
        *("dataset", "data-root", "task", "scale", "ipc", "objective", "feature", "protocol"),
        *("dimension-weights", "fold", "student"),
        *("starts-from", "initialisation", "slices", "numbers", "labels", "max-minutes"),
        *("native-steps", "disentangle", "speaker-penalty", "nested"),
        *("public-dataset", "public-root", "public-label-map"),
        *("epsilon", "delta", "unit", "units-at-least", "accept-low-utility"),
        *("seed", "out", "config", "device", "allow-missing", "skip-bad", "dry-run", "resume"),
        *("json", "verbose", "quiet", "version", "help"),
    }
    packed = "".join(text.split())  # long names are broken across lines
    for default in ("toy", "10", "auto", "logmel64;toy:logmel64-short", "all;1fortoy", "0"):
        assert f"[default:{default}]" in packed
    assert re.fullmatch(r"distill-data \d+\.\d+\.\d+\S*\n", distill_data("--version").out)


def _wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_gone(group: int) -> bool:
    """Whether soon nothing is left of a process and of those that it started."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals to process groups")
@pytest.mark.usefixtures("two_at_once")
@pytest.mark.parametrize(
    ("end", "fold"), [(press_ctrl_c, "1"), (press_ctrl_c, "all"), (ask_to_end, "all")]
)
def test_an_interrupted_run_resumes_to_the_same_bits(distill_data, tmp_path, end, fold):
    config = small_config(tmp_path, steps=200)
    out = tmp_path / "out"
    process = start_and_save_often("--config", config, "--out", out, "--fold", fold)
    _wait_for(out / "fold-1" / "progress.safetensors", process)
    time.sleep(0.2)  # long before its last step
    stopped = end(process)
    assert stopped.code == 130
    assert f"to go on: distill-data --resume --out {out} --fold {fold}" in stopped.err
    assert "Traceback" not in stopped.err
    assert "leaked" not in stopped.err  # semaphores, as Python warns
    assert _is_gone(process.pid)
    assert not (out / "fold-1" / "set").exists()
    assert (out / "fold-1" / "progress.safetensors").exists()

    assert distill_data("--resume", "--out", out, "-q").code == 0
    assert distill_data("--config", config, "--out", tmp_path / "whole", "-q").code == 0
    resumed, whole = out / "fold-1", tmp_path / "whole" / "fold-1"
    assert set_bytes(resumed) == set_bytes(whole)
    csv = "predictions.csv"
    assert (resumed / csv).read_bytes() == (whole / csv).read_bytes()
    assert not list(out.rglob("progress*"))
