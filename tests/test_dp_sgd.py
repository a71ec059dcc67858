"""DP-SGD students: clipped by the unit, under noise for a budget, in a report beside a set."""

import math
import re
from dataclasses import replace
from inspect import getsource

import pytest
import torch
from commands import Command
from dp_accounting import dp_event
from dp_accounting.pld import PLDAccountant
from fake_speech import SPEC, fake_speech
from small_evaluation import OTHERS, TEST, TRAIN, VALIDATION, a_set, judged, of
from test_private_sets import SMALL
from torch import Tensor

from evaluation import jobs, models
from evaluation.cli import _baselines
from evaluation.named_sets import NamedSet
from evaluation.networks import apply, draw_weights, skeleton
from evaluation.networks.convnet import ConvNet
from evaluation.options import DP_SGD, EVERY_BASELINE, GENERATIVE
from evaluation.outcomes import Outcomes
from evaluation.page.page import html
from evaluation.report import Report
from evaluation.runs import CLEAN, FULL, FoldResult
from evaluation.students import CannotTrain, Examples, PrivateRecipe, cross_entropy, dp_sgd
from evaluation.students.dp_sgd import SAMPLING_PROBABILITY, STEPS, noise_multiplier
from synth_data import ledger, mechanism, noise
from synth_data.guarantee import Guarantee
from synth_data.ledger import PrivacyBudget, Release, Unit, with_noise_for
from synth_data.mechanism import units_of
from synth_data.real import RealSet

BUDGET = PrivacyBudget(8.0, 1e-4)
FAR = 1e9  # a length that no gradient has
RAGGED = fake_speech((9, 7, 4))  # speakers of 7, 7 and 6 utterances


def quiet(size: int) -> Tensor:
    return torch.zeros(size, dtype=torch.float64)


def recipe(real: RealSet = RAGGED, unit: Unit = "speaker", **changes) -> PrivateRecipe:
    units = tuple(tuple(rows.tolist()) for rows in units_of(real, unit))
    given = {"noise_multiplier": 1.0, "sampling_probability": 1.0, "clip_norm": FAR, "noise": quiet}
    return PrivateRecipe(BUDGET, units, **{**given, **changes})


def start() -> dict[str, Tensor]:
    return draw_weights(skeleton("tdnn", SPEC.mels, 3), torch.Generator().manual_seed(0))


def moved(how: PrivateRecipe, units, real: RealSet = RAGGED) -> dict[str, Tensor]:
    """What one step of these units subtracts, if the learning rate is one and there is no Adam.

    That is the sum over units: nothing is divided by how many there are, which is private.
    """
    network, before = skeleton("tdnn", SPEC.mels, 3), start()
    learned = {name: weight.clone().requires_grad_() for name, weight in before.items()}
    optimiser = how.optimiser(list(learned.values()))
    optimiser.original_optimizer = torch.optim.SGD(learned.values(), lr=1.0)
    rows = [torch.tensor(of_one) for of_one in units]
    how.descend(optimiser, network, learned, Examples(real.features, real.targets), rows)
    return {name: before[name] - learned[name].detach() for name in before}


def flat(weights: dict[str, Tensor]) -> Tensor:
    return torch.cat([weight.flatten() for weight in weights.values()])


def gradient(real: RealSet, share: Tensor) -> Tensor:
    """Of the sum of all losses, each weighed by its share."""
    learned = {name: weight.requires_grad_() for name, weight in start().items()}
    logits = apply(skeleton("tdnn", SPEC.mels, 3), learned, real.features)
    loss = (cross_entropy(logits, real.targets) * share).sum()
    found = torch.autograd.grad(loss, list(learned.values()))
    return torch.cat([one.flatten() for one in found])


def test_of_utterances_without_noise_and_clipping_it_is_a_step_of_sgd():
    how = recipe(unit="utterance")
    expected = gradient(RAGGED, torch.ones(len(RAGGED)))
    assert torch.allclose(flat(moved(how, how.units)), expected, atol=1e-5)


@pytest.mark.parametrize("chunk", [3, 256], ids=["in parts", "at once"])
def test_of_speakers_it_follows_the_sum_of_their_mean_losses(chunk, monkeypatch):
    monkeypatch.setattr(dp_sgd, "CHUNK", chunk)
    how = recipe()
    share = torch.zeros(len(RAGGED))
    for rows in how.units:
        share[list(rows)] = 1 / len(rows)
    assert share.unique().numel() == 2  # or means of means would be means
    assert torch.allclose(flat(moved(how, how.units)), gradient(RAGGED, share), atol=1e-6)


