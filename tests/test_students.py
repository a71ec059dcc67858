"""Students learn what can be learnt, the same way every time."""

import pytest
import torch
from fake_speech import SPEC, fake_speech
from torch import Tensor

from evaluation.augment import Augment
from evaluation.networks import NETWORKS, draw_weights, skeleton
from evaluation.students import CHUNK, RECIPES, Recipe, class_balance, cross_entropy, predict, train

SHORT = Recipe(steps=30, batch=16, warm_up=5, augment=Augment(bands=2, frames=0.1))
STILL = Augment(bands=0, frames=0.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def student(name: str = "tdnn", recipe: Recipe = SHORT, seed: int = 0) -> dict[str, Tensor]:
    real, network = fake_speech((20, 15, 10)), skeleton(name, SPEC.mels, 3)
    start = draw_weights(network, seeded())
    return train(network, start, real.features, real.targets, recipe, 1e-3, seeded(seed))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_student_learns_what_is_easy_and_its_start_is_left_alone(name):
    real, unseen = fake_speech((20, 15, 10)), fake_speech((20, 20, 20), seed=1)
    network = skeleton(name, SPEC.mels, 3)
    start = draw_weights(network, seeded())
    before = {key: weight.clone() for key, weight in start.items()}
    truth = unseen.targets.argmax(dim=1)

    def accuracy(weights: dict[str, Tensor]) -> float:
        predicted = predict(network, weights, unseen.features)
        return float((predicted == truth).float().mean())

    trained = train(network, start, real.features, real.targets, SHORT, 3e-3, seeded())
    assert accuracy(trained) > 0.9
    assert accuracy(start) < 0.6
    assert all(torch.equal(start[key], before[key]) for key in before)
    assert not any(weight.requires_grad for weight in trained.values())


def test_labels_that_mean_nothing_teach_nothing():
    real, unseen = fake_speech((20, 20, 20), apart=0), fake_speech((40, 40, 40), apart=0, seed=1)
    network = skeleton("tdnn", SPEC.mels, 3)
    start = draw_weights(network, seeded())
    trained = train(network, start, real.features, real.targets, SHORT, 3e-3, seeded())
    right = predict(network, trained, unseen.features) == unseen.targets.argmax(dim=1)
    assert abs(float(right.float().mean()) - 1 / 3) < 0.15


def test_equal_generators_train_equal_students():
    first, same, other = student(seed=0), student(seed=0), student(seed=1)
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_the_rate_warms_up_and_ends_at_nothing():
    """A step moves AdamW by about its rate, so distances show the schedule."""
    real, network = fake_speech(), skeleton("tdnn", SPEC.mels, 3)
    start = draw_weights(network, seeded())

    def moved(steps: int, warm_up: int) -> float:
        recipe = Recipe(steps, warm_up=warm_up, weight_decay=0.0, augment=STILL)
        end = train(network, start, real.features, real.targets, recipe, 1e-3, seeded())
        return float((end["head.bias"] - start["head.bias"]).abs().max())

    assert moved(1, warm_up=1) == pytest.approx(1e-3, rel=1e-3)
    assert moved(1, warm_up=10) == pytest.approx(1e-4, rel=1e-3)
    assert moved(2, warm_up=1) < 1.51e-3  # the second step's cosine is at one half


def test_batches_are_drawn_without_replacement():
    real, network = fake_speech((3, 3, 3)), skeleton("tdnn", SPEC.mels, 3)
    start = draw_weights(network, seeded())
    large, exact = (
        train(
            network,
            start,
            real.features,
            real.targets,
            Recipe(1, batch=batch, warm_up=1, augment=STILL),
            1e-3,
            seeded(),
        )
        for batch in (1000, 9)
    )
    assert all(torch.equal(large[key], exact[key]) for key in large)


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
    network = skeleton("tdnn", SPEC.mels, 3)
    weights = draw_weights(network, seeded())
    features = torch.randn(CHUNK + 5, *SPEC.shape, generator=seeded())
    predicted = predict(network, weights, features)
    assert predicted.shape == (CHUNK + 5,)
    assert torch.equal(predicted[-5:], predict(network, weights, features[-5:]))
    assert len(predicted.unique()) > 1


def test_every_network_has_a_recipe():
    assert RECIPES.keys() == NETWORKS.keys()
    assert all(recipe.learning_rates for recipe in RECIPES.values())


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
