"""What a set is compared with: made of what is promised, and no weaker than its source says."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pytest
import torch
from fake_speech import EMOTIONS, SPEC
from small_stock import CODECS, CORESETS, COUNTS, IPC, OF_IPC_UTTERANCES, made, rows_in, stock
from torch import Tensor

from evaluation.baselines import BASELINES, NotAvailable, Reference
from evaluation.baselines.herding import herd
from evaluation.baselines.k_center import cover
from evaluation.baselines.k_means import medoids
from evaluation.baselines.random_subset import DRAWS


def points(count: int, size: int = 4, seed: int = 0) -> Tensor:
    """Three clouds."""
    draws = torch.Generator().manual_seed(seed)
    centres = 4 * torch.randn(3, size, generator=draws, dtype=torch.float64)
    noise = torch.randn(count, size, generator=draws, dtype=torch.float64)
    return centres[torch.arange(count) % 3] + noise


@pytest.mark.parametrize("name", BASELINES)
class TestEvery:
    def test_is_a_set_that_students_can_train_on(self, name):
        competitors = made(name, stock())
        assert competitors
        assert [one.draw for one in competitors] == list(range(len(competitors)))
        for one in competitors:
            features, targets = one.examples.features, one.examples.targets
            assert one.name == name
            assert not one.judged
            assert features.shape == (len(one), *SPEC.shape)
            assert targets.shape == (len(one), len(EMOTIONS))
            assert features.dtype == targets.dtype == torch.float32
            assert features.isfinite().all()
            assert (targets >= 0).all()
            assert torch.allclose(targets.sum(dim=1), torch.ones(len(one)))
            assert (targets.sum(dim=0) > 0).all()

    def test_the_seed_decides(self, name):
        first, second = made(name, stock(seed=4)), made(name, stock(seed=4))
        assert [one.digest for one in first] == [one.digest for one in second]

    def test_an_emotion_without_utterances_is_skipped(self, name):
        for one in made(name, stock((9, 0, 7))):
            shares = one.examples.targets.sum(dim=0)
            assert shares[0] > 0
            assert shares[2] > 0
            if name != "random-soft":  # a student gives every emotion a share
                assert shares[1] == 0

    def test_it_knows_what_it_competes_with(self, name):
        for one in made(name, stock()):
            assert one.ipc == (None if name in ("full", "full-balanced") else IPC)


@pytest.mark.parametrize(
    "name", ["full-balanced", "random", "k-means", "random-soft", "noise", "generative", *CODECS]
)
def test_another_seed_draws_something_else(name):
    few = stock(bytes_=3_000)  # with more, compressed items hold every utterance
    other = stock(bytes_=3_000, seed=5)
    assert made(name, few)[0].digest != made(name, other)[0].digest


@pytest.mark.parametrize("name", ["random", "random-soft"])
def test_draws_differ(name):
    draws = made(name, stock())
    assert len(draws) == DRAWS
    assert len({one.digest for one in draws}) == DRAWS


@pytest.mark.parametrize("name", OF_IPC_UTTERANCES)
class TestOfIpcUtterances:
    def test_holds_distinct_training_utterances_of_every_class(self, name):
        given = stock()
        for one in made(name, given):
            rows = rows_in(one.examples.features, given.train.features)
            assert len(set(rows)) == len(rows)
            classes = given.train.targets[rows].argmax(dim=1)
            assert classes.bincount().tolist() == [IPC] * len(EMOTIONS)
            assert one.ships == "real items"
            assert one.bytes == one.examples.features.nbytes + one.examples.targets.nbytes
            assert one.bytes <= given.bytes

    def test_an_emotion_without_utterances_has_no_item(self, name):
        given = stock((9, 0, 7))
        for one in made(name, given):
            rows = rows_in(one.examples.features, given.train.features)
            assert given.train.targets[rows].sum(dim=0).tolist() == [IPC, 0, IPC]

    def test_takes_all_where_all_are_needed(self, name):
        given = stock((4, 4, 4), ipc=4)
        for one in made(name, given):
            assert sorted(rows_in(one.examples.features, given.train.features)) == list(range(12))

    def test_needs_enough_utterances(self, name):
        with pytest.raises(NotAvailable, match="ipc 8 exceeds the 7 utterances of neutral"):
            made(name, stock(ipc=8))

    def test_a_repeated_recording_does_no_harm(self, name):
        given = stock((4, 4, 4), ipc=4)
        given.reference.embeddings[:] = 1.0
        for one in made(name, given):
            assert len(set(rows_in(one.examples.features, given.train.features))) == 12


@pytest.mark.parametrize("name", BASELINES)
def test_who_needs_the_reference_pays_for_it_and_nobody_else_asks(name):
    def refuse() -> Reference:
        raise NotAvailable("training diverged")

    (seconds,) = {one.making_seconds for one in made(name, stock())}
    without = replace(stock(), look=refuse)
    if name in (*CORESETS, "random-soft", "generative"):
        assert seconds == 60.0 if name != "generative" else seconds > 60.0
        with pytest.raises(NotAvailable, match="training diverged"):
            made(name, without)
    else:
        assert seconds == 0.0
        assert made(name, without)


@pytest.mark.parametrize("name", [*CORESETS, "random-soft"])
def test_the_reference_is_not_trained_in_vain(name):
    def fail() -> Reference:
        pytest.fail("asked for the reference, although there are too few utterances")

    with pytest.raises(NotAvailable, match="ipc 8 exceeds"):
        made(name, replace(stock(ipc=8), look=fail))


def test_full_data():
    given = stock()
    (one,) = made("full", given)
    assert torch.equal(one.examples.features, given.train.features)
    assert torch.equal(one.examples.targets, given.train.targets)


def test_balanced_data_repeat_the_rarer_classes_evenly():
    given = stock((10, 4, 1))
    (one,) = made("full-balanced", given)
    rows = torch.tensor(rows_in(one.examples.features, given.train.features))
    classes = given.train.targets.argmax(dim=1)
    assert torch.equal(one.examples.targets, given.train.targets[rows])
    assert classes[rows].bincount().tolist() == [10, 10, 10]
    times = rows.bincount(minlength=15)
    assert [sorted(set(times[classes == k].tolist())) for k in range(3)] == [[1], [2, 3], [10]]
    (full,) = made("full", given)
    assert one.bytes == full.bytes


def test_soft_labels_are_what_the_reference_hears():
    given = stock()
    for one in made("random-soft", given):
        rows = rows_in(one.examples.features, given.train.features)
        expected = given.reference.logits[rows].exp()
        expected /= expected.sum(dim=1, keepdim=True)
        torch.testing.assert_close(one.examples.targets, expected)


def test_noise_has_the_bands_of_real_features_and_nothing_else():
    given = stock(ipc=400)
    given.train.features.mul_(torch.linspace(0.5, 3, SPEC.mels)[:, None]).add_(2.0)
    (one,) = made("noise", given)
    assert (one.ships, one.bytes) == ("nothing", 0)
    assert one.examples.targets.sum(dim=0).tolist() == [400.0] * 3
    real, drawn = given.train.features, one.examples.features
    # 1200 items of 16 frames: a standard error of 0.7 % of a deviation.
    tolerance = 0.03 * real.std(dim=(0, 2))
    assert ((drawn.mean(dim=(0, 2)) - real.mean(dim=(0, 2))).abs() < tolerance).all()
    assert ((drawn.std(dim=(0, 2)) - real.std(dim=(0, 2))).abs() < tolerance).all()
    classes = one.examples.targets.argmax(dim=1)
    of_class = torch.stack([drawn[classes == k].mean(dim=(0, 2)) for k in range(3)])
    assert (of_class.std(dim=0) < tolerance).all()


def test_class_means():
    given = stock()
    (one,) = made("class-means", given)
    assert one.ships == "means of items"
    assert torch.equal(one.examples.targets, torch.eye(3))
    for emotion in range(3):
        own = sum(given.train.features[row] for row in given.train.group_rows(emotion))
        torch.testing.assert_close(one.examples.features[emotion], own / COUNTS[emotion])


class TestMedoids:
    def test_each_is_the_member_nearest_to_its_centre(self):
        cloud = points(60)
        chosen = medoids(cloud, 3, torch.Generator().manual_seed(0))
        assert sorted(row % 3 for row in chosen) == [0, 1, 2]  # clouds are far apart
        for row in chosen:
            own = cloud[row % 3 :: 3]
            distances = (own - own.mean(dim=0)).norm(dim=1)
            assert row == row % 3 + 3 * int(distances.argmin())

    def test_there_are_as_many_as_asked_for_where_points_coincide(self):
        cloud = points(3).repeat(4, 1)
        chosen = medoids(cloud, 7, torch.Generator().manual_seed(0))
        assert len(set(chosen)) == 7
        assert {row % 3 for row in chosen} == {0, 1, 2}


class TestHerding:
    def test_error_shrinks_faster_than_that_of_random_rows(self):
        draws = torch.Generator().manual_seed(0)
        sphere = torch.randn(2_000, 6, generator=draws, dtype=torch.float64)
        sphere[:, 0] += 1.0
        sphere /= sphere.norm(dim=1, keepdim=True)
        mean = sphere.mean(dim=0)

        def error(rows: Sequence[int]) -> float:
            return float((sphere[list(rows)].mean(dim=0) - mean).norm())

        few, many = 10, 160
        herded = herd(sphere, many)
        random = [torch.randperm(2_000, generator=draws).tolist() for _ in range(40)]
        drawn = {size: sum(error(rows[:size]) for rows in random) / 40 for size in (few, many)}
        # Sixteen times as many: a quarter of the error for random rows, a sixteenth for herding.
        assert 3 < drawn[few] / drawn[many] < 6
        assert error(herded[:few]) / error(herded) > 10
        assert error(herded) < drawn[many] / 5

    def test_each_step_is_the_best_there_is(self):
        cloud = points(12)
        unit = cloud / cloud.norm(dim=1, keepdim=True)
        taken: list[int] = []
        for row in herd(cloud, 5):
            errors = {
                other: float((unit[[*taken, other]].mean(dim=0) - unit.mean(dim=0)).norm())
                for other in range(12)
                if other not in taken
            }
            assert row == min(errors, key=lambda other: errors[other])
            taken.append(row)

    def test_length_does_not_matter(self):
        cloud = points(30)
        longer = cloud * torch.linspace(1, 9, 30, dtype=torch.float64)[:, None]
        assert herd(longer, 8) == herd(cloud, 8)


class TestKCenter:
    @staticmethod
    def radius(cloud: Tensor, centres: Sequence[int]) -> float:
        return float(torch.cdist(cloud, cloud[list(centres)]).amin(dim=1).max())

    @pytest.mark.parametrize("seed", range(5))
    def test_covers_within_twice_the_optimum(self, seed):
        cloud = points(11, size=2, seed=seed)
        optimum = min(self.radius(cloud, centres) for centres in combinations(range(11), 4))
        assert optimum <= self.radius(cloud, cover(cloud, 4)) <= 2 * optimum

    @pytest.mark.parametrize("seed", range(5))
    def test_covers_better_than_random_rows(self, seed):
        cloud = points(300, seed=seed)
        draws = torch.Generator().manual_seed(seed)
        random = [torch.randperm(300, generator=draws)[:12].tolist() for _ in range(20)]
        mean = sum(self.radius(cloud, rows) for rows in random) / 20
        assert self.radius(cloud, cover(cloud, 12)) < mean

    def test_starts_in_the_middle(self):
        line = torch.tensor([[0.0], [5.0], [6.0], [20.0]])
        assert cover(line, 4) == [2, 3, 0, 1]
