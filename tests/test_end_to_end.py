"""The user's commands on real recordings, unchanged but for their size."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from commands import Command, run_here, small_config
from joblib import parallel_config
from small_teachers import save_speech, save_text
from test_distill_model_command import OWN, QUICK
from trees import emodb_as_segments, emodb_as_turns, iemocap_tree, msp_podcast_tree

from evaluation.report import Report
from evaluation.systems import cli as distills_models
from evaluation.systems.rows import read_run
from evaluation.systems.shipped import load_student
from evaluation.systems.table import SYSTEMS
from synth_data.corpora import CORPORA
from synth_data.corpora.toy_words import WORDS

pytestmark = [pytest.mark.corpus, pytest.mark.slow]


def test_a_tree_of_iemocap_made_from_real_recordings(
    distill_data: Command, evaluate_data: Command, data_root: Path, tmp_path: Path
) -> None:
    turns = emodb_as_turns(CORPORA["emodb"].read(data_root / "emodb", False))
    tree = iemocap_tree(tmp_path / "IEMOCAP_full_release", turns)
    out = tmp_path / "out"
    config = tmp_path / "small.toml"
    config.write_text(small_config(tmp_path).read_text().replace("ipc = 2\n", ""))
    done = distill_data(
        *("--ipc", 10, "--dataset", "iemocap", "--data-root", tree),
        *("--config", config, "--out", out),
    )
    assert done.code == 0, done.err
    assert done.lines[0].startswith("IEMOCAP · 4 classes (exc->hap) · ")
    assert "leave-one-session-out, 5 folds · validation: speaker-disjoint" in done.lines[0]
    assert "instead of the published 5531" in done.lines[0]
    assert done.lines[0] == done.lines[-1]
    assert re.search(r"^distilled +10 +fixed +0\.\d\d\d", done.out, re.MULTILINE)
    assert len(re.findall(r"^fold \d: UAR", done.err, re.MULTILINE)) == 5
    report = Report.load(out / "report.json")
    assert {row.fold for row in report.rows} == {"all", 1, 2, 3, 4, 5}
    assert next(row.speakers for row in report.rows if row.fold == "all") == 10

    judged = evaluate_data(
        *(out / "fold-5" / "set", "--dataset", "iemocap", "--data-root", tree),
        *("--seeds", 1, "--recipe", config, "--out", tmp_path / "judged"),
        *("--baselines", "random,compressed-int8,cosines-int8", "--teachers", "none"),
        *("--speech", "none", "--no-scores"),
    )
    assert judged.code == 0, judged.err
    again, before = (
        f / "predictions.csv" for f in (tmp_path / "judged" / "fold-5", out / "fold-5")
    )
    assert again.read_bytes() == before.read_bytes()


def test_a_users_own_table_of_real_recordings(
    distill_data: Command, evaluate_data: Command, data_root: Path, tmp_path: Path
) -> None:
    rows = ["file,emotion,speaker,gender"]
    for utterance in CORPORA["emodb"].read(data_root / "emodb", False):
        path = utterance.audio.path  # type: ignore[union-attr]
        rows.append(f"{path},{utterance.emotion},{utterance.speaker},{utterance.gender}")
    (tmp_path / "own.csv").write_text("\n".join(rows))
    done = distill_data(
        *("--dataset", "table", "--data-root", tmp_path / "own.csv", "--allow-missing"),
        *("--protocol", "speaker-independent-5-fold", "--fold", 2, "--json"),
        *("--config", small_config(tmp_path), "--out", tmp_path / "out"),
    )
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert "7 classes · 535 utterances · speaker-independent-5-fold" in report["protocol"]
    assert {row["speakers"] for row in report["rows"]} == {2}

    judged = evaluate_data(
        *(tmp_path / "out" / "fold-2" / "set", "--dataset", "table"),
        *("--data-root", tmp_path / "own.csv", "--allow-missing", "--seeds", 1),
        *("--recipe", small_config(tmp_path), "--out", tmp_path / "judged"),
    )
    assert judged.code == 0, judged.err
    page = (tmp_path / "judged" / "report.html").read_text()
    assert "7 classes · 535 utterances · speaker-independent-5-fold" in page
    genders = {group.group for group in Report.load(tmp_path / "judged" / "report.json").groups}
    assert genders >= {"female", "male"}


@pytest.mark.usefixtures("two_at_once")
@pytest.mark.parametrize("task", ["categorical", "dimensional"])
def test_a_tree_of_msp_podcast_made_from_real_recordings(
    distill_data: Command, evaluate_data: Command, data_root: Path, tmp_path: Path, task: str
) -> None:
    segments = emodb_as_segments(CORPORA["emodb"].read(data_root / "emodb", False))
    tree = msp_podcast_tree(tmp_path / "MSP-PODCAST-Publish-1.11", segments)
    done = distill_data(
        *("--dataset", "msp-podcast", "--data-root", tree, "--json"),
        *("--task", task, "--config", small_config(tmp_path), "--out", tmp_path / "out"),
    )
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert "MSP-Podcast · " in report["protocol"]
    assert "test1-and-test2, 2 folds · validation: as listed" in report["protocol"]
    assert "of unknown speakers" in report["protocol"]
    assert report["tests"] == {"1": "test1", "2": "test2"}
    assert {row["fold"] for row in report["rows"]} == {1, 2}  # never as if they were one test
    assert {row["speakers"] for row in report["rows"]} == {1}
    out = tmp_path / "out"
    with parallel_config(backend="threading"):
        again = evaluate_data(
            *(out, "--recipe", out / "run.toml", "--dataset", "msp-podcast", "--data-root", tree),
            *("--seeds", 1, "--baselines", "random", "--teachers", "none", "--speech", "none"),
            *("--no-scores", "--out", tmp_path / "judged"),
        )
    assert again.code == 0, again.err
    assert "fold 1 (test1)" in again.out
    assert "fold 2 (test2)" in again.out


@pytest.mark.usefixtures("two_at_once")
@pytest.mark.parametrize("system", SYSTEMS)
def test_models_are_distilled_on_a_tree_of_msp_podcast_made_from_real_recordings(
    data_root: Path,
    tmp_path: Path,
    system: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With transcripts that differ, by encoders that know nothing."""
    words, recordings = list(WORDS), CORPORA["emodb"].read(data_root / "emodb", False)
    segments = [
        replace(one, text=" ".join(words[(n + k) % len(words)] for k in range(1 + n % 3)))
        for n, one in enumerate(emodb_as_segments(recordings))
        if n % 4 == 0
    ]
    tree = msp_podcast_tree(tmp_path / "MSP-PODCAST-Publish-1.11", segments)
    (tmp_path / "quick.toml").write_text(QUICK + OWN[system])
    given = [
        *("--system", system, "--dataset", "msp-podcast", "--data-root", tree, "--seeds", 1),
        *("--teacher", save_speech(tmp_path / "speech"), "--out", tmp_path / "out"),
        *("--text-teacher", save_text(tmp_path / "text"), "--config", tmp_path / "quick.toml"),
    ]
    done = run_here(distills_models.main, given, monkeypatch, capsys)
    assert done.code == 0, done.err
    assert "of unknown speakers" in done.out
    rows = read_run(tmp_path / "out").rows
    assert {row.fold for row in rows} == {1, 2}  # never as if they were one test
    assert all(math.isfinite(row.mean) for row in rows)
    student = load_student(tmp_path / "out" / "fold-1")
    waveform = recordings[0].audio.waveform(16_000)
    assert set(student(waveform, words[0])) >= {"valence", "activation", "dominance"}
