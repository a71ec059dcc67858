"""Systems that distil the model stand beside sets that distil the data, on the same test."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from small_dimensional import judged, sides
from small_encoders import speech_encoder
from test_dimensional_command import felt_set
from test_evaluate_data_command import toy_set

from evaluation.dimensional.page import html
from evaluation.dimensional.report import DimensionalReport
from evaluation.dimensional.systems import NO_ENCODERS, Encoders, read_systems, ways
from evaluation.files import write_atomically
from evaluation.runs import FULL
from evaluation.systems.encoders import open_speech
from evaluation.systems.fitting import parameters
from evaluation.systems.rows import Fold, Run, SystemRow, SystemRun, rows_of, save
from synth_data.corpus import load
from synth_data.errors import UserError
from synth_data.features import FEATURES
from synth_data.representations import known_feature
from synth_data.task import DIMENSIONS


def fold(number: int, far: float) -> Fold:
    """Six test utterances of two speakers, and a student that is so far from the truth."""
    random = np.random.default_rng(number)
    truth = random.uniform(-1, 1, (6, 3))
    said = truth + far * random.standard_normal((6, 3))
    row = Run("distilled student", 0, "speech", 79_175, 500_000, 316_700, 150.0, 0.5, said.tolist())
    names = [f"{number} {n}" for n in range(6)]
    speakers = [f"{number} {n % 2}" for n in range(6)]
    return Fold(number, list(DIMENSIONS), names, speakers, truth.tolist(), [row], [])


FOLDS = (fold(1, 0.1), fold(2, 0.5), fold(3, 2.0))


def run_in(folder: Path, folds: Sequence[Fold] = FOLDS, **changes: object) -> Path:
    real = sides()[2]
    run = SystemRun(
        **{
            "system": "representation",
            "corpus": real.corpus,
            "recordings": real.digest,
            "ratings": real.ratings,
            "protocol": "made-up",
            "line": "line",
            "command": "c",
            "notes": [],
            "rows": rows_of("representation", folds),
            **changes,
        }
    )
    for one in folds:
        write_atomically(folder / f"fold-{one.fold}" / "result.json", save(one))
    (folder / "report.json").write_text(json.dumps(asdict(run)))
    return folder


def reported(
    rows: Sequence[SystemRow], numbers: Sequence[int], encoders: Encoders = NO_ENCODERS
) -> DimensionalReport:
    results = [replace(judged(), fold=number) for number in numbers]
    named = {"corpus": "c", "command": "c"}
    return DimensionalReport.of("line", results, **named, systems=rows, encoders=encoders)


def test_a_system_stands_beside_full_data_and_sets(tmp_path):
    real = sides()[2]
    rows = read_systems([run_in(tmp_path / "run", FOLDS[:1])], real, "made-up", [1], pooled=True)
    report = reported(rows, [1])
    report.save(tmp_path / "out")
    assert DimensionalReport.load(tmp_path / "out" / "report.json") == report
    text = report.markdown()
    part = text[text.index("## Model distillation") :]
    own = rows_of("representation", FOLDS[:1])[0]
    full = max(row.mean.ccc.mean for row in report.rows if row.set == FULL)
    assert f"| {own.mean / full:.3f} |" in part if full > 0 else "| - |" in part
    interval = "[{:.3f}, {:.3f}]".format(*own.interval)
    assert f"| representation: distilled student | speech | {own.mean:.3f} | {interval} |" in part
    assert "79,175" in part
    assert "| who trains |" in part
    assert "| distilled |" in part
    page = html(report, [replace(judged(), fold=1)])
    section = page[page.index('id="model-distillation"') :]
    for shown in ("representation: distilled student", "79,175", "who trains"):
        assert shown in section


def test_sets_in_an_encoders_representation_count_the_encoder(tmp_path):
    folder = speech_encoder(tmp_path / "encoder")
    spec = known_feature(f"hubert:{folder}+hubert:{folder},layer=1")
    encoder = open_speech(str(folder)).network
    held = Encoders.of(spec)
    assert held.parameters == parameters(encoder)
    assert held.bytes == sum(4 * each.numel() for each in encoder.state_dict().values())
    assert Encoders.of(FEATURES["logmel64"]) == Encoders()
    rows = rows_of("representation", FOLDS[:1])
    bare, heard = (ways(1, reported(rows, [1]).rows, rows, each) for each in (NO_ENCODERS, held))
    more = [
        (b.parameters - a.parameters, b.bytes - a.bytes) for a, b in zip(bare, heard, strict=True)
    ]
    whole = (held.parameters, held.bytes)
    assert more == [(0, 0) if one.of is None else whole for one in bare]
    assert {one.of is None for one in bare} == {True, False}
    felt = reported(rows, [1], encoders=held)
    felt.save(tmp_path / "out")
    assert DimensionalReport.load(tmp_path / "out" / "report.json").encoders == held
    assert f"| {heard[0].parameters:,} |" in felt.markdown()


@pytest.mark.parametrize(
    ("numbers", "pooled", "stands"),
    [
        ([2], True, {2: [1]}),
        ([1, 2], True, {"all": [0, 1], 1: [0], 2: [1]}),
        ([1, 2, 3], True, {"all": [0, 1, 2], 1: [0], 2: [1], 3: [2]}),
        ([1, 2], False, {1: [0], 2: [1]}),
    ],
)
def test_exactly_the_folds_of_the_report_are_pooled(tmp_path, numbers, pooled, stands):
    """Whichever the run had in its own table."""
    rows = read_systems([run_in(tmp_path / "run")], sides()[2], "made-up", numbers, pooled)
    found = {row.fold: row.mean for row in rows}
    assert found == {
        name: rows_of("representation", [FOLDS[place] for place in places])[0].mean
        for name, places in stands.items()
    }


def test_a_run_over_all_folds_stands_beside_a_set_of_one(tmp_path):
    rows = read_systems([run_in(tmp_path / "run")], sides()[2], "made-up", [2], pooled=True)
    mean = rows_of("representation", FOLDS[1:2])[0].mean
    part = reported(rows, [2]).markdown().partition("## Model distillation, fold 2")[2]
    assert f"| representation: distilled student | speech | {mean:.3f} |" in part


def test_a_run_that_lacks_a_fold_is_refused(tmp_path):
    folder = run_in(tmp_path / "run", FOLDS[:2])
    with pytest.raises(UserError, match=r"lacks fold 3, .* \(found: fold 1, 2\).* --fold 3, or"):
        read_systems([folder], sides()[2], "made-up", [1, 2, 3], pooled=True)
    with pytest.raises(UserError, match=r"lacks fold 4, 5, .* with --fold all, or evaluate-data"):
        read_systems([folder], sides()[2], "made-up", [4, 5], pooled=True)
    (folder / "fold-1" / "result.json").write_text("{}")
    with pytest.raises(UserError, match=r"fold-1/result.json: damaged"):
        read_systems([folder], sides()[2], "made-up", [1], pooled=True)


def test_systems_of_another_test_are_left_out():
    rows = rows_of("representation", FOLDS[1:2])
    report = reported(rows, [1])
    assert "## Model distillation" not in report.markdown()
    assert "Model distillation" not in html(report, [replace(judged(), fold=1)])


def test_a_run_on_other_recordings_or_by_another_protocol_is_refused(tmp_path):
    real = sides()[2]
    other = run_in(tmp_path / "other", recordings="0" * 16)
    with pytest.raises(UserError, match="with other recordings or labels"):
        read_systems([other], real, "made-up", [1], pooled=True)
    rated = run_in(tmp_path / "rated", ratings="0" * 64)
    with pytest.raises(UserError, match="or labels, ratings among them"):
        read_systems([rated], real, "made-up", [1], pooled=True)
    apart = run_in(tmp_path / "apart", protocol="leave-one-speaker-out")
    with pytest.raises(UserError, match="by leave-one-speaker-out, the sets are on"):
        read_systems([apart], real, "made-up", [1], pooled=True)


@pytest.mark.slow
def test_the_command_reads_them_before_any_work(evaluate_data, tmp_path):
    felt_set().save(tmp_path / "set")
    words = ("--dataset", "toy", "--systems", tmp_path / "none", "--out", tmp_path / "out")
    done = evaluate_data(tmp_path / "set", *words)
    assert done.code == 2
    assert "holds no report.json of distill-model" in done.err
    made = felt_set().provenance
    told = {"recordings": made.corpus_digest, "protocol": made.protocol}
    told["ratings"] = load("toy", None, felt_set().spec, task="dimensional").ratings
    lacking = run_in(tmp_path / "none", FOLDS[1:2], **told)
    done = evaluate_data(tmp_path / "set", *words)
    assert done.code == 2
    assert f"{lacking} lacks fold 1, which the sets are tested on (found: fold 2)" in done.err
    assert not (tmp_path / "out").exists()
    toy_set().save(tmp_path / "emotions")
    done = evaluate_data(tmp_path / "emotions", *words)
    assert done.code == 2
    assert "these sets tell emotions" in done.err
