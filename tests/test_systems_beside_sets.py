"""Systems that distil the model stand beside sets that distil the data, on the same test."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from small_dimensional import judged, sides
from test_dimensional_command import felt_set
from test_evaluate_data_command import toy_set

from evaluation.dimensional.page import html
from evaluation.dimensional.report import DimensionalReport
from evaluation.dimensional.systems import read_systems
from evaluation.runs import FULL
from evaluation.systems.rows import SystemRow, SystemRun
from synth_data.errors import UserError

ROW = SystemRow(
    system="representation",
    fold=1,
    model="distilled student",
    ccc={"valence": 0.4, "activation": 0.6, "dominance": 0.5},
    mean=0.5,
    sd=None,
    interval=[0.3, 0.7],
    relative=1.2,
    parameters=79_175,
    fraction=0.158,
    bytes=316_700,
    minutes=2.5,
    hears="speech",
    raw_speech="who makes it",
)


def run_in(folder: Path, **changes: object) -> Path:
    real = sides()[2]
    run = SystemRun(
        **{
            "system": "representation",
            "corpus": real.corpus,
            "recordings": real.digest,
            "protocol": "made-up",
            "line": "line",
            "command": "c",
            "notes": [],
            "rows": [ROW],
            **changes,
        }
    )
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(asdict(run)))
    return folder


def test_a_system_stands_beside_full_data_and_sets(tmp_path):
    real = sides()[2]
    rows = read_systems([run_in(tmp_path / "run")], real, "made-up")
    result = replace(judged(), fold=1)
    report = DimensionalReport.of("line", [result], corpus="c", command="c", systems=rows)
    report.save(tmp_path / "out")
    assert DimensionalReport.load(tmp_path / "out" / "report.json") == report
    text = report.markdown()
    part = text[text.index("## Model distillation") :]
    full = max(row.mean.ccc.mean for row in report.rows if row.set == FULL)
    assert f"| {0.5 / full:.3f} |" in part if full > 0 else "| - |" in part
    assert "| representation: distilled student | speech | 0.500 | [0.300, 0.700] |" in part
    assert "79,175" in part
    assert "| who trains |" in part
    assert "| distilled |" in part
    page = html(report, [result])
    section = page[page.index('id="model-distillation"') :]
    for shown in ("representation: distilled student", "79,175", "who trains", "[0.300, 0.700]"):
        assert shown in section


def test_systems_of_another_test_are_left_out():
    rows = (replace(ROW, fold=2),)
    result = replace(judged(), fold=1)
    report = DimensionalReport.of("line", [result], corpus="c", command="c", systems=rows)
    assert "## Model distillation" not in report.markdown()
    assert "Model distillation" not in html(report, [result])


def test_a_run_on_other_recordings_or_by_another_protocol_is_refused(tmp_path):
    real = sides()[2]
    other = run_in(tmp_path / "other", recordings="0" * 16)
    with pytest.raises(UserError, match="with other recordings or labels"):
        read_systems([other], real, "made-up")
    apart = run_in(tmp_path / "apart", protocol="leave-one-speaker-out")
    with pytest.raises(UserError, match="by leave-one-speaker-out, the sets are on"):
        read_systems([apart], real, "made-up")


@pytest.mark.slow
def test_the_command_reads_them_before_any_work(evaluate_data, tmp_path):
    felt_set().save(tmp_path / "set")
    words = ("--dataset", "toy", "--systems", tmp_path / "none", "--out", tmp_path / "out")
    done = evaluate_data(tmp_path / "set", *words)
    assert done.code == 2
    assert "holds no report.json of distill-model" in done.err
    assert not (tmp_path / "out").exists()
    toy_set().save(tmp_path / "emotions")
    done = evaluate_data(tmp_path / "emotions", *words)
    assert done.code == 2
    assert "these sets tell emotions" in done.err
