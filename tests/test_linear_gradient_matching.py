"""The closed form of the last layer's gradients, and what is matched with it."""

from dataclasses import replace

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech

from distill.objectives.gradient_matching import row_distance
from distill.objectives.linear_gradient_matching import (
    HEAD,
    LinearGradientMatching,
    head_gradients,
)
from distill.objectives.objective import Candidate, Student
from distill.objectives.trajectories import WEIGHT
from evaluation.networks import apply, draw_weights, skeleton
from evaluation.students import cross_entropy
from synth_data.curator import Curator

SMALL = LinearGradientMatching(starts=2, checkpoints=2, stride=2, sampling_probability=0.5)


def student(network: str = "tdnn") -> Student:
    module = skeleton(network, SPEC.mels, 3)
    return Student(module, draw_weights(module, torch.Generator().manual_seed(0)), TASK)


@pytest.mark.parametrize("network", ["tdnn", "crnn"])
def test_the_closed_form_is_the_gradient(network):
    real, model = fake_speech((1, 1, 1)), student(network)
    soft = torch.tensor([[0.7, 0.2, 0.1], [0, 1, 0], [0.1, 0.1, 0.8]])
    found = head_gradients(model, model.start, real.features, soft)
    free = {name: weight.clone().requires_grad_() for name, weight in model.start.items()}
    losses = cross_entropy(apply(model.network, free, real.features), soft)
    for item, loss in enumerate(losses):
        weight, bias = torch.autograd.grad(loss, [free[n] for n in HEAD], retain_graph=True)
        exact = torch.cat([weight, bias[:, None]], dim=1)
        assert torch.allclose(found[item], exact, atol=1e-5)


def test_the_loss_is_the_sum_over_classes_and_rows():
    real, model, curator = fake_speech((3, 5, 4)), student(), Curator(fake_speech((3, 5, 4)))
    objective = replace(SMALL, starts=1, checkpoints=1)
    state = objective.init(curator, model, 0)
    assert curator.questions == {"class gradients of the head": 1}
    ours = fake_speech((2, 2, 2), seed=1)
    order = ours.targets.argmax(dim=1).argsort()
    candidate = Candidate(ours.features[order].clone().requires_grad_(), ours.targets[order], 2)
    loss, _ = objective.step(state, candidate, curator, model, torch.Generator())
    slow = 0.0
    for emotion in range(3):
        rows = real.group_rows(emotion)
        theirs = head_gradients(model, model.start, real.features[rows], real.targets[rows])
        mine = head_gradients(
            model,
            model.start,
            candidate.features[2 * emotion : 2 * emotion + 2].detach(),
            candidate.targets[2 * emotion : 2 * emotion + 2],
        )
        slow += float(row_distance(mine.mean(dim=0), theirs.mean(dim=0)))
    assert float(loss.detach()) == pytest.approx(slow, rel=1e-4)


def test_other_distances():
    real, model, curator = fake_speech((3, 3, 3)), student(), Curator(fake_speech((3, 3, 3)))
    ours = Candidate(torch.randn(3, *SPEC.shape), torch.eye(3), 1)
    mine = head_gradients(model, model.start, ours.features, ours.targets)
    each = head_gradients(model, model.start, real.features, real.targets)
    rows = [real.group_rows(emotion) for emotion in range(3)]
    apart = mine - torch.stack([each[own].mean(dim=0) for own in rows])
    for kind, expected in (("l1", apart.abs().sum()), ("mse", apart.square().sum())):
        objective = replace(SMALL, starts=1, checkpoints=1, distance=kind)
        state = objective.init(curator, model, 0)
        loss, _ = objective.step(state, ours, curator, model, torch.Generator())
        assert float(loss) == pytest.approx(float(expected), rel=1e-3)


def test_nothing_is_left_where_synthetic_is_real():
    real, model = fake_speech((4, 4, 4)), student()
    curator = Curator(real)
    state = SMALL.init(curator, model, 0)
    order = real.targets.argmax(dim=1).argsort()
    same = Candidate(real.features[order].clone().requires_grad_(), real.targets[order], 4)
    draws = torch.Generator().manual_seed(0)
    for _ in range(5):
        loss, _ = SMALL.step(state, same, curator, model, draws)
        assert abs(float(loss.detach())) < 1e-3


@pytest.mark.parametrize("body", ["trained", "frozen"])
def test_a_frozen_body_stays_as_it_starts(body):
    state = replace(SMALL, body=body, starts=1).init(Curator(fake_speech()), student(), 0)
    moved = {
        name.removeprefix(WEIGHT)
        for name, values in state.items()
        if name.startswith(WEIGHT) and not torch.equal(values[0], values[1])
    }
    assert set(HEAD) <= moved
    assert (moved == set(HEAD)) == (body == "frozen")
