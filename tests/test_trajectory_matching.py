"""Trajectory matching: its slopes against exact ones, and what is matched when."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech
from torch import Tensor
from torch.nn import functional

from distill.candidate import Parameterisation
from distill.config import RunConfig
from distill.engine import distill
from distill.objectives.objective import Candidate, State, Student
from distill.objectives.student_run import Point, StudentRun
from distill.objectives.trajectories import TAKEN, WEIGHT
from distill.objectives.trajectory_matching import LOG_RATE, TrajectoryMatching
from distill.outer_loop import Loop
from evaluation.networks import Weights, draw_weights, skeleton
from evaluation.students import Examples, NativeRecipe
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.ledger import Release

PER_CLASS = 2
SMALL = TrajectoryMatching(
    starts_from="fixed",
    experts=2,
    epochs=3,
    stride=2,
    sampling_probability=1.0,
    last=2,
    matched=1,
    steps=3,
    together=1,
    student_learning_rate=0.1,
)


def student(network: str = "tdnn") -> Student:
    module = skeleton(network, SPEC.mels, 3)
    return Student(module, draw_weights(module, torch.Generator().manual_seed(0)), TASK)


def candidate(objective: TrajectoryMatching = SMALL, per_class: int = PER_CLASS) -> Candidate:
    draws = torch.Generator().manual_seed(1)
    features = torch.randn(3 * per_class, *SPEC.shape, generator=draws)
    labels = 4 * torch.eye(3).repeat_interleave(per_class, dim=0)
    labels += torch.randn(labels.shape, generator=draws)
    learned = {name: value.requires_grad_() for name, value in objective.learned().items()}
    return Candidate(
        features.requires_grad_(), labels.softmax(dim=1).requires_grad_(), per_class, learned
    )


def slopes(
    objective: TrajectoryMatching, ours: Candidate, model: Student, state: State
) -> list[Tensor]:
    """The loss, and its slopes by features, labels and rate."""
    draws = torch.Generator().manual_seed(0)
    loss, _ = objective.step(state, ours, Curator(fake_speech()), model, draws)
    inputs = [ours.features, ours.targets, ours.learned[LOG_RATE]]
    return [loss.detach(), *torch.autograd.grad(loss, inputs)]


def cosine(one: Tensor, other: Tensor) -> float:
    return float(functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))


def compared(objective: TrajectoryMatching, network: str = "tdnn") -> list[tuple[Tensor, Tensor]]:
    """Slopes as they are taken, and exact ones."""
    model, ours = student(network), candidate(objective)
    state = objective.init(Curator(fake_speech()), model, 0)
    exact = slopes(replace(objective, inner="higher"), ours, model, state)
    return list(zip(slopes(objective, ours, model, state), exact, strict=True))


@pytest.mark.parametrize("network", ["tdnn", "convnet"])
@pytest.mark.parametrize("change", [{}, {"together": 2}, {"first": 1}, {"starts_from": "random"}])
def test_finite_differences_agree_with_higher(network, change):
    (found, exact), *each = compared(replace(SMALL, **change), network)
    assert torch.allclose(found, exact, rtol=1e-4)
    for one, other in each:
        assert cosine(one, other) > 0.999
        assert float(one.norm() / other.norm()) == pytest.approx(1, abs=0.05)


def test_tesla_is_exact_for_one_step():
    (found, exact), *each = compared(replace(SMALL, inner="tesla", steps=1))
    assert torch.allclose(found, exact, rtol=1e-4)
    for one, other in each:
        assert cosine(one, other) > 0.999
        assert float(one.norm() / other.norm()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("network", ["tdnn", "convnet"])
@pytest.mark.parametrize(("steps", "near"), [(3, 0.95), (10, 0.7)])
def test_tesla_is_near_for_short_steps(steps, near, network):
    """What it leaves out grows with the steps and their size: at 0.1 little is left."""
    change = {"inner": "tesla", "steps": steps, "student_learning_rate": 0.003}
    (found, exact), *each = compared(replace(SMALL, **change), network)
    assert torch.allclose(found, exact, rtol=1e-4)
    cosines = [cosine(*pair) for pair in each]
    assert min(cosines) > near
    assert min(cosines) < 0.9999  # it is no more than near


def test_tesla_is_not_near_for_the_default_steps():
    """The loss is right, and its slopes are not: what is left out is most of them."""
    change = {"inner": "tesla", "steps": 10, "student_learning_rate": 0.1}
    (found, exact), *each = compared(replace(SMALL, **change))
    assert torch.allclose(found, exact, rtol=1e-4)
    assert min(cosine(*pair) for pair in each) < 0.7


def made_state(*places: Weights) -> State:
    """Of one expert who was there."""
    names = places[0]
    stacked = {WEIGHT + name: torch.stack([place[name] for place in places]) for name in names}
    return {**stacked, TAKEN: torch.tensor(0)}


def test_nothing_is_left_where_students_go_as_experts_did_by_the_schedule():
    """An expert that followed the set's schedule; each epoch has batches of its own."""
    objective = replace(SMALL, experts=1, epochs=2, last=1)
    model, ours = student(), candidate(objective)
    schedule = objective.schedule(ours.learned, PER_CLASS)
    assert schedule is not None
    assert len(schedule.learning_rates) == 6
    recipe, places = NativeRecipe.of(schedule), [model.start]
    for taken in (3, 6):
        own = replace(recipe, learning_rates=recipe.learning_rates[:taken])
        examples = Examples(ours.features.detach(), ours.targets.detach())
        fitted = own.fit("tdnn", model.start, examples, own.settings[0], torch.Generator())
        places.append(fitted.weights)
    for epoch in (0, 1):
        at = replace(objective, first=epoch, last=epoch)
        loss, *_ = slopes(at, ours, model, made_state(*places))
        assert float(loss) < 1e-6
    other = replace(objective, first=0, last=0)
    loss, *_ = slopes(other, ours, model, made_state(*places[1:], places[0]))
    assert float(loss) > 1e-3  # the batches of the first epoch are not those of the second


