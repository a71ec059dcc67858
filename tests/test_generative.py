"""A generator in place of the recordings: what it costs, how it is trained, and that it learns."""

from dataclasses import replace

import pytest
import torch
from fake_speech import EMOTIONS, SPEC
from small_evaluation import a_set
from small_stock import IPC, made, stock
from torch import Tensor, nn

from evaluation.baselines import NotAvailable
from evaluation.baselines.generative import WIDTHS, generative, largest
from evaluation.baselines.wasserstein import Eyes, WassersteinGAN, spread, steepness
from evaluation.cli import _baselines
from evaluation.named_sets import NamedSet
from evaluation.options import EVERY_BASELINE, GENERATIVE

SHAPE = (*SPEC.shape, len(EMOTIONS))


def test_it_costs_what_it_stores_and_that_is_within_the_bytes_of_the_set():
    given = stock()
    (one,) = made("generative", given)
    decoder = largest(given.bytes, SHAPE)
    stored = decoder.encode(
        decoder.draw(*SHAPE, torch.Generator()), torch.empty(0, decoder.code), torch.empty(0).long()
    )
    assert one.bytes == sum(tensor.nbytes for tensor in stored.values()) <= given.bytes
    assert one.ships == "a generator"


def test_the_widest_that_fits_is_taken():
    found = [largest(room, SHAPE).width for room in (2_500, 9_000, 10**9)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (WIDTHS[-1], WIDTHS[0])
    with pytest.raises(
        NotAvailable, match="weights of the smallest generator take 2192 bytes, more than the 9 "
    ):
        largest(9, SHAPE)


def test_nobody_is_trained_in_vain():
    def fail():
        pytest.fail("asked for the reference, although no generator fits")

    with pytest.raises(NotAvailable, match="more than the 100 of the set"):
        made("generative", replace(stock(bytes_=100), look=fail))


@pytest.mark.parametrize(("counts", "ipc", "each"), [((9, 0, 4), 2, 7), ((4, 3, 4), 9, 9)])
def test_as_many_items_as_utterances_or_as_the_set_has_the_classes_alike(counts, ipc, each):
    (one,) = made("generative", stock(counts, ipc=ipc))
    assert one.examples.targets.sum(dim=0).tolist() == [each * (count > 0) for count in counts]
    assert one.examples.features.flatten(1).unique(dim=0).shape[0] == len(one)


@pytest.mark.slow
def test_it_learns_what_tells_the_emotions_apart():
    given = stock((30, 30, 30), ipc=12)
    real = given.train
    training = WassersteinGAN(steps=60, matching=0.0, learning_rate=1e-2, average=0.9)
    (one,) = generative(training)(given)
    means = torch.stack([real.features[real.group_rows(k)].mean(dim=(0, 2)) for k in range(3)])

    def right(features: Tensor, targets: Tensor) -> float:
        nearest = torch.cdist(features.mean(dim=2), means).argmin(dim=1)
        return float((nearest == targets.argmax(dim=1)).float().mean())

    assert right(real.features, real.targets) > 0.9
    assert right(one.examples.features, one.examples.targets) > 0.8
    (untrained,) = generative(replace(training, steps=1))(stock((30, 30, 30), ipc=12))
    assert right(untrained.examples.features, untrained.examples.targets) < 0.6


def test_the_slope_of_a_score_is_measured_item_by_item():
    draws = torch.Generator().manual_seed(0)
    items, plane = torch.randn(5, 3, 4, generator=draws), torch.randn(3, 4, generator=draws)
    bent = lambda at: torch.sin(at * plane).sum(dim=(1, 2))  # noqa: E731
    expected = [
        (torch.func.grad(lambda at: bent(at[None])[0])(one).norm() - 1).square() for one in items
    ]
    torch.testing.assert_close(
        steepness(bent, items), torch.stack(expected).mean(), rtol=1e-4, atol=1e-6
    )


class Sum(nn.Module):
    """A network that tells the mean of each band, and is as sure of one emotion as of another."""

    def embed(self, features: Tensor) -> Tensor:
        return features.mean(dim=2)

    def head(self, embedding: Tensor) -> Tensor:
        return torch.zeros(len(embedding), 2)


def test_few_items_of_the_real_law_are_not_apart_on_average():
    draws = torch.Generator().manual_seed(0)
    real = torch.randn(4_000, 3, 2, generator=draws)
    rows = [range(2_000), range(2_000, 4_000)]
    eyes = Eyes.of(Sum(), {}, real.mean(dim=2), torch.zeros(4_000, 2), rows)
    found = torch.stack([eyes.apart(torch.randn(8, 3, 2, generator=draws)) for _ in range(2_000)])
    assert abs(found.mean()) < 4 * found.std() / 2_000**0.5
    assert found.std() < 0.5
    other = torch.randn(8_000, 3, 2, generator=draws) + 1
    assert eyes.apart(other) == pytest.approx(2.0, rel=0.1)  # one over a deviation of root half


def test_spread_is_of_pairs():
    items = torch.tensor([0.0, 3.0, 5.0, 6.0])[:, None, None].expand(4, 2, 3)
    codes = torch.tensor([0.0, 1.0, 7.0, 9.0])[:, None].expand(4, 5)
    assert spread(items, codes) == pytest.approx((3 / 1 + 1 / 2) / 2)


def test_it_is_trained_only_when_asked_for():
    sets = [NamedSet("mine", a_set(), 0.0)]
    assert GENERATIVE in EVERY_BASELINE
    assert GENERATIVE not in _baselines("all", sets)
    assert _baselines("generative", sets) == (GENERATIVE,)


def test_another_seed_makes_another_generator():
    (first,), (second,) = (made("generative", stock(seed=seed)) for seed in (0, 1))
    assert first.ipc == second.ipc == IPC
    assert first.digest != second.digest