def test_how_many_there_are_changes_nothing_of_a_step():
    """Neither the gradient of those who were tossed for, nor the noise."""
    how = recipe(RAGGED, noise=torch.ones, noise_multiplier=2.0, sampling_probability=0.5)
    others = replace(how, units=how.units * 10)
    one, _, third = how.units
    assert torch.equal(flat(moved(how, [one, third])), flat(moved(others, [one, third])))


def test_all_units_are_tossed_for_anew_at_every_step(monkeypatch):
    asked, taken = [], []

    def tosses(size: int, probability: float) -> Tensor:
        asked.append((size, probability))
        return torch.tensor([True, False, len(asked) == 1])

    monkeypatch.setattr(PrivateRecipe, "descend", lambda *given: taken.append(given[-1]))
    how = recipe(sampling_probability=0.3, steps=2, tosses=tosses)
    how.train(skeleton("tdnn", SPEC.mels, 3), start(), Examples(RAGGED.features, RAGGED.targets))
    assert asked == [(3, 0.3), (3, 0.3)]
    assert [[tuple(rows.tolist()) for rows in units] for units in taken] == [
        [how.units[0], how.units[2]],
        [how.units[0]],
    ]


@pytest.mark.parametrize("unit", ["speaker", "utterance"])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4, math.inf, math.nan])
def test_one_unit_more_moves_the_sum_by_the_clip_norm_at_most(size, unit):
    clip = 0.05
    how = recipe(unit=unit, clip_norm=clip)
    features = RAGGED.features.clone()
    features[list(how.units[0])] *= size
    strange = replace(RAGGED, features=features)
    difference = flat(moved(how, how.units, strange)) - flat(moved(how, how.units[1:], strange))
    length = float(difference.norm())
    assert length <= clip * (1 + 1e-4)
    # A unit with such a number is left out; any other has a gradient longer than that.
    assert length == pytest.approx(clip if math.isfinite(size) else 0.0, rel=1e-3)


def test_nobody_at_all_is_a_step_on_noise_alone():
    how = recipe(noise=torch.ones, noise_multiplier=3.0, clip_norm=0.5, sampling_probability=0.5)
    assert torch.allclose(flat(moved(how, [])), torch.tensor(3.0 * 0.5), atol=1e-5)


def test_noise_is_as_large_as_told_and_of_the_operating_system():
    """For each number of its own, and with whom, however torch is seeded."""
    given = {"noise_multiplier": 3.0, "clip_norm": 0.5}
    how = replace(recipe(**given), noise=PrivateRecipe.noise)
    quietly = flat(moved(recipe(**given), how.units))
    torch.manual_seed(0)
    one = flat(moved(how, how.units)) - quietly
    torch.manual_seed(0)
    other = flat(moved(how, how.units)) - quietly
    assert float(one.std()) == pytest.approx(3.0 * 0.5, rel=0.02)
    assert abs(float((one * other).mean())) < 0.01 * float(one.var())
    assert float(one.unique().numel()) > 0.9 * len(one)


def test_two_students_are_never_the_same():
    examples = Examples(RAGGED.features, RAGGED.targets)
    how = replace(recipe(steps=2, clip_norm=0.1), noise=PrivateRecipe.noise)
    draws = [torch.Generator().manual_seed(0) for _ in range(2)]
    one, other = (
        flat(dict(how.fit("tdnn", start(), examples, how.settings[0], each).weights))
        for each in draws
    )
    assert not torch.allclose(one, other, atol=1e-3)


def test_the_weights_told_are_a_running_mean():
    examples = Examples(RAGGED.features, RAGGED.targets)
    network = skeleton("tdnn", SPEC.mels, 3)
    first, last = (
        flat(recipe(steps=steps, decay=0.0).train(network, start(), examples)) for steps in (1, 2)
    )
    mean = flat(recipe(steps=2, decay=0.95).train(network, start(), examples))
    after_one = 0.1 * flat(start()) + 0.9 * first
    assert torch.allclose(mean, 2 / 11 * after_one + 9 / 11 * last, atol=1e-6)


@pytest.mark.parametrize("epsilon", [8.0, 1.0])
def test_the_noise_spends_the_budget_and_no_more(epsilon):
    noise = noise_multiplier(PrivacyBudget(epsilon, 1e-4))
    event = dp_event.PoissonSampledDpEvent(SAMPLING_PROBABILITY, dp_event.GaussianDpEvent(noise))
    accountant = PLDAccountant()
    accountant.compose(event, STEPS)
    assert epsilon - 0.03 < accountant.get_epsilon(1e-4) <= epsilon
    under = PrivateRecipe.under(PrivacyBudget(epsilon, 1e-4), units_of(RAGGED, "speaker"))
    trained_by = (under.noise_multiplier, under.sampling_probability, under.steps)
    assert trained_by == (noise, SAMPLING_PROBABILITY, STEPS)
    assert [one.steps for one in under.settings] == [STEPS]


