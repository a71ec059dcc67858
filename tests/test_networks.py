"""What every network in the table must do; a new one is taken from there."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from evaluation.networks import NETWORKS, apply, draw_weights, skeleton
from evaluation.networks.layers import norm_silu, statistics
from synth_data.errors import UserError

MELS, EMOTIONS = 16, 3

each_network = pytest.mark.parametrize("name", NETWORKS)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(items: int, frames: int = 20) -> Tensor:
    return torch.randn(items, MELS, frames, generator=seeded(1))


def drawn(name: str) -> tuple[nn.Module, dict[str, Tensor]]:
    network = skeleton(name, MELS, EMOTIONS)
    return network, draw_weights(network, seeded())


@each_network
@pytest.mark.parametrize("frames", [9, 20, 101])
def test_any_number_of_frames_gives_one_row_of_logits(name, frames):
    network, weights = drawn(name)
    logits = apply(network, weights, noise(5, frames))
    assert logits.shape == (5, EMOTIONS)
    assert logits.isfinite().all()
    assert (logits.std(dim=0) > 0).all()  # it listens


@each_network
def test_the_head_classifies_what_embed_returns(name):
    network = NETWORKS[name](MELS, EMOTIONS)
    features = noise(4)
    embedding = network.embed(features)
    assert embedding.shape == (4, network.head.in_features)
    assert torch.equal(network.head(embedding), network(features))


@each_network
def test_an_utterance_is_heard_alone(name):
    network, weights = drawn(name)
    features = noise(6)
    together = apply(network, weights, features)
    louder = features.clone()
    louder[1:] *= 100
    assert torch.allclose(apply(network, weights, louder)[0], together[0], atol=1e-5)
    one_by_one = torch.cat([apply(network, weights, item) for item in features.split(1)])
    assert torch.allclose(one_by_one, together, atol=1e-5)


@each_network
def test_there_is_no_running_state(name):
    assert not list(NETWORKS[name](MELS, EMOTIONS).named_buffers())


@each_network
def test_a_constant_item_has_finite_gradients(name):
    network, weights = drawn(name)
    silence = torch.zeros(1, MELS, 20).requires_grad_()
    (slope,) = torch.autograd.grad(apply(network, weights, silence).sum(), silence)
    assert slope.isfinite().all()


@each_network
def test_equal_generators_draw_equal_weights(name):
    network = skeleton(name, MELS, EMOTIONS)
    first, same, other = (draw_weights(network, seeded(seed)) for seed in (0, 0, 1))
    assert list(first) == [name for name, _ in network.named_parameters()]
    for key, weight in first.items():
        assert torch.equal(weight, same[key])
        assert torch.equal(weight, other[key]) == (weight.ndim == 1), key


@each_network
def test_drawing_weights_leaves_the_global_stream_alone(name):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    draw_weights(skeleton(name, MELS, EMOTIONS), seeded())
    assert torch.equal(torch.rand(3), expected)


@each_network
def test_weights_are_drawn_as_pytorch_draws_them(name):
    _, weights = drawn(name)
    torch.manual_seed(0)
    pytorchs = dict(NETWORKS[name](MELS, EMOTIONS).named_parameters())
    for key, weight in weights.items():
        if weight.ndim == 1:
            assert set(weight.unique().tolist()) <= {0.0, 1.0}
            assert weight.any() == (key.endswith("weight")), key
        else:  # as wide: both are uniform
            bound = weight[0].numel() ** -0.5
            assert float(weight.abs().max()) == pytest.approx(bound, rel=0.05)
            assert float(pytorchs[key].detach().abs().max()) == pytest.approx(bound, rel=0.05)


def kink(function: Callable[[Tensor], Tensor]) -> float:
    """How much a derivative's second difference shrinks when its step is halved.

    A smooth function's shrinks to a quarter; where a first derivative jumps, it stays.
    """
    # Points along a line in float64; an item each, since items are independent.
    here, there = torch.randn(2, MELS, 24, generator=seeded(2), dtype=torch.float64)
    worst = []
    for points in (401, 801):
        t = torch.linspace(-0.5, 0.5, points, dtype=torch.float64)
        line = (here + t[:, None, None] * there).requires_grad_()
        (slope,) = torch.autograd.grad(function(line).sum(), line)
        worst.append(float((slope[2:] - 2 * slope[1:-1] + slope[:-2]).abs().max()))
    return worst[1] / worst[0]


@each_network
def test_the_derivative_is_smooth(name):
    network, weights = drawn(name)
    precise = {key: weight.double() for key, weight in weights.items()}
    assert kink(lambda features: apply(network, precise, features)) < 0.3


@each_network
def test_a_kink_would_be_seen(name):
    network = NETWORKS[name](MELS, EMOTIONS).double()
    for layers in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for index, layer in enumerate(layers):
            if isinstance(layer, nn.SiLU):
                layers[index] = nn.ReLU()
    assert kink(network) > 0.6


def test_statistics_are_mean_and_deviation_over_time():
    frames = torch.randn(2, 3, 50, generator=seeded())
    mean, deviation = statistics(frames).split(3, dim=1)
    assert torch.allclose(mean, frames.mean(dim=2))
    assert torch.allclose(deviation, frames.std(dim=2, correction=0), atol=1e-4)


def test_norm_silu_keeps_the_shape_and_the_scale():
    loud = 100 * torch.randn(4, 16, 30, generator=seeded())
    calm = nn.Sequential(*norm_silu(16))(loud)
    assert calm.shape == loud.shape
    assert calm.abs().max() < 10


def test_an_unknown_network_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="unknown student 'tdn': did you mean 'tdnn'"):
        skeleton("tdn", MELS, EMOTIONS)