def test_a_student_that_stays_has_a_loss_of_one():
    model, ours = student(), candidate()
    still = replace(ours, learned={LOG_RATE: torch.tensor(-40.0, requires_grad=True)})
    loss, *_ = slopes(SMALL, still, model, SMALL.init(Curator(fake_speech()), model, 0))
    assert float(loss) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("what", ["features", "targets", LOG_RATE])
def test_it_is_the_slope_of_the_distance(what):
    """Along the steepest way, a little step must do what the slope says."""
    model, ours = student(), candidate()
    objective = replace(SMALL, last=0)
    state = objective.init(Curator(fake_speech()), model, 0)
    names = ["features", "targets", LOG_RATE]
    slope = slopes(objective, ours, model, state)[1 + names.index(what)]
    size = 0.01 / float(slope.norm())

    def moved(sign: int) -> float:
        here = ours.learned[LOG_RATE] if what == LOG_RATE else getattr(ours, what)
        there = (here + sign * size * slope).detach().requires_grad_()
        if what == LOG_RATE:
            return float(slopes(objective, replace(ours, learned={what: there}), model, state)[0])
        return float(slopes(objective, replace(ours, **{what: there}), model, state)[0])

    rise = (moved(1) - moved(-1)) / (2 * size)
    assert rise == pytest.approx(float(slope.square().sum()), rel=0.05)


def test_a_run_is_as_long_and_as_broad_as_it_takes():
    objective = replace(SMALL, steps=4, together=0)
    assert [objective.batch(per_class) for per_class in (1, 4, 5, 9)] == [1, 1, 2, 3]
    assert replace(objective, together=4).batch(5) == 4
    twice = replace(objective, matched=2, epochs=6, last=3)
    schedule = twice.schedule(twice.learned(), 5)
    assert schedule is not None
    assert schedule.learning_rates.tolist() == pytest.approx([0.1] * 10)  # (3 + 2) / 2 * 4
    assert (schedule.momentum, schedule.together) == (0.0, 2)
    assert replace(twice, starts_from="random").schedule(twice.learned(), 5) is None


@pytest.mark.parametrize(("starts_from", "fixed"), [("fixed", 3), ("both", 2), ("random", 0)])
def test_where_experts_start(starts_from, fixed):
    model, curator = student(), Curator(fake_speech())
    objective = replace(SMALL, experts=3, starts_from=starts_from, sampling_probability=0.5)
    heads = objective.init(curator, model, 0)[WEIGHT + "head.weight"].unflatten(0, (3, 4))
    starts = [torch.equal(head, model.start["head.weight"]) for head in heads[:, 0]]
    assert starts == [expert < fixed for expert in range(3)]
    ends = heads[:, -1]
    assert not any(torch.equal(ends[one], ends[other]) for one, other in ((0, 1), (1, 2), (0, 2)))
    assert curator.questions == {"class shares": 3, "trajectory": 3 * 3 * 2}
    assert objective.releases(7) == [
        Release("class shares", 1.0, count=3),
        Release("trajectory", 1.0, 0.5, 18),
    ]


