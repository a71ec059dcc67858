"""A set that was made for one training is judged by that training too."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from batched import Batched
from fake_speech import SPEC, TASK, fake_speech
from small_evaluation import (
    SCHEDULE,
    TRAIN,
    WEIGHTS,
    a_set,
    judged,
    of,
    start,
    untimed,
)
from torch import Tensor
from torch.nn import functional

from distill.objectives.objective import Candidate, Student
from distill.objectives.student_run import Point, StudentRun
from distill.objectives.unrolled import LOG_RATES
from evaluation.named_sets import NamedSet
from evaluation.networks import NETWORKS, Weights, apply, draw_weights, skeleton
from evaluation.options import FIXED, NATIVE, RANDOM
from evaluation.outcomes import Outcomes
from evaluation.records import Row
from evaluation.report import Report
from evaluation.runs import CLEAN, DISTILLED, FULL, FoldResult, Run
from evaluation.saved_report import NATIVES
from evaluation.students import CannotTrain, Examples, Lesson, NativeRecipe, Setting
from synth_data.schedule import NativeSchedule, batch_rows

SYNTHETIC = a_set(schedule=SCHEDULE)
RECIPE = NativeRecipe.of(SCHEDULE)
STEPS = len(SCHEDULE.learning_rates)


def fitted(examples: Examples, recipe: NativeRecipe = RECIPE, network: str = "tdnn") -> Weights:
    weights = start(network).weights
    (setting,) = recipe.settings
    return recipe.fit(network, weights, examples, setting, torch.Generator()).weights


def own() -> Examples:
    return Examples(SYNTHETIC.features, SYNTHETIC.targets)


def natives(result: FoldResult) -> list[Run]:
    return [run for run in result.runs if run.recipe == NATIVE]


@pytest.fixture(scope="module")
def result() -> FoldResult:
    return judged(SYNTHETIC)


def by_hand() -> dict[str, Tensor]:
    """Momentum and a step for each rate, with the loss of PyTorch."""
    network = skeleton("tdnn", SPEC.mels, 3)
    weights = dict(WEIGHTS)
    moving = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for step, rate in enumerate(SCHEDULE.learning_rates.tolist()):
        rows = batch_rows(step, classes=3, per_class=2, together=1)
        free = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
        logits = apply(network, free, SYNTHETIC.features[rows])
        loss = functional.cross_entropy(logits, SYNTHETIC.targets[rows])
        slopes = torch.autograd.grad(loss, list(free.values()))
        for name, slope in zip(free, slopes, strict=True):
            moving[name] = SCHEDULE.momentum * moving[name] + slope
            weights[name] = weights[name] - rate * moving[name]
    return weights


def test_it_trains_as_a_plain_loop_does():
    before = {name: weight.clone() for name, weight in WEIGHTS.items()}
    found = RECIPE.fit("tdnn", WEIGHTS, own(), RECIPE.settings[0], torch.Generator())
    expected = by_hand()
    assert found.weights.keys() == WEIGHTS.keys()
    for name, weight in found.weights.items():
        assert torch.allclose(weight, expected[name], atol=1e-6), name
        assert not weight.requires_grad
        assert torch.equal(WEIGHTS[name], before[name])
    assert not torch.allclose(found.weights["head.weight"], WEIGHTS["head.weight"], atol=1e-3)
    assert found.parameters == sum(weight.numel() for weight in WEIGHTS.values())


@pytest.mark.parametrize("together", [1, 2])
def test_it_trains_as_the_objective_that_learned_the_schedule_does(together):
    rates = SCHEDULE.learning_rates
    student = Student(skeleton("tdnn", SPEC.mels, 3), WEIGHTS, TASK)
    learned = {LOG_RATES: rates.log()}
    candidate = Candidate(SYNTHETIC.features, SYNTHETIC.targets, 2, learned)
    run = StudentRun(student, candidate, learned[LOG_RATES], 0.5, together)
    point = Point.at_rest(WEIGHTS)
    for step in range(len(rates)):
        point = run.after(step, point)
    recipe = NativeRecipe.of(NativeSchedule(rates, 0.5, together))
    found = fitted(own(), recipe)
    for name, weight in point.weights.items():
        assert torch.allclose(found[name], weight, atol=1e-5), name


def test_it_has_one_setting_and_no_dice():
    (setting,) = RECIPE.settings
    assert (str(setting), setting.steps) == ("5 steps of its own", STEPS)
    assert setting.strength == pytest.approx(0.2)
    one, other = (
        RECIPE.fit("tdnn", WEIGHTS, own(), setting, torch.Generator().manual_seed(seed)).weights
        for seed in (0, 1)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_running_statistics_move_as_they_do_in_training(monkeypatch):
    monkeypatch.setitem(NETWORKS, "batched", Batched)
    weights = draw_weights(skeleton("batched", SPEC.mels, 3), torch.Generator().manual_seed(0))
    found = RECIPE.fit("batched", weights, own(), RECIPE.settings[0], torch.Generator()).weights
    assert not torch.equal(found["norm.running_mean"], weights["norm.running_mean"])


@pytest.mark.parametrize(
    ("examples", "recipe", "message"),
    [
        (
            Examples(TRAIN.features[:7], TRAIN.targets[:7]),
            RECIPE,
            "as many items of each emotion; found 7 items of 3 emotions",
        ),
        (
            replace(own(), lesson=Lesson("logits", torch.zeros(6, 3))),
            RECIPE,
            "no place for what a teacher says",
        ),
        (
            own(),
            NativeRecipe((1e20, 1e20, 1e20), 0.9, 1),
            r"training diverged \(3 steps of its own\)",
        ),
    ],
)
def test_what_it_cannot_be_trained_on(examples, recipe, message):
    with pytest.raises(CannotTrain, match=message):
        fitted(examples, recipe)


def test_a_set_with_a_schedule_has_one_native_student(result):
    (run,) = natives(result)
    assert (run.set, run.student, run.initialisation, run.seed, run.draw) == (
        DISTILLED,
        "tdnn",
        FIXED,
        0,
        0,
    )
    assert (run.setting, run.steps, run.ships) == ("5 steps of its own", 5, "synthetic items")
    assert (run.judged, run.made_for, run.utterances, run.speech) == (True, "tdnn", 6, CLEAN)
    start_bytes = sum(weight.nbytes for weight in WEIGHTS.values())
    assert run.bytes == SYNTHETIC.bytes + start_bytes
    assert SYNTHETIC.bytes == a_set().bytes + 4 * STEPS
    assert run.student_seconds > 0


def test_it_answers_as_the_trained_weights_do(result):
    network = skeleton("tdnn", SPEC.mels, 3)
    heard = fake_speech((9, 7, 5), seed=2, apart=0.2, fold=3)
    said = apply(network, by_hand(), heard.features).argmax(dim=1)
    assert natives(result)[0].predicted == tuple(said.tolist())


def test_all_other_students_are_what_they_are_without_a_schedule(result):
    plain = judged(a_set())
    assert not natives(plain)
    others = [run for run in untimed(result) if run.recipe != NATIVE]
    same = [replace(run, bytes=run.bytes - 4 * STEPS * run.judged) for run in others]
    assert same == untimed(plain)


def test_only_the_student_that_the_set_was_made_for_is_native():
    sets = [
        NamedSet("with", SYNTHETIC),
        NamedSet("without", a_set()),
        NamedSet("other", a_set(start=start("convnet"), schedule=SCHEDULE)),
    ]
    changes: dict[str, Any] = {"seeds": 1, "baselines": (FULL,)}
    both = judged(sets, students=("tdnn", "convnet"), **changes)
    assert [(run.set, run.student) for run in natives(both)] == [
        ("with", "tdnn"),
        ("other", "convnet"),
    ]
    assert not natives(judged(SYNTHETIC, students=("convnet",), **changes))


def test_a_set_that_its_schedule_does_not_fit_costs_the_others_nothing():
    rows = [0, 1, 2, 3, 4]
    uneven = replace(SYNTHETIC, features=SYNTHETIC.features[rows], targets=SYNTHETIC.targets[rows])
    found = judged(uneven, seeds=1, baselines=(FULL,))
    (failed,) = found.failed
    assert "fixed initialisation, native recipe, seed 0: a native schedule takes as many" in failed
    assert of(found, DISTILLED, RANDOM)


def test_it_hears_other_speech_as_the_others_do():
    other = fake_speech((9, 7, 5), seed=5, apart=0.2)
    found = natives(judged(SYNTHETIC, also_heard={"noise": other}, seeds=1, baselines=(FULL,)))
    assert [run.speech for run in found] == [CLEAN, "noise"]
    assert found[0].predicted != found[1].predicted


def test_it_is_remembered_by_its_exact_rates(tmp_path, result):
    outcomes = Outcomes(tmp_path)
    changes: dict[str, Any] = {"seeds": 1, "baselines": (FULL,), "outcomes": outcomes}
    (first,) = natives(judged(SYNTHETIC, **changes))
    known = len(list(tmp_path.glob("*.json")))
    (again,) = natives(judged(SYNTHETIC, **changes))
    assert first == again  # its seconds too
    assert len(list(tmp_path.glob("*.json"))) == known
    rates = SCHEDULE.learning_rates.clone()
    rates[0] = torch.nextafter(rates[0], torch.tensor(1.0))
    assert str(rates) == str(SCHEDULE.learning_rates)
    judged(replace(SYNTHETIC, schedule=replace(SCHEDULE, learning_rates=rates)), **changes)
    assert len(list(tmp_path.glob("*.json"))) == known + 1
    assert first.predicted == natives(result)[0].predicted


@pytest.fixture(scope="module")
def report(result) -> Report:
    second = replace(result, fold=4)
    return Report.of("made up", [result, second], corpus="toy", command="")


def row(report: Report, name: str, recipe: str, fold: int | str = "all") -> Row:
    (found,) = [
        row
        for row in report.rows
        if (row.set, row.initialisation, row.recipe, row.fold) == (name, FIXED, recipe, fold)
    ]
    return found


def test_its_ratio_is_to_full_data_by_the_common_recipe(report):
    native, full = row(report, DISTILLED, NATIVE), row(report, FULL, "custom")
    assert native.relative_uar is not None
    assert native.relative_uar.mean == pytest.approx(native.uar.mean / full.uar.mean)
    assert native.recovery is not None
    assert (native.uar.sd, native.runs) == (None, 1)
    assert native.uar.interval is not None
    assert native.settings == ("5 steps of its own",)


def test_its_differences_are_to_others_by_the_common_recipe(report):
    found = [one for one in report.comparisons if one.recipe == NATIVE]
    assert [(one.set, one.against, one.initialisation) for one in found] == [
        (DISTILLED, FULL, FIXED),
        (DISTILLED, "random", FIXED),
    ]
    native, full = row(report, DISTILLED, NATIVE), row(report, FULL, "custom")
    assert found[0].difference.mean == pytest.approx(native.uar.mean - full.uar.mean)


def test_native_students_of_two_sets_are_compared():
    other = replace(SYNTHETIC, schedule=replace(SCHEDULE, momentum=0.0))
    sets = [NamedSet("ours", SYNTHETIC), NamedSet("theirs", other)]
    found = Report.of(
        "made up", [judged(sets, seeds=1, baselines=(FULL,))], corpus="toy", command=""
    ).comparisons
    assert [(one.set, one.against) for one in found if one.recipe == NATIVE] == [
        ("ours", FULL),
        ("ours", "theirs"),
        ("theirs", FULL),
    ]


def test_the_texts_show_it_beside_the_others(report, result):
    native = row(report, DISTILLED, NATIVE)
    table, text = report.table(), report.markdown()
    (line,) = [
        line for line in table.splitlines() if "fixed, native  " in line and "ipc" not in line
    ]
    assert line.split()[:5] == [DISTILLED, "2", "fixed,", "native", f"{native.uar.mean:.3f}"]
    assert max(map(len, table.splitlines())) <= 110
    assert table.count("parameters)") == 1  # one table
    assert " ".join(table.split()).count(NATIVES) == 1
    assert NATIVES in text
    assert f"| distilled | 2 | fixed, native | {native.uar.mean:.3f} |" in text
    assert "| distilled, ipc 2, minus | fixed | fixed, native | random |" in text
    assert "distilled 2, fixed, native" in text  # UAR per fold
    plain = replace(result, runs=tuple(run for run in result.runs if run.recipe != NATIVE))
    without = Report.of("made up", [plain], corpus="toy", command="")
    assert "native" not in without.table() + without.markdown()


def test_a_setting_of_another_recipe_speaks_of_its_rate():
    assert str(Setting(5, 0.2)) == "5 steps, learning rate 0.2"
