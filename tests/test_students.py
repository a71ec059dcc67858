"""Students that are networks learn what can be learnt, the same way every time."""

from typing import Any

import pytest
import torch
from batched import Batched
from fake_speech import SPEC, fake_speech
from torch import Tensor, nn

from evaluation.augment import Augment
from evaluation.networks import NETWORKS, Weights, couples, draw_weights, skeleton
from evaluation.students import (
    RECIPES,
    CannotTrain,
    Examples,
    Lesson,
    PooledRecipe,
    Recipe,
    Setting,
    class_balance,
    cross_entropy,
    embeddings_of,
    logits_of,
    predict,
    train,
)
from evaluation.students.network import CHUNK, Schedule
from synth_data.real import RealSet

SHORT = Recipe(batch=16, warm_up=5, augment=Augment(bands=2, frames=0.1))
STEPS = Setting(30, 3e-3)
STILL = Augment(bands=0, frames=0.0)


@pytest.fixture
def batched(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of that network."""
    monkeypatch.setitem(NETWORKS, "batched", Batched)
    return "batched"


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(name: str = "tdnn") -> tuple[nn.Module, dict[str, Tensor]]:
    """A network and initial weights."""
    network = skeleton(name, SPEC.mels, 3)
    return network, draw_weights(network, seeded())


def examples(real: RealSet, **lesson: Any) -> Examples:
    return Examples(real.features, real.targets, Lesson(**lesson) if lesson else None)


def student(name: str = "tdnn", recipe: Recipe = SHORT, seed: int = 0) -> dict[str, Tensor]:
    network, start = drawn(name)
    return train(network, start, examples(fake_speech((20, 15, 10))), recipe, STEPS, seeded(seed))


def accuracy(network: nn.Module, weights: Weights, real: RealSet, truth: Tensor) -> float:
    return float((predict(network, weights, real.features) == truth).float().mean())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_student_learns_what_is_easy_and_its_start_is_left_alone(name):
    real, unseen = fake_speech((20, 15, 10)), fake_speech((20, 20, 20), seed=1)
    network, start = drawn(name)
    before = {key: weight.clone() for key, weight in start.items()}
    truth = unseen.targets.argmax(dim=1)
    deep = network.head.in_features == 256 and name != "tdnn"
    setting = Setting(30, 1e-3 if couples(network) else 3e-4) if deep else STEPS
    trained = train(network, start, examples(real), SHORT, setting, seeded())
    assert accuracy(network, trained, unseen, truth) > 0.9
    assert accuracy(network, start, unseen, truth) < 0.6
    assert all(torch.equal(start[key], before[key]) for key in before)
    assert not any(weight.requires_grad for weight in trained.values())
    assert trained.keys() == start.keys()


def test_labels_that_mean_nothing_teach_nothing():
    real, unseen = fake_speech((20, 20, 20), apart=0), fake_speech((40, 40, 40), apart=0, seed=1)
    network, start = drawn()
    trained = train(network, start, examples(real), SHORT, STEPS, seeded())
    right = predict(network, trained, unseen.features) == unseen.targets.argmax(dim=1)
    assert abs(float(right.float().mean()) - 1 / 3) < 0.15


def test_equal_generators_train_equal_students():
    first, same, other = student(seed=0), student(seed=0), student(seed=1)
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_the_rate_warms_up_and_ends_at_nothing():
    """A step moves AdamW by about its rate, so distances show the schedule."""
    network, start = drawn()

    def moved(steps: int, warm_up: int) -> float:
        recipe = Recipe(warm_up=warm_up, weight_decay=0.0)
        setting = Setting(steps, 1e-3)
        end = train(network, start, examples(fake_speech()), recipe, setting, seeded())
        return float((end["head.bias"] - start["head.bias"]).abs().max())

    assert moved(1, warm_up=1) == pytest.approx(1e-3, rel=1e-3)
    assert moved(1, warm_up=10) == pytest.approx(1e-3, rel=1e-3)  # a sixth of all, at least one
    assert moved(2, warm_up=1) < 1.51e-3  # the second step's cosine is at one half
    # Of twelve steps two warm up, the first at half the rate.
    assert moved(12, warm_up=1) - moved(12, warm_up=12) == pytest.approx(5e-4, rel=0.1)


def test_batches_are_drawn_without_replacement():
    """A batch of all items is all of them, in whatever order."""
    network, start = drawn()
    real = fake_speech((3, 3, 2))
    rows = torch.arange(8).flip(0)
    reversed_ = Examples(real.features[rows], real.targets[rows])
    one, same = (
        train(network, start, each, Recipe(), Setting(1, 1e-3), seeded())
        for each in (examples(real), reversed_)
    )
    assert all(torch.allclose(one[key], same[key], atol=1e-5) for key in one)


@pytest.mark.parametrize(
    ("items", "size"), [(1, 1), (8, 8), (9, 8), (32, 8), (40, 10), (256, 64), (9000, 64)]
)
def test_small_sets_are_gone_through_in_small_batches(items, size):
    assert Recipe(batch=64).batch_of(items) == size


def test_a_recipe_tries_each_of_its_schedules():
    recipe = Recipe(schedules=(Schedule(300, 3e-3), Schedule(600, 2e-3)))
    assert recipe.settings == (Setting(300, 3e-3), Setting(600, 2e-3))
    assert str(recipe.settings[1]) == "600 steps, learning rate 0.002"
    assert Recipe.single(6).settings == (Setting(6, 2e-3),)


def test_balance_makes_classes_count_alike_and_items_count_one():
    targets = fake_speech((30, 6, 4)).targets
    balance = class_balance(targets)
    per_class = (targets * balance).sum(dim=0)
    assert torch.allclose(per_class, torch.full((3,), 40 / 3))
    assert torch.allclose((targets * balance).sum(dim=1).mean(), torch.tensor(1.0))


def test_balance_counts_soft_targets_by_their_shares():
    targets = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    assert torch.allclose(class_balance(targets), torch.tensor([2 / 3, 2.0]))


def test_the_loss_is_pytorchs():
    logits = torch.randn(7, 3, generator=seeded())
    targets = torch.softmax(torch.randn(7, 3, generator=seeded(1)), dim=1)
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    assert torch.allclose(cross_entropy(logits, targets), expected)


def test_predictions_do_not_depend_on_chunks():
    network, weights = drawn()
    features = torch.randn(CHUNK + 5, *SPEC.shape, generator=seeded())
    predicted = predict(network, weights, features)
    assert predicted.shape == (CHUNK + 5,)
    assert torch.equal(predicted[-5:], predict(network, weights, features[-5:]))
    assert len(predicted.unique()) > 1


@pytest.mark.parametrize("name", ["tdnn", "convnet", "crnn", "transformer", "resnet9"])
def test_logits_are_the_head_of_the_embedding(name):
    """By which lessons see both at once."""
    network, weights = drawn(name)
    features = fake_speech().features
    embeddings = embeddings_of(network, weights, features)
    head = nn.functional.linear(embeddings, weights["head.weight"], weights["head.bias"])
    assert torch.allclose(head, logits_of(network, weights, features), atol=1e-5)


def test_every_network_has_a_recipe_and_two_students_are_none():
    assert RECIPES.keys() == {*NETWORKS, "linear", "svm"}
    assert all(isinstance(RECIPES[name], Recipe) for name in NETWORKS)
    assert all(isinstance(RECIPES[name], PooledRecipe) for name in ("linear", "svm"))
    assert all(recipe.settings for recipe in RECIPES.values())


def test_a_recipe_fits_a_student_that_predicts():
    network, start = drawn()
    real, unseen = fake_speech((20, 15, 10)), fake_speech(seed=1)
    fitted = SHORT.fit("tdnn", start, examples(real), STEPS, seeded())
    assert torch.equal(
        fitted.predict(unseen.features), predict(network, fitted.weights, unseen.features)
    )
    assert fitted.parameters == sum(weight.numel() for weight in start.values())


def test_training_that_diverges_is_refused():
    _, start = drawn()
    with pytest.raises(CannotTrain, match=r"training diverged \(6 steps, learning rate 1e\+30\)"):
        SHORT.fit("tdnn", start, examples(fake_speech()), Setting(6, 1e30), seeded())


def test_running_statistics_move_and_predictions_use_them(batched):
    """BatchNorm's own formula: each batch moves them a tenth of the way."""
    network, start = drawn(batched)
    real = fake_speech((3, 3, 2))
    features = 2 * real.features + 5
    trained = train(
        network, start, Examples(features, real.targets), Recipe(), Setting(1, 1e-3), seeded()
    )
    mean, variance = features.mean(dim=(0, 2)), features.var(dim=(0, 2))
    assert torch.allclose(trained["norm.running_mean"], 0.1 * mean, atol=1e-5)
    assert torch.allclose(trained["norm.running_var"], 0.9 + 0.1 * variance, atol=1e-4)
    assert not start["norm.running_mean"].any()
    alone = logits_of(network, trained, features[:1])
    assert torch.allclose(alone, logits_of(network, trained, features)[:1], atol=1e-5)
    elsewhere = {**trained, "norm.running_mean": trained["norm.running_mean"] + 3}
    assert not torch.allclose(alone, logits_of(network, elsewhere, features[:1]), atol=1e-2)


def test_parameters_are_those_that_a_gradient_moves(batched):
    network, start = drawn(batched)
    fitted = SHORT.fit(batched, start, examples(fake_speech()), STEPS, seeded())
    assert fitted.parameters == 2 * SPEC.mels + 3 * SPEC.mels + 3
    assert {*fitted.weights} == {*start} == {*network.state_dict()}


def test_augmentation_only_masks():
    features = torch.rand(200, 16, 40, generator=seeded()) + 1
    masked = Augment(bands=4, frames=0.1)(features, seeded())
    assert masked.shape == features.shape
    kept = masked == features
    assert (kept | (masked == 0)).all()
    # A point falls to zero with its whole band or its whole frame.
    bands, frames = kept.any(dim=2), kept.any(dim=1)
    assert torch.equal(kept, bands[:, :, None] & frames[:, None, :])
    assert (~bands).sum(dim=1).max() <= 2 * 4
    assert (~frames).sum(dim=1).max() <= 2 * 4
    assert 0 < float((~bands).float().mean()) < 0.5
    assert len(kept.flatten(1).unique(dim=0)) > 150  # each item's own


def test_a_shift_turns_each_item_along_time():
    features = torch.randn(5, 3, 40, generator=seeded(0))
    shifted = Augment(shift=0.25)(features, seeded(1))
    found = []
    for item, other in zip(features, shifted, strict=True):
        by = [n for n in range(-10, 11) if torch.equal(item.roll(n, dims=1), other)]
        found += by
    assert len(found) == 5
    assert len(set(found)) > 1


def test_noise_has_its_deviation():
    features = torch.zeros(8, 16, 64)
    noisy = Augment(noise=0.3)(features, seeded(0))
    assert float(noisy.std()) == pytest.approx(0.3, rel=0.05)


def test_all_alike():
    """One shift and the same masks for all; the same ones for a generator in the same state."""
    features = torch.arange(1.0, 41.0).expand(6, 16, 40)
    augment = Augment(bands=4, frames=0.2, shift=0.5)
    alike = augment(features, seeded(2), alike=True)
    assert (alike == alike[0]).all()
    assert torch.equal(alike[:2], augment(features[:2], seeded(2), alike=True))
    assert not (augment(features, seeded(2)) == alike).all()


def test_augmentation_of_no_strength_changes_nothing():
    features = torch.randn(5, *SPEC.shape, generator=seeded())
    assert torch.equal(STILL(features, seeded()), features)


def test_equal_generators_mask_alike():
    features = torch.randn(5, *SPEC.shape, generator=seeded())
    augment = Augment(bands=4, frames=0.2)
    assert torch.equal(augment(features, seeded(3)), augment(features, seeded(3)))
    assert not torch.equal(augment(features, seeded(3)), augment(features, seeded(4)))


def test_augmentation_is_differentiable():
    features = torch.rand(5, *SPEC.shape, generator=seeded()).add(1).requires_grad_()
    masked = Augment(bands=4, frames=0.2)(features, seeded())
    (slope,) = torch.autograd.grad(masked.sum(), features)
    assert torch.equal(slope, (masked != 0).float())