def test_the_latest_epoch_grows():
    objective = replace(SMALL, epochs=12, first=2, last=8, curriculum=12)
    assert [objective._latest(taken) for taken in (0, 1, 2, 11, 12, 99)] == [2, 2, 3, 7, 8, 8]
    assert replace(objective, curriculum=0)._latest(0) == 8


def test_students_start_within_the_window(monkeypatch):
    """And batches and rates are those that the schedule has there."""
    met: list[range] = []

    def note(self: StudentRun, start: Point, steps: range, *_: Any) -> Tensor:  # noqa: ARG001
        met.append(steps)
        return self.log_rates.sum()

    monkeypatch.setattr(StudentRun, "loss", note)
    objective = replace(SMALL, epochs=6, first=1, last=4, matched=2, steps=4, curriculum=20)
    model, draws = student(), torch.Generator().manual_seed(0)
    curator, ours = Curator(fake_speech()), candidate(objective)
    state = objective.init(curator, model, 0)
    for _ in range(60):
        _, state = objective.step(state, ours, curator, model, draws)
    assert met[0] == range(2, 6)
    assert set(met) == {range(first, first + 4) for first in (2, 4, 6, 8)}


def test_experts_say_what_they_hear():
    curator, others = Curator(fake_speech((20, 20, 20))), fake_speech((10, 10, 10), seed=1)
    objective = replace(SMALL, stride=10)
    state = objective.init(curator, student(), 0)
    logits = objective.hears(state, others.features, SPEC, student())
    assert (logits.argmax(dim=1) == others.targets.argmax(dim=1)).float().mean() > 0.8
    apart = [
        replace(objective, experts=1).hears(
            {key: value[places] for key, value in state.items() if value.ndim},
            others.features,
            SPEC,
            student(),
        )
        for places in (slice(0, 4), slice(4, 8))
    ]
    assert torch.allclose(logits, (apart[0] + apart[1]) / 2, atol=1e-5)


def test_taught_labels_are_the_experts_own():
    """No other network learns for them."""
    curator, objective = Curator(fake_speech((8, 8, 8))), replace(SMALL, starts_from="random")
    made = distill(
        curator,
        objective,
        "tdnn",
        ipc=2,
        seed=0,
        loop=Loop(steps=2),
        parameterisation=Parameterisation(labels="taught"),
    )
    assert "an expert's lesson" not in curator.questions
    state = objective.init(Curator(fake_speech((8, 8, 8))), student(), 0)
    heard = objective.hears(state, made.features, SPEC, student()).softmax(dim=1)
    assert torch.allclose(made.targets, heard, atol=1e-5)


def test_soft_labels_are_learned():
    made = distill(
        Curator(fake_speech((8, 8, 8))),
        SMALL,
        "tdnn",
        ipc=2,
        seed=0,
        loop=Loop(steps=3),
        parameterisation=Parameterisation(labels="soft", label_learning_rate=0.5),
    )
    assert len(made.targets.unique(dim=0)) == 6
    assert made.schedule is not None
    assert float(made.schedule.learning_rates[0]) != pytest.approx(0.1)


def test_under_a_budget_it_has_hard_labels_since_it_learns_a_schedule():
    given = {"dataset": "toy", "epsilon": 8.0, "accept_low_utility": True}
    of = lambda **more: RunConfig.of(None, given | more).resolved().parameterisation  # noqa: E731
    assert of(objective="trajectory-matching")["labels"] == "hard"
    random = {"objective": "trajectory-matching", "settings": {"starts_from": "random"}}
    assert of(**random)["labels"] == "taught"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": 3}, r"found first 3, last 2: lower first, or raise last"),
        ({"matched": 2}, r"would match epoch 4, and experts learn 3: raise epochs"),
        ({"last": 0, "curriculum": 5}, r"there is one \(0\): raise last, or set curriculum to 0"),
    ],
)
def test_windows_that_cannot_be(change, message):
    with pytest.raises(UserError, match=message):
        replace(SMALL, **change)
