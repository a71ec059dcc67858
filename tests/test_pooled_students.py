"""Students that are no networks: a linear classifier and a support vector machine."""

import pytest
import torch
from fake_speech import SPEC, fake_speech
from felt_speech import complete, felt_speech
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from evaluation.students import RECIPES, CannotTrain, Examples, Fitted, PooledRecipe, Setting
from evaluation.students.pooled import pooled
from synth_data.real import RealSet

REAL, UNSEEN = fake_speech((20, 15, 10)), fake_speech((20, 20, 20), seed=1)
each_student = pytest.mark.parametrize("name", ["linear", "svm"])


def fitted(
    name: str, targets: Tensor = REAL.targets, real: RealSet = REAL, c: float = 1.0
) -> Fitted:
    examples = Examples(real.features, targets)
    return RECIPES[name].fit(name, {}, examples, Setting(0, c), torch.Generator().manual_seed(0))


def accuracy(student: Fitted, truth: Tensor = UNSEEN.targets) -> float:
    return float((student.predict(UNSEEN.features) == truth.argmax(dim=1)).float().mean())


@each_student
def test_it_learns_what_is_easy(name):
    assert accuracy(fitted(name)) > 0.9


@each_student
def test_labels_that_mean_nothing_teach_nothing(name):
    same, unseen = fake_speech((60, 60, 60), apart=0), fake_speech((60, 60, 60), apart=0, seed=1)
    said = fitted(name, same.targets, same).predict(unseen.features)
    assert abs(float((said == unseen.targets.argmax(dim=1)).float().mean()) - 1 / 3) < 0.1


@each_student
def test_equal_generators_fit_equal_students(name):
    first, again = fitted(name), fitted(name)
    assert torch.equal(first.predict(UNSEEN.features), again.predict(UNSEEN.features))


@each_student
def test_classes_keep_their_indices_where_one_is_absent(name):
    rows = REAL.group_rows(0) + REAL.group_rows(2)
    without = REAL.select(rows)
    assert set(fitted(name, without.targets, without).predict(UNSEEN.features).tolist()) == {0, 2}


@each_student
def test_one_emotion_teaches_nothing(name):
    single = REAL.select(REAL.group_rows(1))
    with pytest.raises(CannotTrain, match=f"{name} needs items of two emotions or more"):
        fitted(name, single.targets, single)


@each_student
def test_classes_are_weighed_alike(name):
    """Speech in between two emotions, of which one is ten times as frequent."""
    train = fake_speech((100, 10, 0), apart=0.15)
    test = fake_speech((100, 100, 0), seed=1, apart=0.15)
    student = fitted(name, train.targets, train, c=0.1)
    rare = float((student.predict(test.features) == 1).float().mean())
    assert 0.25 < rare < 0.75


@each_student
def test_soft_targets_count_by_their_shares(name):
    """So that what most of an item is decides."""
    sharp = 0.8 * REAL.targets + 0.2 * REAL.targets.roll(1, dims=1)
    assert accuracy(fitted(name, sharp)) > 0.8
    turned = 0.2 * REAL.targets + 0.8 * REAL.targets.roll(1, dims=1)
    assert accuracy(fitted(name, turned)) < 0.2


def test_soft_targets_are_those_of_repeated_items():
    """Shares of a quarter and three quarters, against one and three items with hard targets."""
    soft = 0.75 * REAL.targets + 0.25 * REAL.targets.roll(1, dims=1)
    hard = torch.cat([REAL.targets] * 3 + [REAL.targets.roll(1, dims=1)])
    statistics = pooled(torch.cat([REAL.features] * 4))
    scaler = StandardScaler().fit(statistics)
    labels = hard.argmax(dim=1).numpy()
    # `fit` lets the weights sum to the number of items; here they sum to four times that.
    slow = LogisticRegression(C=0.1 / 4, max_iter=1000, class_weight="balanced")
    slow.fit(scaler.transform(statistics), labels)
    expected = slow.predict(scaler.transform(pooled(UNSEEN.features)))
    found = fitted("linear", soft, c=0.1).predict(UNSEEN.features)
    assert (found.numpy() == expected).all()
    assert len(set(expected.tolist())) == 3


def test_what_is_pooled():
    features = torch.randn(4, 5, 9, generator=torch.Generator().manual_seed(0))
    statistics = pooled(features)
    assert statistics.shape == (4, 15)
    assert statistics[1, 2] == pytest.approx(float(features[1, 2].mean()), abs=1e-6)
    assert statistics[1, 7] == pytest.approx(float(features[1, 2].std()), rel=1e-5)
    change = features[1, 2, 1:] - features[1, 2, :-1]
    assert statistics[1, 12] == pytest.approx(float(change.std()), rel=1e-5)


def test_parameters_are_the_numbers_that_predicting_needs():
    statistics = 3 * SPEC.mels
    assert fitted("linear").parameters == 2 * statistics + 3 * (statistics + 1)
    machine = fitted("svm").parameters
    # Means and scales; a threshold for each pair; a vector and two coefficients per support.
    assert (machine - 2 * statistics - 3) % (statistics + 2) == 0
    assert machine > 2 * statistics + 3


def test_penalties_are_the_settings():
    recipe = PooledRecipe("logistic regression", (0.1, 10.0))
    assert [str(setting) for setting in recipe.settings] == ["C = 0.1", "C = 10"]
    assert recipe.settings == (Setting(0, 0.1), Setting(0, 10.0))


def test_a_larger_penalty_fits_closer():
    noise = fake_speech((20, 20, 20), apart=0)

    def own(c: float) -> float:
        said = fitted("linear", noise.targets, noise, c).predict(noise.features)
        return float((said == noise.targets.argmax(dim=1)).float().mean())

    assert own(10.0) > 0.95
    assert own(1e-4) < 0.9
    # A support vector machine keeps those items that it does not fit by far.
    assert fitted("svm", c=10.0).parameters < fitted("svm", c=0.01).parameters


@each_student
def test_dimensions_are_told_after_those_who_have_them_all(name):
    real = felt_speech((20, 15, 10), lacking=[(0, 0), (7, 2)])

    def told(speech: RealSet) -> Tensor:
        examples = Examples(speech.features, speech.targets, task=speech.task)
        draws = torch.Generator().manual_seed(0)
        return (
            RECIPES[name].fit(name, {}, examples, Setting(0, 1.0), draws).predict(UNSEEN.features)
        )

    assert torch.equal(told(real), told(complete(real)))
