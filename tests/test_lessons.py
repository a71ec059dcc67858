"""Model distillation: a pupil follows its teacher, by logits and by features."""

from dataclasses import replace

import pytest
import torch
from fake_speech import SPEC, fake_speech
from torch import Tensor

from evaluation.baselines import Competitor
from evaluation.networks import draw_weights, skeleton
from evaluation.students import (
    RECIPES,
    CannotTrain,
    Examples,
    Lesson,
    Recipe,
    Setting,
    cross_entropy,
    embeddings_of,
    predict,
    train,
)
from evaluation.students.network import PROJECTION

REAL, UNSEEN = fake_speech((20, 15, 10)), fake_speech((20, 20, 20), seed=1)
NETWORK = skeleton("tdnn", SPEC.mels, 3)
START = draw_weights(NETWORK, torch.Generator().manual_seed(0))
TAUGHT = Setting(40, 3e-3)
WRONG = REAL.targets.roll(1, dims=1)


def pupil(targets: Tensor, lesson: Lesson | None, setting: Setting = TAUGHT) -> dict[str, Tensor]:
    draws, examples = torch.Generator().manual_seed(1), Examples(REAL.features, targets, lesson)
    return train(NETWORK, START, examples, Recipe(), setting, draws)


def agreement(weights: dict[str, Tensor], truth: Tensor) -> float:
    said = predict(NETWORK, weights, UNSEEN.features)
    return float((said == truth.argmax(dim=1)).float().mean())


def explained(weights: dict[str, Tensor], signal: Tensor) -> float:
    """The share of a signal's variance that a linear map of the embeddings explains."""
    seen = embeddings_of(NETWORK, weights, REAL.features).double()
    # The first few directions only: with all of them a map could fit anything.
    seen = seen - seen.mean(dim=0)
    basis = torch.linalg.svd(seen, full_matrices=False).U[:, :4]
    centred = (signal - signal.mean(dim=0)).double()
    return float((basis.T @ centred).square().sum() / centred.square().sum())


def test_a_pupil_of_logits_follows_its_teacher_against_wrong_targets():
    teacher = Lesson("logits", 5 * REAL.targets, share=1.0)
    assert agreement(pupil(WRONG, teacher), UNSEEN.targets) > 0.9
    assert agreement(pupil(WRONG, None), UNSEEN.targets) < 0.1


def test_without_a_share_nothing_is_taught():
    ignored = Lesson("logits", 5 * REAL.targets, share=0.0)
    plain, same = pupil(WRONG, None), pupil(WRONG, ignored)
    assert all(torch.allclose(plain[key], same[key], atol=1e-4) for key in plain)


def test_a_lesson_by_logits_is_hintons():
    """The gradient at the start, against the formula written out: T^2 KL of softened outputs.

    One step of AdamW without memory moves each weight by the sign of its gradient.
    """
    signal = torch.randn(len(REAL), 3, generator=torch.Generator().manual_seed(2))
    lesson = Lesson("logits", signal, share=0.3, temperature=4.0)
    recipe = Recipe(batch=10_000, weight_decay=0.0)
    features = REAL.features[:8]
    draws = torch.Generator().manual_seed(1)
    examples = Examples(features, REAL.targets[:8], replace(lesson, signal=signal[:8]))
    moved = train(NETWORK, START, examples, recipe, Setting(1, 1e-3), draws)

    free = {name: weight.clone().requires_grad_() for name, weight in START.items()}
    logits = torch.func.functional_call(NETWORK, free, (features,))
    softened = torch.log_softmax(logits / 4, dim=1)
    teacher = torch.softmax(signal[:8] / 4, dim=1)
    divergence = torch.nn.functional.kl_div(softened, teacher, reduction="batchmean")
    shares = REAL.targets[:8].mean(dim=0)
    wanted = REAL.targets[:8] / shares.clamp_min(1e-6) / (shares > 0).sum()
    loss = 0.7 * cross_entropy(logits, wanted).mean() + 0.3 * 4**2 * divergence
    loss.backward()
    for name, weight in free.items():
        assert weight.grad is not None
        clear = weight.grad.abs() > 1e-4
        step = (moved[name] - START[name])[clear]
        assert torch.equal(step.sign(), -weight.grad[clear].sign()), name


def test_a_pupil_of_features_learns_its_teachers_embedding():
    """An arbitrary one, of another scale: nothing but the lesson tells it."""
    signal = torch.randn(len(REAL), 2, generator=torch.Generator().manual_seed(4)) * 10 + 3
    taught, plain = (pupil(REAL.targets, Lesson("features", signal, share)) for share in (1.0, 0.0))
    assert explained(START, signal) < 0.15
    assert explained(plain, signal) < 0.15
    assert explained(taught, signal) > 0.7


def test_the_map_onto_the_teachers_embedding_is_not_shipped():
    taught = pupil(REAL.targets, Lesson("features", torch.randn(len(REAL), 7)))
    assert PROJECTION not in taught
    assert {name: weight.shape for name, weight in taught.items()} == {
        name: weight.shape for name, weight in START.items()
    }


def test_a_feature_that_never_changes_is_no_trouble():
    taught = pupil(REAL.targets, Lesson("features", torch.ones(len(REAL), 7)), Setting(3, 1e-3))
    assert all(weight.isfinite().all() for weight in taught.values())


@pytest.mark.parametrize("name", ["linear", "svm"])
def test_students_that_are_no_networks_take_no_lessons(name):
    examples = Examples(REAL.features, REAL.targets, Lesson("logits", REAL.targets))
    recipe = RECIPES[name]
    with pytest.raises(CannotTrain, match=f"{name} learns from targets only, not from a teacher"):
        recipe.fit(name, {}, examples, recipe.settings[0], torch.Generator())


def test_a_lesson_is_part_of_what_names_an_outcome():
    lesson = Lesson("logits", REAL.targets)
    others = [
        None,
        replace(lesson, by="features"),
        replace(lesson, share=0.4),
        replace(lesson, temperature=3.0),
        replace(lesson, signal=2 * lesson.signal),
    ]
    digests = {
        Competitor("full", Examples(REAL.features, REAL.targets, each), None, "weights").digest
        for each in (lesson, *others)
    }
    assert len(digests) == 6
