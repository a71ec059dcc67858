"""Items as a few cosines over bands and frames."""

import math

import pytest
import torch
from torch import Tensor

from distill.candidate import ITEMS, Parameterisation
from distill.modulations import coloured_noise
from synth_data.codecs import Codec, Packed
from synth_data.cosines import LONGEST, Cross, cosines
from synth_data.errors import UserError
from synth_data.features import FeatureSpec
from synth_data.frame_kinds import Cosines, Every, Frames, Means, Middle
from synth_data.number_kinds import Float16, Int8

MELS, FRAMES = 5, 12
SPEC = FeatureSpec()


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def like_speech(count: int = 4) -> Tensor:
    return coloured_noise(count, SPEC, torch.Generator().manual_seed(0))


def wave(i: int, j: int, mels: int = MELS, frames: int = FRAMES) -> Tensor:
    """One cosine, value by value."""
    return torch.tensor(
        [
            [
                math.cos(math.pi * i * (m + 0.5) / mels)
                * math.cos(math.pi * j * (f + 0.5) / frames)
                for f in range(frames)
            ]
            for m in range(mels)
        ]
    )


@pytest.mark.parametrize("size", [1, 2, 7, 300])
def test_the_transform_is_orthonormal_and_slowest_first(size):
    found = cosines(size)
    torch.testing.assert_close(found @ found.T, torch.eye(size).double())
    turns = (found.sign().diff(dim=1) != 0).sum(dim=1)  # a zero on the way counts twice
    assert turns[0] == 0
    assert (turns >= torch.arange(size)).all()


