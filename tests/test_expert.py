"""Experts: what they learned through the door, they say of items."""

from typing import Any

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech
from pushing import interrupt
from test_engine import same_bits

from distill import outer_loop
from distill.candidate import Parameterisation
from distill.engine import distill
from distill.expert import Expert, one_of
from distill.native import Native
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.gradient_matching import GradientMatching
from distill.objectives.objective import Objective, Student
from distill.objectives.trajectory_matching import TrajectoryMatching
from distill.outer_loop import Loop
from distill.requirements import experts_needed
from evaluation.networks import Weights, draw_weights, skeleton
from synth_data.curator import Curator
from synth_data.synthetic import SyntheticSet
from synth_data.task import Task

SMALL = DistributionMatching(starts=1, checkpoints=1)
EXPERT = Expert(count=2, steps=40)
ALONE = Expert(count=1, steps=40)


def student() -> Student:
    module = skeleton("tdnn", SPEC.mels, 3)
    return Student(module, draw_weights(module, torch.Generator().manual_seed(0)), TASK)


def test_an_expert_hears_what_others_say():
    """Of speech that it did not learn from, and asks nothing but mean gradients and shares."""
    curator, others = Curator(fake_speech((20, 20, 20))), fake_speech((10, 10, 10), seed=1)
    weights = EXPERT.learn(curator, student(), seed=0)
    logits = EXPERT.hears(student(), weights, others.features)
    right = logits.argmax(dim=1) == others.targets.argmax(dim=1)
    assert float(right.float().mean()) > 0.8
    assert curator.questions == {"class shares": 1, "an expert's lesson": 80}


def test_experts_are_heard_together():
    """The first is the same alone; the others have started elsewhere."""
    speech, items = fake_speech((8, 8, 8)), fake_speech((4, 4, 4), seed=1).features
    together = EXPERT.learn(Curator(speech), student(), seed=0)
    first, second = (one_of(together, number) for number in (0, 1))
    alone = one_of(ALONE.learn(Curator(speech), student(), seed=0), 0)
    assert all(torch.equal(first[name], alone[name]) for name in alone)
    assert not any(torch.equal(first[name], second[name]) for name in alone)

    def likely(*experts: dict[str, torch.Tensor]) -> torch.Tensor:
        weights = {name: torch.stack([one[name] for one in experts]) for name in first}
        return EXPERT.hears(student(), weights, items).softmax(dim=1)

    assert torch.allclose(likely(first, second), (likely(first) + likely(second)) / 2, atol=1e-6)


