"""Between the fixed initialisation and random ones lies a curve."""

from dataclasses import replace

import pytest
import torch
from batched import Batched
from fake_speech import SPEC
from small_evaluation import QUICK, SCHEDULE, TRAIN, WEIGHTS, a_set, judged, of, start, untimed

from evaluation.baselines import Competitor
from evaluation.baselines.random_subset import DRAWS
from evaluation.jobs import Job
from evaluation.networks import NETWORKS, draw_weights, skeleton
from evaluation.options import EVERY_BASELINE, FIXED, NATIVE, RANDOM
from evaluation.report import Report
from evaluation.runs import DISTILLED, FULL, FoldResult
from evaluation.starts import name_of, nearby, noise_of
from evaluation.students import Examples
from evaluation.students.network import Schedule

JOB = Job(
    Competitor("full", Examples(TRAIN.features, TRAIN.targets), None, "real items"),
    student="tdnn",
    initialisation=FIXED,
    weights=WEIGHTS,
    recipe=QUICK,
    recipe_name="custom",
    seed=0,
    base_seed=0,
)
NEAR, FAR = name_of(0.3), name_of(2.0)


@pytest.fixture(scope="module")
def result() -> FoldResult:
    return judged(a_set(schedule=SCHEDULE), start_noise=(0.3, 2.0), baselines=EVERY_BASELINE)


def moved(job: Job, size: float) -> dict[str, torch.Tensor]:
    (other,) = nearby(job, [size])
    return {name: other.weights[name] - weight for name, weight in job.weights.items()}


def test_noise_at_one_is_as_large_as_random_weights():
    noise = moved(JOB, 1.0)
    drawn = draw_weights(skeleton("tdnn", SPEC.mels, 3), torch.Generator().manual_seed(1))
    for name, weight in drawn.items():
        if weight.ndim > 1:
            size, expected = (t.square().mean().sqrt() for t in (noise[name], weight))
            assert float(size / expected) == pytest.approx(1, abs=0.15), name
        else:  # biases, and gains of norms
            assert not noise[name].any(), name


def test_running_statistics_stay_as_they_are(monkeypatch):
    monkeypatch.setitem(NETWORKS, "batched", Batched)
    weights = draw_weights(skeleton("batched", SPEC.mels, 3), torch.Generator().manual_seed(0))
    noise = moved(replace(JOB, student="batched", weights=weights), 1.0)
    assert {name for name, change in noise.items() if change.any()} == {"head.weight"}


def test_the_noise_is_the_same_for_every_size_and_set_and_another_for_each_student():
    name, other = "head.weight", start(seed=8).weights
    noise = moved(JOB, 1.0)[name]
    assert torch.allclose(moved(JOB, 0.1)[name], 0.1 * noise, atol=1e-6)
    assert torch.allclose(moved(replace(JOB, weights=other), 1.0)[name], noise, atol=1e-6)
    for changed in (replace(JOB, seed=1), replace(JOB, base_seed=1)):
        assert not torch.allclose(moved(changed, 1.0)[name], noise, atol=1e-3)


def test_names_are_those_of_the_sizes():
    sizes = (0.1, 1.0, 3.0, 1e-05, 1e22, 0.1234567, 0.12345671)
    assert [noise_of(name_of(size)) for size in sizes] == list(sizes)
    assert len({name_of(size) for size in sizes}) == len(sizes)
    assert [job.initialisation for job in nearby(JOB, (0.3, 1.0, 0.3))] == [
        "fixed + 0.3",
        "fixed + 1",
    ]


def test_judged_sets_full_data_and_random_subsets_start_near_as_well(result):
    for initialisation in (NEAR, FAR):
        for name in (DISTILLED, FULL):
            found = [run for run in of(result, name, initialisation) if run.recipe != NATIVE]
            assert [run.seed for run in found] == [0, 1]
        random = of(result, "random", initialisation)
        assert [(run.draw, run.seed) for run in random] == [(i, i) for i in range(DRAWS)]
    near = {run.set for run in result.runs if noise_of(run.initialisation) is not None}
    assert near == {DISTILLED, FULL, "random"}
    assert {run.bytes for run in of(result, FULL, NEAR)} == {
        run.bytes for run in of(result, FULL, FIXED)
    }


