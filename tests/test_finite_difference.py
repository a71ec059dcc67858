"""Finite differences stand in for a second backward pass: they must agree with it."""

import math

import pytest
import torch
from fake_speech import SPEC
from torch import Tensor
from torch.nn import functional

from distill.objectives.finite_difference import along, with_slopes
from evaluation.networks import NETWORKS, apply, couples, draw_weights, skeleton
from evaluation.students import cross_entropy

SMOOTH = [name for name in NETWORKS if not couples(skeleton(name, SPEC.mels, 3))]


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def cosine(one: Tensor, other: Tensor) -> float:
    return float(functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))


@pytest.mark.parametrize("name", SMOOTH)
def test_it_agrees_with_a_second_backward_pass(name):
    network = skeleton(name, SPEC.mels, 3)
    weights = draw_weights(network, torch.Generator().manual_seed(0))
    features, labels = drawn(2, *SPEC.shape).requires_grad_(), drawn(2, 3).softmax(dim=1)
    labels.requires_grad_()

    def loss(at):
        return cross_entropy(apply(network, at, features), labels).mean()

    free = {key: weight.clone().requires_grad_() for key, weight in weights.items()}
    gradient = torch.autograd.grad(loss(free), list(free.values()), create_graph=True)
    direction = {
        key: drawn(*weight.shape, seed=2) * weight.std().nan_to_num(1.0).clamp_min(0.1)
        for key, weight in weights.items()
        if weight.ndim > 1
    }
    inner = sum(
        (slope * direction[key]).sum()
        for key, slope in zip(free, gradient, strict=True)
        if key in direction
    )
    wanted = torch.autograd.grad(inner, [*(free[key] for key in direction), features, labels])
    hessian, (by_features, by_labels) = along(loss, weights, direction, [features, labels])
    found = [*hessian.values(), by_features, by_labels]
    for ours, exact in zip(found[-2:], wanted[-2:], strict=True):
        assert cosine(ours, exact) > 0.99
        assert float(ours.norm() / exact.norm()) == pytest.approx(1, abs=0.02)
    together = [torch.cat([part.flatten() for part in side[:-2]]) for side in (found, wanted)]
    assert cosine(*together) > 0.99


def test_a_direction_without_length_has_no_slopes():
    weights, features = {"w": drawn(3)}, drawn(3).requires_grad_()
    hessian, slopes = along(
        lambda at: (at["w"] * features).sum(), weights, {"w": torch.zeros(3)}, [features]
    )
    assert not hessian["w"].any()
    assert not slopes[0].any()


def test_a_direction_that_is_not_finite_has_no_finite_slopes():
    """So that nobody takes a step on it."""
    weights, features = {"w": drawn(3)}, drawn(3).requires_grad_()
    hessian, slopes = along(
        lambda at: (at["w"] * features).sum(),
        weights,
        {"w": torch.full((3,), math.nan)},
        [features],
    )
    assert hessian["w"].isnan().all()
    assert slopes[0].isnan().all()


def test_a_gpu_does_not_round_what_differences_are_taken_of():
    seen = []

    def loss(at):
        seen.append(torch.backends.cudnn.allow_tf32)
        return at["w"].square().sum()

    before = torch.backends.cudnn.allow_tf32
    along(loss, {"w": drawn(3)}, {"w": drawn(3)}, [])
    assert seen == [False, False]
    assert torch.backends.cudnn.allow_tf32 == before


def test_an_input_that_the_loss_does_not_meet_has_a_slope_of_zero():
    weights = {"w": drawn(3)}
    _, (slope,) = along(
        lambda at: at["w"].square().sum(), weights, weights, [drawn(2).requires_grad_()]
    )
    assert slope.tolist() == [0, 0]


def test_known_slopes_go_on_through_what_made_the_input():
    root = drawn(4).requires_grad_()
    value = with_slopes(torch.tensor(7.0), [2 * root], [torch.arange(4.0)])
    assert float(value.detach()) == 7
    value.backward()
    assert root.grad.tolist() == [0, 2, 4, 6]