def test_dimensions_are_the_mean_of_what_experts_say():
    task = Task((), ("valence", "activation"))
    module = skeleton("tdnn", SPEC.mels, 2)
    starts = [draw_weights(module, torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    items = fake_speech((4, 4, 4)).features

    def said(*experts: Weights) -> torch.Tensor:
        weights = {name: torch.stack([one[name] for one in experts]) for name in starts[0]}
        return EXPERT.hears(Student(module, starts[0], task), weights, items)

    assert torch.allclose(said(*starts), (said(starts[0]) + said(starts[1])) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "steps", "count"),
    [
        ("taught", 0, 2),
        ("taught", 3, 2),
        ("refined", 0, 2),
        ("soft", 0, 0),
        ("hard", 3, 1),
        ("hard", 0, 0),
    ],
)
def test_labels_need_all_experts_and_a_schedule_one(labels, steps, count):
    needed = experts_needed(EXPERT, SMALL, Parameterisation(labels=labels), Native(steps=steps))
    assert (0 if needed is None else needed.count) == count


def made(
    labels: str,
    steps: int = 2,
    objective: Objective = SMALL,
    initialisation: str = "real",
    **changes: Any,
) -> SyntheticSet:
    settings: dict[str, Any] = {"ipc": 2, "seed": 0}
    return distill(
        Curator(fake_speech((8, 8, 8))),
        objective,
        "tdnn",
        loop=Loop(steps=steps, initialisation=initialisation),
        parameterisation=Parameterisation(labels=labels, label_learning_rate=0.2),
        expert=EXPERT,
        **settings | changes,
    )


def test_taught_labels_are_stored_and_the_same_every_time():
    hard, taught = made("hard").targets, made("taught").targets
    assert torch.equal(taught, made("taught").targets)
    assert not torch.equal(taught, made("taught", seed=1).targets)
    assert torch.allclose(taught.sum(dim=1), torch.ones(6), atol=1e-5)
    assert taught.max() < 1
    assert torch.equal(taught.argmax(dim=1), hard.argmax(dim=1))


def test_labels_are_what_an_expert_hears_in_the_finished_items():
    taught = made("taught")
    assert taught.start is not None
    network = Student(student().network, taught.start.weights, TASK)
    weights = EXPERT.learn(Curator(fake_speech((8, 8, 8))), network, seed=0)
    heard = EXPERT.hears(network, weights, taught.features).softmax(dim=1)
    assert torch.allclose(taught.targets, heard, atol=1e-5)
    assert torch.equal(taught.features, made("hard").features)


@pytest.mark.parametrize(
    "objective",
    [
        DistributionMatching(starts=1, checkpoints=2, stride=1, classification=1.0),
        TrajectoryMatching(experts=1, epochs=3, stride=2, last=1, matched=1, steps=2),  # teaches
    ],
    ids=lambda objective: objective.name,
)
def test_refined_labels_start_as_what_is_heard_and_are_learned(objective):
    """By whoever teaches, in those items that are not misheard."""
    start = made("refined", steps=0, objective=objective)
    if objective.teaches:
        curator = Curator(fake_speech((8, 8, 8)))
        assert start.start is not None
        network = Student(student().network, start.start.weights, TASK)
        state = objective.init(curator, network, 0)
        heard = objective.hears(state, start.features, SPEC, network).softmax(dim=1)
    else:
        heard = made("taught", steps=0, objective=objective).targets
    right = heard.argmax(dim=1) == torch.arange(3).repeat_interleave(2)
    assert right.any()
    assert torch.allclose(start.targets[right], heard[right], atol=1e-5)
    learned = made("refined", steps=3, objective=objective)
    assert (learned.targets - start.targets).abs().max() > 0.01
    assert torch.allclose(learned.targets.sum(dim=1), torch.ones(6), atol=1e-5)
    assert torch.equal(learned.targets, made("refined", steps=3, objective=objective).targets)


@pytest.mark.parametrize("initialisation", ["noise", "spectrum"])
def test_what_is_misheard_keeps_its_class(initialisation):
    """Noise is heard as anything, and every class still has its items."""
    items = made(
        "refined",
        steps=0,
        objective=GradientMatching(starts=1, checkpoints=1),
        ipc=12,
        initialisation=initialisation,
    )
    assert set(items.per_class.values()) == {12}
    taught = made("taught", steps=0, ipc=12, initialisation=initialisation)
    right = taught.targets.argmax(dim=1) == items.targets.argmax(dim=1)
    assert 0 < int(right.sum()) < 36
    assert torch.allclose(items.targets[right], taught.targets[right], atol=1e-5)
    assert (items.targets[~right].max(dim=1).values > 0.9).all()


@pytest.mark.parametrize("nested", [(), (1,)])
def test_an_interrupted_run_of_refined_labels_ends_with_the_same_bits(
    nested, tmp_path, monkeypatch
):
    objective = GradientMatching(starts=1, checkpoints=1)
    whole = made("refined", steps=6, objective=objective, nested=nested)
    monkeypatch.setattr(outer_loop, "SAVE_EVERY", 0.0)
    saved = {"nested": nested, "checkpoint": tmp_path / "saved"}
    with monkeypatch.context() as patched:
        interrupt(patched, objective, after=3)
        with pytest.raises(KeyboardInterrupt):
            made("refined", steps=6, objective=objective, **saved)
    assert same_bits(whole, made("refined", steps=6, objective=objective, **saved))
