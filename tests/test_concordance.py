"""Concordance against a slow loop and audmetric, and its loss against autograd."""

import math

import audmetric
import numpy as np
import pytest
import torch

from evaluation.concordance import (
    LEAST_VARIANCE,
    ccc,
    ccc_loss,
    mae,
    moments,
    pearson,
    surrogate,
)


def numbers(seed: int = 0, shift: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Fifty utterances of three dimensions, told with an error and too timidly."""
    draws = np.random.default_rng(seed)
    truth = draws.uniform(-1, 1, (50, 3))
    return truth, 0.5 * truth + shift + 0.2 * draws.standard_normal((50, 3))


def slow_ccc(truth, predicted):
    n = len(truth)
    told, true = sum(predicted) / n, sum(truth) / n
    covariance = sum((p - told) * (t - true) for p, t in zip(predicted, truth, strict=True)) / n
    variances = sum(
        (p - told) ** 2 + (t - true) ** 2 for p, t in zip(predicted, truth, strict=True)
    )
    return 2 * covariance / (variances / n + (told - true) ** 2)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_metrics_are_those_of_a_slow_loop_and_of_audmetric(seed):
    truth, predicted = numbers(seed)
    for column in range(3):
        one, other = truth[:, column].tolist(), predicted[:, column].tolist()
        assert math.isclose(ccc(truth, predicted)[column], slow_ccc(one, other), rel_tol=1e-9)
        assert math.isclose(
            ccc(truth, predicted)[column], audmetric.concordance_cc(one, other), rel_tol=1e-9
        )
        assert math.isclose(
            pearson(truth, predicted)[column], audmetric.pearson_cc(one, other), rel_tol=1e-9
        )
        assert math.isclose(
            mae(truth, predicted)[column],
            audmetric.mean_absolute_error(one, other),
            rel_tol=1e-9,
        )


def test_known_values():
    truth = np.array([[0.0], [1.0], [2.0]])
    assert ccc(truth, truth) == pytest.approx([1.0])
    assert ccc(truth, 2 - truth) == pytest.approx([-1.0])
    assert ccc(truth, truth + 1) == pytest.approx([4 / 7])
    assert pearson(truth, truth + 1) == pytest.approx([1.0])
    assert mae(truth, truth + 1).tolist() == [1.0]


@pytest.mark.parametrize("constant", [0.0, 0.1, 1000.3])
def test_where_nothing_varies_nothing_concords(constant):
    truth, _ = numbers()
    same = np.full_like(truth, constant)
    for metric in (ccc, pearson):
        assert metric(truth, same) == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
        assert metric(same, same) == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)


@pytest.mark.parametrize("metric", [ccc, pearson, mae])
def test_what_is_not_known_counts_nowhere(metric):
    truth, predicted = numbers()
    truth[:20, 0] = math.nan
    truth[10:45, 2] = math.nan
    found = metric(truth, predicted)
    for column in range(3):
        known = ~np.isnan(truth[:, column])
        own = metric(truth[known, column : column + 1], predicted[known, column : column + 1])
        assert found[column] == pytest.approx(own[0], rel=1e-9)


def test_where_nothing_is_known_there_is_no_score():
    truth, predicted = numbers()
    truth[:, 1] = math.nan
    for metric in (ccc, pearson):
        assert np.isnan(metric(truth, predicted)).tolist() == [False, True, False]


ALIKE = torch.full((3,), 1 / 3, dtype=torch.float64)


def tensors(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    truth, predicted = numbers(seed)
    return torch.tensor(predicted).requires_grad_(), torch.tensor(truth)


@pytest.mark.parametrize("weights", [ALIKE, torch.tensor([0.5, 0.5, 0.0]).double()])
def test_the_loss_is_one_minus_the_weighted_mean(weights):
    outputs, targets = tensors()
    each = ccc(targets.numpy(), outputs.detach().numpy())
    found = ccc_loss(outputs, targets, weights).item()
    assert math.isclose(found, 1 - each @ weights.numpy(), rel_tol=1e-9)


def test_the_loss_has_the_gradient_of_finite_differences():
    outputs, targets = tensors()
    assert torch.autograd.gradcheck(lambda told: ccc_loss(told, targets, ALIKE), outputs)


def test_losses_of_utterances_have_the_gradient_of_the_batch():
    outputs, targets = tensors()
    weights = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    whole = ccc_loss(outputs, targets, weights)
    (wanted,) = torch.autograd.grad(whole, outputs)
    answered = moments(outputs, targets).mean(dim=0)
    losses = surrogate(outputs, targets, answered, weights)
    (found,) = torch.autograd.grad(losses.mean(), outputs)
    assert losses.shape == (50,)
    assert torch.allclose(losses.mean(), whole, atol=1e-9)
    assert torch.allclose(found, wanted, rtol=1e-6, atol=1e-9)


def test_a_mean_over_parts_of_the_utterances_is_that_over_all():
    outputs, targets = tensors()
    answered = moments(outputs, targets).mean(dim=0)
    parts = [
        surrogate(outputs[rows], targets[rows], answered, ALIKE).mean()
        for rows in (slice(0, 25), slice(25, 50))
    ]
    assert torch.allclose(sum(parts) / 2, ccc_loss(outputs, targets, ALIKE))


def test_noise_that_leaves_no_variance_gives_a_gradient_of_bounded_length():
    outputs, targets = tensors()
    answered = moments(outputs, targets).mean(dim=0).detach()
    answered[6:12] -= 5.0  # both variances are far below zero
    losses = surrogate(outputs, targets, answered, ALIKE)
    (found,) = torch.autograd.grad(losses.mean(), outputs)
    distances = (answered[:3] - answered[3:6]) ** 2
    assert found.isfinite().all()
    # Of 2 cov / D with D at least that, where neither variance moves.
    cov = (answered[12:15] - answered[:3] * answered[3:6]).abs()
    least = 2 * LEAST_VARIANCE + distances
    most = (2 * 2 / least + 2 * cov * 2 * distances.sqrt() / least**2) / 50 / 3
    assert (found.abs() <= most).all()


def test_the_surrogate_can_be_differentiated_for_each_utterance_at_once():
    outputs, targets = tensors()
    answered = moments(outputs, targets).mean(dim=0)

    def one(told, true):
        return surrogate(told[None], true[None], answered, ALIKE)[0]

    each = torch.func.vmap(torch.func.grad(one))(outputs.detach(), targets)
    (wanted,) = torch.autograd.grad(ccc_loss(outputs, targets, ALIKE), outputs)
    assert torch.allclose(each / 50, wanted)