@pytest.mark.parametrize("unit", ["speaker", "utterance"])
def test_each_unit_has_all_its_rows(unit, monkeypatch):
    """Those of the budget's unit, in what is trained."""
    budget = replace(BUDGET, unit=unit)
    expected = [rows.tolist() for rows in units_of(OTHERS, unit)]
    assert {len(rows) for rows in expected} == ({1} if unit == "utterance" else {5})
    trained = []

    def fit(self, student, weights, examples, *given):  # noqa: ARG001
        trained.append([list(rows) for rows in self.units])
        assert torch.equal(examples.features, OTHERS.features)
        raise CannotTrain("enough is known")

    monkeypatch.setattr(PrivateRecipe, "fit", fit)
    under = PrivateRecipe.under(budget, units_of(OTHERS, unit))
    assert [list(rows) for rows in under.units] == expected
    beside(private(budget), train=OTHERS, seeds=1)
    assert trained == [expected]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps than are paid for."""
    whole = PrivateRecipe.under
    monkeypatch.setattr(PrivateRecipe, "under", lambda *given: replace(whole(*given), steps=8))


def private(budget: PrivacyBudget = BUDGET, **changes):
    released = with_noise_for(budget, [Release("moments", 1.0)])
    return a_set(guarantee=Guarantee(budget, released), **changes)


def beside(sets, **changes) -> FoldResult:
    return judged(sets, baselines=(FULL, DP_SGD), **changes)


def why(result: FoldResult) -> str:
    assert not [run for run in result.runs if run.set.startswith(DP_SGD)]
    (reason,) = result.unavailable
    return reason


def test_a_private_model_stands_beside_a_private_set():
    result = beside(private(), train=OTHERS)
    runs = of(result, DP_SGD)
    assert {(run.initialisation, run.ships, run.ipc, run.judged) for run in runs} == {
        ("random", "weights", None, False)
    }
    assert [run.seed for run in runs] == [0, 1]
    assert {run.bytes for run in runs} == {4 * runs[0].parameters}
    assert {run.steps for run in runs} == {STEPS}
    assert all(run.making_seconds > 0 and run.student_seconds == 0 for run in runs)
    assert {run.recipe for run in runs} == {DP_SGD}  # no matter which one all others share
    assert runs[0].predicted != runs[1].predicted
    report = Report.of("made up", [result], corpus="toy", command="none")
    (row,) = (row for row in report.rows if row.set == DP_SGD)
    assert row.relative_uar is not None
    assert [one.against for one in report.comparisons].count(DP_SGD) == 1
    assert any("what they cost adds up" in note for note in report.notes)
    shipping = report.markdown().split("## What each way ships")[1]
    assert "| dp-sgd | - | weights |" in shipping
    # It stands in the table of the others, and is compared with the set from random weights.
    main = report.markdown().split("\n## ")[1]
    assert "custom recipe" in main.splitlines()[0]
    assert "| dp-sgd | - | random, dp-sgd |" in main
    assert len(re.findall(r"^\| dp-sgd \|", main, re.MULTILINE)) == 2
    assert "random initialisation, dp-sgd" in html(report)


def test_a_student_learns_where_there_are_many():
    many = fake_speech((30, 30, 30))
    noisy = {"noise": PrivateRecipe.noise, "noise_multiplier": 0.5, "clip_norm": 0.1}
    how = recipe(many, "utterance", sampling_probability=0.25, steps=30, **noisy)
    examples = Examples(many.features, many.targets)
    fitted = how.fit("tdnn", start(), examples, how.settings[0], torch.Generator())
    test = fake_speech((9, 7, 5), seed=2)
    right = fitted.predict(test.features) == test.targets.argmax(dim=1)
    assert right.float().mean() > 0.9


@pytest.mark.usefixtures("short")
def test_every_budget_has_a_model_of_its_own():
    others = [replace(BUDGET, epsilon=1.0), replace(BUDGET, unit="utterance")]
    sets = [NamedSet(f"set-{i}", private(b), 0.0) for i, b in enumerate([BUDGET, BUDGET, *others])]
    result = beside(sets, seeds=1)
    assert list(dict.fromkeys(run.set for run in result.runs if run.set.startswith(DP_SGD))) == [
        "dp-sgd, epsilon 8 at 0.0001 per speaker",
        "dp-sgd, epsilon 1",
        "dp-sgd, epsilon 8 at 0.0001 per utterance",
    ]


def test_without_a_guarantee_there_is_none():
    assert why(beside(a_set())).startswith("dp-sgd: no set here has a formal guarantee, so nothing")


@pytest.mark.usefixtures("short")
def test_what_couples_utterances_is_not_trained(monkeypatch):
    monkeypatch.setattr(models, "couples", lambda network: isinstance(network, ConvNet))
    result = beside(private(), students=("tdnn", "convnet", "svm"), seeds=1)
    assert {run.student for run in of(result, DP_SGD)} == {"tdnn"}
    (reason,) = result.unavailable
    assert (
        "BatchNorm makes the utterances of a batch change each other's gradient in conv" in reason
    )


def test_only_networks_are_trained(monkeypatch):
    """Without one nothing is solved for."""
    monkeypatch.setattr(PrivateRecipe, "under", None)
    reason = why(beside(private(), students=("svm", "linear")))
    assert reason.startswith("dp-sgd: no network is among the students (svm, linear), and")


@pytest.mark.parametrize(
    ("epsilon", "message"),
    [
        (0.001, "less than the accountant of sampled releases can resolve: .* it says 0.0099"),
        (1000.0, "an epsilon of 1000 guarantees nothing, and above 50 the noise for it is not"),
    ],
)
def test_budgets_that_no_noise_is_solved_for(epsilon, message):
    reason = why(beside(private(replace(BUDGET, epsilon=epsilon))))
    assert re.match(f"dp-sgd: .*{message}", reason)


def test_sessions_must_be_known():
    reason = why(beside(private(replace(BUDGET, unit="session"))))
    assert "dp-sgd: utterance 'utterance-0-0' has no session" in reason


def test_features_must_not_know_each_other():
    spec = replace(SPEC, normalisation="training")
    sides = {
        name: replace(side, spec=spec)
        for name, side in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST))
    }
    reason = why(beside(private(real=sides["train"]), **sides))
    assert reason.startswith("dp-sgd: the features are normalised by all training utterances")


@pytest.mark.usefixtures("short")
def test_a_trained_one_is_remembered_and_another_is_another(tmp_path):
    known = Outcomes(tmp_path)
    first = of(beside(private(), outcomes=known), DP_SGD)
    again = of(beside(private(), outcomes=known), DP_SGD)
    assert first == again  # seconds as well
    noisy = beside(private(), outcomes=known, also_heard={"noise": fake_speech((9, 7, 5), seed=5)})
    assert [run for run in of(noisy, DP_SGD) if run.speech == CLEAN] == first
    afresh = of(beside(private()), DP_SGD)
    assert [run.predicted for run in afresh] != [run.predicted for run in first]
    assert "0x" not in repr(recipe())  # an address would name another student each time


def test_other_noise_makes_other_students(monkeypatch):
    """Whatever its code is part of: a trained one is not remembered when that changes."""
    now = jobs._software.__wrapped__
    before = now()
    for module in (noise, ledger, mechanism):
        mended = {module: "another"}
        monkeypatch.setattr(jobs, "getsource", lambda of, m=mended: m.get(of) or getsource(of))
        assert now() != before


def test_by_default_it_is_there_where_a_set_has_a_guarantee():
    public, guarded = (NamedSet("mine", made, 0.0) for made in (a_set(), private()))
    assert DP_SGD not in _baselines("all", [public])
    beside = _baselines("all", [public, guarded])
    assert set(_baselines("all", [public])) == set(beside) - {DP_SGD}
    assert set(beside) == set(EVERY_BASELINE) - {GENERATIVE}
    assert _baselines("dp-sgd,random", [public]) == ("dp-sgd", "random")
    assert _baselines("none", [guarded]) == ()


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_from_a_private_set_to_the_page(
    distill_data: Command, evaluate_data: Command, tmp_path, monkeypatch
):
    monkeypatch.setenv("DISTILL_DATA_LEDGERS", str(tmp_path / "ledgers"))
    (tmp_path / "small.toml").write_text(SMALL)
    budget = ("--epsilon", 8, "--accept-low-utility")
    made = distill_data("--config", tmp_path / "small.toml", *budget, "--out", tmp_path / "run")
    assert made.code == 0, made.err
    ask = (tmp_path / "run" / "fold-1" / "set", "--dataset", "toy", "--baselines", "dp-sgd,model")
    less = ("--teachers", "none", "--speech", "none", "--no-scores", "--seeds", 1)
    done = evaluate_data(
        *(*ask, *less, "--recipe", tmp_path / "small.toml", "--out", tmp_path / "report")
    )
    assert done.code == 0, done.err
    for name in ("report.md", "report.html"):
        text = (tmp_path / "report" / name).read_text()
        assert "what they cost adds up" in text
        assert DP_SGD in text
