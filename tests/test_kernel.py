"""The ridge regression on the items, and its exact error on all real speech."""

from dataclasses import replace

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech
from felt_speech import complete, felt_speech
from torch import Tensor

from distill.objectives.embedding_moments import MEANS, WITHIN, centred, moments_of
from distill.objectives.kernel import (
    LEAST_RIDGE,
    Kernel,
    _solved,
    on_sphere,
    ridge_head,
)
from distill.objectives.objective import Candidate, Student
from distill.outer_loop import Loop
from distill.private import account_of
from evaluation.networks import draw_weights, skeleton
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.gaussian import Gaussian
from synth_data.ledger import PrivacyBudget
from synth_data.real import RealSet

ALONE = Kernel(starts=1, checkpoints=1, starts_from="fixed", means=0.0, classification=0.0)
SMALL = Kernel(starts=2, checkpoints=2, stride=2, sampling_probability=0.5)


def student() -> Student:
    module = skeleton("tdnn", SPEC.mels, 3)
    return Student(module, draw_weights(module, torch.Generator().manual_seed(0)), TASK)


def items(per_class: int, soft: bool = False) -> Candidate:
    draws = torch.Generator().manual_seed(1)
    features = torch.randn(3 * per_class, *SPEC.shape, generator=draws)
    targets = torch.eye(3).repeat_interleave(per_class, dim=0)
    if soft:
        targets = (4 * targets + torch.randn(targets.shape, generator=draws)).softmax(dim=1)
    return Candidate(features, targets, per_class)


def loss_of(objective: Kernel, real: RealSet, ours: Candidate, seed: int = 0) -> Tensor:
    curator, model = Curator(real), student()
    state = objective.init(curator, model, 0)
    draws = torch.Generator().manual_seed(seed)
    return objective.step(state, ours, curator, model, draws)[0]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("ridge", [1e-4, 1.0])
def test_the_loss_is_that_of_a_ridge_regression_tested_on_each_real_utterance(soft, ridge):
    real, model, ours = fake_speech((3, 7, 5)), student(), items(2, soft)
    seen, _ = on_sphere(model, model.start, real.features)
    labels = real.targets.argmax(dim=1)
    middle = torch.stack([seen[labels == c].mean(dim=0) for c in range(3)]).mean(dim=0)
    variance = sum((seen[labels == c] - middle).square().sum(dim=1).mean() / 3 for c in range(3))

    def row(features: Tensor) -> Tensor:
        (embedding,), _ = on_sphere(model, model.start, features[None])
        return torch.cat([embedding - middle, variance.sqrt()[None]]).double()

    rows = [row(one) for one in ours.features]
    wanted = [target.double() - 1 / 3 for target in ours.targets]
    size = len(rows[0])
    square, cross = torch.zeros(size, size).double(), torch.zeros(size, 3).double()
    for x, y in zip(rows, wanted, strict=True):
        square += torch.outer(x, x)
        cross += torch.outer(x, y)
    mean_length = sum(x @ x for x in rows) / len(rows)
    head = torch.linalg.inv(square + ridge * mean_length * torch.eye(size)) @ cross
    wrong = none = 0.0
    for features, target, label in zip(real.features, real.targets, labels, strict=True):
        weight = 1 / 3 / float((labels == label).sum())
        y = target.double() - 1 / 3
        wrong += weight * float((row(features) @ head - y).square().sum())
        none += weight * float(y.square().sum())
    found = float(loss_of(replace(ALONE, ridge=ridge), real, ours))
    assert found == pytest.approx(wrong / none, rel=1e-3)


def test_both_forms_of_the_regression_agree():
    draws = torch.Generator().manual_seed(0)
    for n in (5, 40):
        inputs = torch.randn(n, 20, generator=draws).double()
        labels = centred(torch.rand(n, 3, generator=draws).softmax(dim=1))
        primal = _solved(inputs.T @ inputs, inputs.T @ labels, 1e-3 / n)
        dual = inputs.T @ _solved(inputs @ inputs.T, labels, 1e-3 / n)
        assert torch.allclose(primal, dual, atol=1e-10)
        assert torch.allclose(ridge_head(inputs, labels, 1e-3), dual, atol=1e-10)


def test_its_slopes_are_those_of_differences_in_items_and_in_labels():
    real, model, ours = fake_speech(), student(), items(2, soft=True)
    state = ALONE.init(Curator(real), model, 0)
    moments = moments_of(state, 0, student().task)
    seen, _ = on_sphere(model, model.start, ours.features)

    def error(rows: Tensor, targets: Tensor) -> Tensor:
        head = ridge_head(moments.inputs(rows), centred(targets), 0.01)
        square, cross = moments.square, moments.cross
        return (head * (square @ head - 2 * cross)).sum()

    given = (seen.detach().double().requires_grad_(), ours.targets.double().requires_grad_())
    assert torch.autograd.gradcheck(error, given, fast_mode=True)


def test_labels_of_the_items_can_be_learned():
    ours = items(2, soft=True)
    ours.targets.requires_grad_()
    (slope,) = torch.autograd.grad(loss_of(ALONE, fake_speech(), ours), ours.targets)
    assert slope.any(dim=1).all()
    assert ALONE.learns_labels


