"""Differentiating through a student's training: against the exact way, and against plain loops."""

from dataclasses import replace

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech
from torch import Tensor
from torch.nn import functional

from distill.objectives.objective import Candidate, Student
from distill.objectives.student_run import Point, StudentRun
from distill.objectives.unrolled import LOG_RATES, Unrolled
from evaluation.networks import apply, draw_weights, skeleton
from evaluation.students import cross_entropy
from synth_data.curator import Curator
from synth_data.schedule import batch_rows

PER_CLASS = 2
SMALL = Unrolled(
    starts_from="fixed",
    steps=5,
    together=1,
    learning_rate=0.02,
    momentum=0.9,
    sampling_probability=1.0,
    window=3,
)


def student(network: str = "tdnn") -> Student:
    module = skeleton(network, SPEC.mels, 3)
    return Student(module, draw_weights(module, torch.Generator().manual_seed(0)), TASK)


def candidate(objective: Unrolled = SMALL, seed: int = 1) -> Candidate:
    draws = torch.Generator().manual_seed(seed)
    features = torch.randn(3 * PER_CLASS, *SPEC.shape, generator=draws)
    labels = 4 * torch.eye(3).repeat_interleave(PER_CLASS, dim=0)
    labels += torch.randn(labels.shape, generator=draws)
    learned = {name: value.requires_grad_() for name, value in objective.learned().items()}
    return Candidate(
        features.requires_grad_(), labels.softmax(dim=1).requires_grad_(), PER_CLASS, learned
    )


def slopes(objective: Unrolled, ours: Candidate, model: Student, seed: int = 0) -> list[Tensor]:
    curator = Curator(fake_speech())
    state = objective.init(curator, model, 0)
    draws = torch.Generator().manual_seed(seed)
    loss, _ = objective.step(state, ours, curator, model, draws)
    inputs = [ours.features, ours.targets, ours.learned[LOG_RATES]]
    return [loss.detach(), *torch.autograd.grad(loss, inputs)]


@pytest.mark.parametrize("network", ["tdnn", "convnet"])
@pytest.mark.parametrize(
    "change", [{}, {"momentum": 0.0}, {"starts_from": "random"}, {"together": 2}]
)
def test_it_agrees_with_higher(network, change):
    objective, model = replace(SMALL, **change), student(network)
    ours = candidate(objective)
    found = slopes(objective, ours, model)
    exact = slopes(replace(objective, inner="higher"), ours, model)
    assert torch.allclose(found[0], exact[0], rtol=1e-4)
    for one, other in zip(found[1:], exact[1:], strict=True):
        cosine = functional.cosine_similarity(one.flatten(), other.flatten(), dim=0)
        assert float(cosine) > 0.995
        assert float(one.norm() / other.norm()) == pytest.approx(1, abs=0.05)


def real_loss_at_the_end(ours: Candidate, model: Student) -> float:
    """By plain SGD."""
    real = fake_speech()
    free = {name: weight.clone().requires_grad_() for name, weight in model.start.items()}
    sgd = torch.optim.SGD(free.values(), lr=1.0, momentum=SMALL.momentum)
    for step, rate in enumerate(ours.learned[LOG_RATES].detach().exp().tolist()):
        rows = batch_rows(step, 3, PER_CLASS, SMALL.together)
        sgd.param_groups[0]["lr"] = rate
        sgd.zero_grad()
        logits = apply(model.network, free, ours.features.detach()[rows])
        cross_entropy(logits, ours.targets.detach()[rows]).mean().backward()
        sgd.step()
    shares = real.targets.mean(dim=0)
    with torch.no_grad():
        each = cross_entropy(apply(model.network, free, real.features), real.targets / shares / 3)
    return float(each.mean())


@pytest.mark.parametrize("what", ["features", "targets", LOG_RATES])
def test_it_is_the_slope_of_the_real_loss(what):
    """Along the steepest way, a little step must do what the slope says."""
    ours, model = candidate(), student()
    names = ["features", "targets", LOG_RATES]
    slope = slopes(SMALL, ours, model)[1 + names.index(what)]
    size = 0.002 / float(slope.norm())

    def moved(sign: int) -> Candidate:
        here = ours.learned[LOG_RATES] if what == LOG_RATES else getattr(ours, what)
        there = (here + sign * size * slope).detach()
        if what == LOG_RATES:
            return replace(ours, learned={LOG_RATES: there})
        return replace(ours, **{what: there})

    rise = real_loss_at_the_end(moved(1), model) - real_loss_at_the_end(moved(-1), model)
    assert rise / (2 * size) == pytest.approx(float(slope.square().sum()), rel=0.15)


def test_a_run_is_plain_sgd_with_momentum():
    ours, model = candidate(), student()
    run = StudentRun(model, ours, ours.learned[LOG_RATES], SMALL.momentum, SMALL.together)
    point = Point.at_rest(model.start)
    for step in range(SMALL.steps):
        point = run.after(step, point)
    real = fake_speech()
    with torch.no_grad():
        logits = apply(model.network, point.weights, real.features)
    shares = real.targets.mean(dim=0)
    loss = cross_entropy(logits, real.targets / shares / 3).mean()
    assert float(loss) == pytest.approx(real_loss_at_the_end(ours, model), rel=1e-4)


def test_what_is_learned_is_the_schedule():
    learned = {LOG_RATES: torch.tensor([0.5, 2.0, 1.0]).log()}
    schedule = replace(SMALL, steps=3, together=2).schedule(learned, PER_CLASS)
    assert schedule.learning_rates.tolist() == pytest.approx([0.5, 2.0, 1.0])
    assert (schedule.momentum, schedule.together) == (0.9, 2)
    assert SMALL.learned()[LOG_RATES].exp().tolist() == pytest.approx([0.02] * 5)


def test_a_run_meets_every_item_however_many_there_are():
    objective = replace(SMALL, together=0)
    assert [objective.batch(per_class) for per_class in (1, 5, 6, 23)] == [1, 1, 2, 5]
    assert replace(SMALL, together=4).batch(6) == 4
    items = torch.randn(3 * 12, *SPEC.shape).requires_grad_()
    learned = {name: value.requires_grad_() for name, value in objective.learned().items()}
    ours = Candidate(items, torch.eye(3).repeat_interleave(12, dim=0), 12, learned)
    curator, model = Curator(fake_speech()), student()
    draws = torch.Generator().manual_seed(0)
    loss, _ = objective.step(objective.init(curator, model, 0), ours, curator, model, draws)
    (slope,) = torch.autograd.grad(loss, items)
    assert slope.flatten(1).any(dim=1).all()


def test_one_question_per_step_and_none_by_the_reverse_pass():
    curator, model = Curator(fake_speech()), student()
    state = SMALL.init(curator, model, 0)
    for _ in range(2):
        SMALL.step(state, candidate(), curator, model, torch.Generator().manual_seed(0))
    assert curator.questions == {"class shares": 1, "gradient at the end of a run": 2}


def test_windows_lie_anywhere_in_a_run_from_random_weights():
    model, objective = student(), replace(SMALL, starts_from="random")
    draws = torch.Generator().manual_seed(0)
    found = [objective._window(model, draws) for _ in range(40)]
    assert {(first, last) for _, first, last in found} == {(0, 3), (1, 4), (2, 5)}
    heads = [weights["head.weight"] for weights, _, _ in found]
    assert not any(torch.equal(head, model.start["head.weight"]) for head in heads)
    assert not torch.equal(heads[0], heads[1])
    (weights, first, last) = SMALL._window(model, draws)
    assert (first, last) == (0, 5)
    assert torch.equal(weights["head.weight"], model.start["head.weight"])