def test_native_students_start_near_too_one_for_each_seed(result):
    found = [run for run in result.runs if run.recipe == NATIVE]
    assert [(run.initialisation, run.seed) for run in found] == [
        (FIXED, 0),
        (NEAR, 0),
        (FAR, 0),
        (NEAR, 1),
        (FAR, 1),
    ]
    by_start = {(run.initialisation, run.seed): run.predicted for run in found}
    assert by_start[FAR, 0] != by_start[FAR, 1]


def test_all_other_students_are_what_they_are_without(result):
    plain = judged(a_set(schedule=SCHEDULE), baselines=EVERY_BASELINE)
    assert [run for run in untimed(result) if noise_of(run.initialisation) is None] == untimed(
        plain
    )


def test_next_to_nothing_changes_nothing_and_a_lot_changes_much():
    """So the curve begins at the fixed initialisation, and leads away from it."""
    still = replace(QUICK, schedules=(Schedule(1, 1e-12),))
    tiny = judged(a_set(schedule=SCHEDULE), start_noise=(1e-9,), baselines=(FULL,))
    for name in (DISTILLED, FULL):
        fixed, near = (
            [run.predicted for run in of(tiny, name, i) if run.recipe != NATIVE]
            for i in (FIXED, name_of(1e-9))
        )
        assert near == fixed
    fixed, *near = [run.predicted for run in tiny.runs if run.recipe == NATIVE]
    assert near == [fixed, fixed]

    sizes = (0.1, 0.5, 5.0)
    found = judged(a_set(), start_noise=sizes, recipe=still, seeds=4, baselines=(FULL,))
    before = of(found, FULL, FIXED)[0].predicted

    def changed(size: float) -> int:
        runs = of(found, FULL, name_of(size))
        return sum(p != q for run in runs for p, q in zip(run.predicted, before, strict=True))

    assert changed(0.1) < changed(0.5) < changed(5.0)


def test_ratios_are_to_full_data_from_the_same_start(result):
    report = Report.of("made up", [result], corpus="toy", command="")
    uar = {row.initialisation: row.uar.mean for row in report.rows if row.set == FULL}
    assert {FIXED, NEAR, FAR, RANDOM} == uar.keys()
    for row in report.rows:
        if row.set in (DISTILLED, "random"):
            assert row.relative_uar is not None
            expected = row.uar.mean / uar[row.initialisation]
            assert row.relative_uar.mean == pytest.approx(expected)
    pairs = {(one.against, one.recipe) for one in report.comparisons if one.initialisation == NEAR}
    assert pairs == {(FULL, "custom"), ("random", "custom"), (FULL, NATIVE), ("random", NATIVE)}


def test_the_report_has_a_section_of_them_and_no_other(result):
    report = Report.of("made up", [result], corpus="toy", command="")
    text = report.markdown()
    (section,) = [part for part in text.split("\n## ") if part.startswith("Between fixed")]
    header, _, *lines = [line for line in section.splitlines() if line.startswith("|")]
    assert header == "| set | ipc | student | recipe | fixed | fixed + 0.3 | fixed + 2 | random |"
    cells = {tuple(line.split(" | ")[i] for i in (0, 3)): line.split(" | ") for line in lines}
    assert list(cells) == [
        (f"| {FULL}", "custom"),
        (f"| {DISTILLED}", "custom"),
        ("| random", "custom"),
        (f"| {DISTILLED}", NATIVE),
    ]
    (row,) = [row for row in report.rows if (row.set, row.initialisation) == (FULL, FAR)]
    assert cells[f"| {FULL}", "custom"][6] == f"{row.uar.mean:.3f} (1.00)"
    assert cells[f"| {DISTILLED}", NATIVE][-1] == "- |"
    assert "fixed + " not in text.replace(section, "") + report.table()
    assert not any(noise_of(one.initialisation) for one in (*report.confusions, *report.groups))
    without = judged(a_set(), seeds=1, baselines=(FULL,))
    plain = Report.of("made up", [without], corpus="toy", command="").markdown()
    assert "Between fixed and random" not in plain