def test_real_speech_as_items_leaves_what_no_head_can_tell_and_noise_more():
    real = fake_speech((8, 8, 8))
    order = real.targets.argmax(dim=1).argsort()
    same = Candidate(real.features[order], real.targets[order], 8)
    assert float(loss_of(replace(ALONE, ridge=1e-6), real, same)) < 0.01
    assert float(loss_of(ALONE, real, items(8))) > 0.5
    assert float(loss_of(replace(ALONE, ridge=1e6), real, same)) == pytest.approx(1, abs=1e-3)


def test_means_and_classification_are_added():
    real, ours = fake_speech(), items(2)
    none = replace(SMALL, means=0.0, classification=0.0)
    plain = float(loss_of(none, real, ours))
    means = float(loss_of(replace(none, means=1.0), real, ours))
    assert means > plain
    order = real.targets.argmax(dim=1).argsort()[[0, 1, 6, 7, 10, 11]]
    right = Candidate(real.features[order], real.targets[order], 2)
    wrong = replace(right, targets=right.targets.roll(1, dims=1))
    trained = replace(none, starts=1, checkpoints=4, stride=20, learning_rate=1e-2)
    curator, model = Curator(real), student()
    state = trained.init(curator, model, 0)

    def added(one: Candidate) -> float:
        found = []
        for objective in (replace(trained, classification=1.0), trained):
            draws = torch.Generator().manual_seed(3)  # meets a checkpoint that was trained
            found.append(float(objective.step(state, one, curator, model, draws)[0]))
        return found[0] - found[1]

    assert 0 < added(right) < added(wrong)


@pytest.mark.parametrize("settings", [{}, {"means": 0.0, "classification": 0.0, "ridge": 1e-8}])
def test_duplicates_of_one_item_are_no_trouble(settings):
    """With the smallest ridge even, and more items than an embedding has numbers."""
    one = torch.randn(1, *SPEC.shape, generator=torch.Generator().manual_seed(0))
    curator, model = Curator(fake_speech()), student()
    objective = replace(SMALL, **settings)
    state = objective.init(curator, model, 0)
    for per_class in (2, 100):
        features = one.repeat(3 * per_class, 1, 1).requires_grad_()
        targets = torch.eye(3).repeat_interleave(per_class, dim=0)
        ours = Candidate(features, targets, per_class)
        loss, _ = objective.step(state, ours, curator, model, torch.Generator().manual_seed(0))
        (slope,) = torch.autograd.grad(loss, features)
        assert loss.isfinite()
        assert slope.isfinite().all()


def test_a_thousand_items_that_are_alike_are_regressed_on():
    rows = torch.randn(4, 300, generator=torch.Generator().manual_seed(0)).double()
    inputs = rows.repeat(250, 1).requires_grad_()
    labels = centred(torch.eye(8).repeat_interleave(125, dim=0))
    head = ridge_head(inputs, labels, LEAST_RIDGE)
    (slope,) = torch.autograd.grad(head.square().sum(), inputs)
    assert head.isfinite().all()
    assert slope.isfinite().all()


def test_what_is_not_finite_comes_out_as_that():
    """For the loop not to take the step."""
    ours = items(2)
    ours.features[0, 0, 0] = torch.nan
    assert not loss_of(SMALL, fake_speech(), ours).isfinite()


@pytest.mark.parametrize("unit", ["speaker", "utterance"])
def test_no_error_is_negative_however_noisy_the_moments(unit):
    objective = ALONE
    account = account_of(PrivacyBudget(1.0, 1e-4, unit), objective, Loop(initialisation="noise"))
    state = objective.init(Curator(fake_speech(), Gaussian(account)), student(), 0)
    moments = moments_of(state, 0, student().task)
    draws = torch.Generator().manual_seed(0)
    assert torch.linalg.eigvalsh(moments.within)[0] > -1e-3 * moments.within.trace()
    for scale in (0.01, 1.0, 100.0):
        head = scale * torch.randn(moments.cross.shape, generator=draws).double()
        assert moments.error(head) >= -1e-3


def test_the_state_holds_one_answer_for_each_network():
    curator = Curator(fake_speech())
    state = SMALL.init(curator, student(), 0)
    assert state[MEANS].shape == (4, 3, 256)
    assert state[WITHIN].shape == (4, 256, 256)
    assert curator.questions["class moments of embeddings"] == 4
    assert SMALL.size_of_asked(student(), 3) == 3 * (256 * 257 // 2 + 256)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ridge": 1e-12}, "with a ridge below 1e-09; found 1e-12"),
        ({"checkpoints": 1}, "set checkpoints to 2 or more, or classification to 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        Kernel(**settings)


def test_utterances_that_lack_a_dimension_are_left_out_of_the_regression():
    real = felt_speech((9, 8, 7), lacking=[(0, 1), (5, 0), (5, 2), (20, 1)])
    module = skeleton("tdnn", SPEC.mels, 3)
    weights = draw_weights(module, torch.Generator().manual_seed(0))
    model = Student(module, weights, real.task)
    found, wanted = (ALONE.init(Curator(speech), model, 0) for speech in (real, complete(real)))
    for name, value in wanted.items():
        assert torch.allclose(found[name], value, rtol=1e-4, atol=1e-6), name
