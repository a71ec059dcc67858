"""Real items that are stored small."""

import pytest
import torch
from small_stock import CODECS
from torch import Tensor

from synth_data.codecs import Codec, size


def gaussian(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("frames", [3, 300, 373])
@pytest.mark.parametrize("codec", [*CODECS.values(), Codec()], ids=[*CODECS, "float32"])
class TestCodecs:
    def test_size_is_what_is_stored(self, codec, frames):
        stored = codec.encode(gaussian(3, 5, frames))
        assert size(stored) == sum(len(tensor.numpy().tobytes()) for tensor in stored.values())
        assert {len(tensor) for tensor in stored.values()} == {3}

    def test_decoding_needs_only_what_is_stored(self, codec, frames):
        features = gaussian(3, 5, frames)
        copied = {name: tensor.clone() for name, tensor in codec.encode(features).items()}
        features.zero_()
        decoded = codec.decode(copied, frames)
        assert decoded.shape == (3, 5, frames)
        assert decoded.dtype == torch.float32
        assert decoded.std() > 0.1

    def test_items_do_not_touch_each_other(self, codec, frames):
        features = gaussian(3, 5, frames) * torch.tensor([0.1, 1.0, 100.0])[:, None, None]
        together = codec.decode(codec.encode(features), frames)
        alone = [codec.decode(codec.encode(one[None]), frames) for one in features]
        assert torch.equal(together, torch.cat(alone))


def test_bytes_for_every_byte():
    features = torch.zeros(1, 64, 300)
    sizes = {name: size(codec.encode(features)) for name, codec in CODECS.items()}
    assert sizes == {
        "float16": 64 * 300 * 2,
        "int8": 64 * 300 + 2 + 2,
        "cropped": 64 * 75 * 4,
        "compressed": 64 * 75 * 4,
        "compressed-int8": 64 * 75 + 2 + 2,
        "cosines-int8": 64 * 19 + 2 + 2,
    }


def test_half_precision_is_within_its_rounding():
    features = 5 * gaussian(4, 8, 50)
    codec = CODECS["float16"]
    error = (codec.decode(codec.encode(features), 50) - features).abs()
    assert (error <= features.abs() / 2048 + 1e-7).all()
    assert error.max() > 0


@pytest.mark.parametrize("offset", [0.0, 1.0, -300.0])
def test_eight_bits_are_within_half_a_step(offset):
    features = gaussian(6, 8, 50) + offset
    codec = CODECS["int8"]
    stored = codec.encode(features)
    error = (codec.decode(stored, 50) - features).abs().amax(dim=(1, 2))
    assert (error <= 0.5001 * stored["scale"].float() + 1e-6 * abs(offset)).all()
    # The range has 254 steps; the offset's own rounding may add to it.
    reach = features.amax(dim=(1, 2)) - features.amin(dim=(1, 2)) + abs(offset) / 1024
    assert (stored["scale"].float() <= 1.001 * reach / 254).all()


def test_a_constant_item_survives_eight_bits():
    codec = CODECS["int8"]
    stored = codec.encode(torch.full((1, 2, 8), 0.75))
    assert stored["scale"] > 0  # what dividing by 0 makes of an integer depends on the machine
    assert torch.equal(codec.decode(stored, 8), torch.full((1, 2, 8), 0.75))


def test_cropping_keeps_the_middle_and_repeats_it():
    codec = CODECS["cropped"]
    features = torch.arange(16.0).expand(1, 2, 16)
    decoded = codec.decode(codec.encode(features), 16)
    assert decoded[0, 0].tolist() == [6, 7, 8, 9] * 4


def test_time_compression_keeps_the_mean():
    codec = CODECS["compressed"]
    features = gaussian(3, 4, 300) + torch.arange(4.0)[:, None]
    stored = codec.encode(features)
    decoded = codec.decode(stored, 300)
    torch.testing.assert_close(stored["values"].mean(dim=2), features.mean(dim=2))
    torch.testing.assert_close(decoded.mean(dim=2), features.mean(dim=2))
    assert not torch.allclose(decoded, features, atol=0.5)


@pytest.mark.parametrize("frames", [300, 373])
def test_time_compression_follows_a_slow_contour(frames):
    codec = CODECS["compressed"]
    ramp = torch.arange(float(frames)).expand(1, 2, frames)
    decoded = codec.decode(codec.encode(ramp), frames)
    assert torch.equal(decoded[:, :, 2:-4], ramp[:, :, 2:-4])
    assert (decoded - ramp).abs().max() <= 1.5


def test_the_last_mean_is_of_the_frames_left_over():
    features = torch.tensor([[[1.0, 1.0, 1.0, 1.0, 7.0, 9.0]]])
    assert CODECS["compressed"].encode(features)["values"].tolist() == [[[1.0, 8.0]]]