@pytest.mark.parametrize("shorter", [2, 3, 4, 12])
def test_what_is_kept_are_the_coefficients_under_a_hyperbola(shorter):
    """Each of them comes back as it was, and nothing is left of each other one."""
    frames = Cosines(shorter)
    every = sorted(((1 + i) * (1 + j), i, j) for i in range(MELS) for j in range(FRAMES))
    count = MELS * -(-FRAMES // shorter)
    for n, (_, i, j) in enumerate(every):
        one = wave(i, j)[None]
        again = frames.lengthen(frames.shorten(one), FRAMES)
        torch.testing.assert_close(again, one if n < count else torch.zeros_like(one))


def test_numbers_are_stored_slowest_first_over_a_public_envelope():
    """By hand: of the cosine (1, 2) in five bands and twelve frames."""
    stored = Cosines(2).shorten(wave(1, 2)[None]).flatten()
    every = sorted(((1 + i) * (1 + j), i, j) for i in range(MELS) for j in range(FRAMES))
    place = every.index((6, 1, 2))
    assert stored.abs().gt(1e-5).nonzero().flatten().tolist() == [place]
    energy = sum(product**-1.5 for product, *_ in every)
    envelope = math.sqrt(MELS * FRAMES / energy) * 6**-0.75
    assert float(stored[place]) == pytest.approx(math.sqrt(MELS * FRAMES / 4) / envelope)


def test_it_is_the_nearest_of_all_that_can_be_stored():
    features = gaussian(3, MELS, FRAMES)
    frames = Cosines(3)
    short = frames.shorten(features)
    kept = frames.lengthen(short, FRAMES)
    apart = (features - kept).flatten(1).double()
    for n in range(short[0].numel()):
        one = torch.zeros_like(short[:1]).flatten()
        one[n] = 1.0
        direction = frames.lengthen(one.reshape_as(short[:1]), FRAMES).flatten().double()
        assert (apart @ direction).abs().max() < 1e-5
    torch.testing.assert_close(frames.shorten(kept), short)


def test_all_coefficients_are_the_item():
    features = gaussian(2, MELS, FRAMES)
    frames = Cosines(1)
    torch.testing.assert_close(frames.lengthen(frames.shorten(features), FRAMES), features)


def test_the_gradient_is_that_of_a_linear_map():
    short = gaussian(2, MELS, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: Cosines(4).lengthen(x, FRAMES), short)
    features = gaussian(2, MELS, FRAMES).double().requires_grad_()
    assert torch.autograd.gradcheck(Cosines(4).shorten, features)


@pytest.mark.parametrize("shorter", [4, 8, 16])
def test_more_is_kept_of_what_varies_as_speech_does_than_by_means(shorter):
    features = like_speech()

    def lost(frames: Frames) -> float:
        again = frames.lengthen(frames.shorten(features), SPEC.frames)
        return float((again - features).square().mean() / features.square().mean())

    assert lost(Cosines(shorter)) < 0.9 * lost(Means(shorter))
    # Of noise of which every frequency has as much, no choice of them keeps more.
    white = gaussian(4, *SPEC.shape)
    again = Cosines(shorter).lengthen(Cosines(shorter).shorten(white), SPEC.frames)
    kept = float(again.square().mean() / white.square().mean())
    assert kept == pytest.approx(-(-SPEC.frames // shorter) / SPEC.frames, rel=0.1)


def test_numbers_have_about_unit_spread():
    """So that eight bits cost little, and Adam's steps serve all alike."""
    features = like_speech(64)
    stored = Cosines(8).shorten(features)
    assert 0.4 < float(stored.std()) < 2.5
    exact = Cosines(8).lengthen(stored, SPEC.frames)
    for numbers, most in ((Int8(), 0.025), (Float16(), 0.0005)):
        decoded = Packed.of(Codec(numbers, Cosines(8)), features).features(SPEC.frames)
        assert float((decoded - exact).std() / exact.std()) < most


def test_items_on_their_way_are_nearly_what_they_will_be():
    way, stored = Cosines(8), Cosines(8).shorten(like_speech(16)).requires_grad_()
    exact, rough = way.lengthen(stored, SPEC.frames), way.lengthen_roughly(stored, SPEC.frames)
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, atol=1e-5, rtol=1e-5)
    slopes = [torch.autograd.grad(items.sin().sum(), stored)[0] for items in (rough, exact)]
    torch.testing.assert_close(*slopes, atol=1e-4, rtol=1e-4)


def test_what_is_stored_and_what_is_listened_to_is_decoded_exactly():
    way = Parameterisation(slices=8, frames="cosines")
    learned = {ITEMS: Cosines(8).shorten(like_speech(3))}
    exact = Cosines(8).lengthen(learned[ITEMS], SPEC.frames)
    finished, packed = way.finished(learned, torch.eye(3), SPEC.frames, 1)
    assert packed is not None
    assert torch.equal(finished.features, exact)
    assert torch.equal(way.items(learned, SPEC.frames, 1), exact)
    assert not torch.equal(way.candidate(learned, torch.eye(3), SPEC.frames, 1).features, exact)


def test_an_item_is_the_same_in_batches_of_any_size():
    features = like_speech(7)
    codec = Codec(Int8(), Cosines(8))
    whole = Packed.of(codec, features).features(SPEC.frames)
    parts = [Packed.of(codec, part).features(SPEC.frames) for part in features.split([1, 2, 4])]
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("frames", [Every(), Means(4), Middle(4)])
def test_limits_of_values_are_those_of_features(frames):
    short = frames.shorten(3 * gaussian(2, MELS, FRAMES))
    assert torch.equal(frames.within(short, 2.0, FRAMES), short.clamp(-2.0, 2.0))


def test_limits_of_cosines_are_those_of_features():
    frames = Cosines(3)
    short = frames.shorten(
        gaussian(3, MELS, FRAMES) * torch.tensor([0.1, 1.0, 30.0])[:, None, None]
    )
    limited = frames.within(short, 4.0, FRAMES)
    assert torch.equal(limited[:2], short[:2])
    heard = frames.lengthen(limited, FRAMES)
    assert float(heard[2].abs().max()) == pytest.approx(4.0)
    loud = frames.lengthen(short, FRAMES)[2]
    assert torch.corrcoef(torch.stack([heard[2].flatten(), loud.flatten()]))[0, 1] > 0.999
    nothing = torch.zeros(1, MELS, 4)
    assert torch.equal(frames.within(nothing, 4.0, FRAMES), nothing)


def test_who_is_near_the_limit_is_told_in_double_precision():
    """The same bits as if all had been; items far from the limit are as they were."""
    frames = Cosines(3)
    short = frames.shorten(gaussian(40, MELS, FRAMES))
    farthest = frames.lengthen(short, FRAMES).abs().amax(dim=(1, 2), keepdim=True)
    limit = float(farthest.flatten().median())
    whole = short * (limit / farthest).clamp_max(1.0)
    assert torch.equal(frames.within(short, limit, FRAMES), whole)
    assert not torch.equal(whole, short)
    assert frames.within(short, 100.0, FRAMES) is short


@pytest.mark.parametrize(("mels", "frames"), [(1, LONGEST + 1), (LONGEST + 1, 1)])
def test_items_that_are_too_large_are_refused(mels, frames):
    with pytest.raises(
        UserError, match=f"at most {LONGEST} mel bands and frames; found {mels} and"
    ):
        Cross(mels, frames, 1)
