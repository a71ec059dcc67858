"""What every network in the table must do; a new one is taken from there."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from evaluation.networks import (
    NETWORKS,
    apply,
    couples,
    draw_weights,
    require_uncoupled,
    skeleton,
)
from evaluation.networks.layers import norm_silu, statistics
from evaluation.networks.transformer import positions
from synth_data.errors import UserError

MELS, EMOTIONS = 16, 3
COUPLED = ("cnn6-bn", "resnet9-bn", "vgg15-bn")
UNCOUPLED = [name for name in NETWORKS if name not in COUPLED]

each_network = pytest.mark.parametrize("name", NETWORKS)
each_uncoupled = pytest.mark.parametrize("name", UNCOUPLED)
each_coupled = pytest.mark.parametrize("name", COUPLED)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(items: int, frames: int = 20) -> Tensor:
    return torch.randn(items, MELS, frames, generator=seeded(1))


def drawn(name: str) -> tuple[nn.Module, dict[str, Tensor]]:
    network = skeleton(name, MELS, EMOTIONS)
    return network, draw_weights(network, seeded())


def parameters(network: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those weights that a gradient moves, ready for it."""
    return {name: weights[name].requires_grad_() for name, _ in network.named_parameters()}


@each_network
@pytest.mark.parametrize("frames", [9, 20, 50, 101, 373])
def test_any_number_of_frames_gives_one_row_of_logits(name, frames):
    network, weights = drawn(name)
    logits = apply(network, weights, noise(4, frames))
    assert logits.shape == (4, EMOTIONS)
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
def test_only_coupling_networks_hear_the_others_while_they_train(name):
    network, weights = drawn(name)
    features = noise(6)
    louder = features.clone()
    louder[1:] *= 100
    alone, beside = (
        apply(network, copy.deepcopy(weights), batch, training=True)[0]
        for batch in (features, louder)
    )
    assert torch.allclose(alone, beside, atol=1e-5) != couples(network)
    assert couples(network) == (name in COUPLED)


@each_uncoupled
def test_there_is_no_running_state_and_training_changes_no_output(name):
    network, weights = drawn(name)
    assert not list(network.named_buffers())
    still, training = (apply(network, weights, noise(4), training=mode) for mode in (False, True))
    assert torch.equal(still, training)


@each_network
def test_a_constant_item_has_finite_gradients(name):
    network, weights = drawn(name)
    silence = torch.zeros(1, MELS, 20).requires_grad_()
    (slope,) = torch.autograd.grad(apply(network, weights, silence).sum(), silence)
    assert slope.isfinite().all()


@each_uncoupled
def test_the_derivative_of_a_gradient_is_right(name):
    """Along one direction, against the difference of two gradients, in float64."""
    network, weights = drawn(name)
    weights = {key: weight.double() for key, weight in weights.items()}
    learned = parameters(network, weights)
    towards = torch.randn(2, MELS, 12, generator=seeded(3), dtype=torch.float64)

    def pull(features: Tensor) -> Tensor:
        """The squared length of the loss's gradient, which distillation differentiates."""
        loss = apply(network, weights, features).logsumexp(dim=1).sum()
        slopes = torch.autograd.grad(loss, list(learned.values()), create_graph=True)
        return torch.stack([slope.square().sum() for slope in slopes]).sum()

    features = noise(2, 12).double().requires_grad_()
    (slope,) = torch.autograd.grad(pull(features), features)
    along = float((slope * towards).sum())
    step = 1e-5 * towards
    difference = float((pull(features + step) - pull(features - step)).detach()) / 2e-5
    assert along == pytest.approx(difference, rel=1e-4)
    assert slope.flatten(1).any(dim=1).all()


@each_network
def test_every_weight_that_is_learned_has_a_gradient(name):
    network, weights = drawn(name)
    learned = parameters(network, weights)
    loss = apply(network, weights, noise(4), training=True).logsumexp(dim=1).sum()
    slopes = torch.autograd.grad(loss, list(learned.values()))
    for key, slope in zip(learned, slopes, strict=True):
        assert slope.isfinite().all(), key
        assert slope.any(), key


@each_network
def test_it_learns_a_few_items_by_heart(name):
    network, weights = drawn(name)
    learned = parameters(network, weights)
    features, targets = noise(16, 16), torch.arange(16) % EMOTIONS
    large = sum(weight.numel() for weight in learned.values()) > 1e6
    optimiser = torch.optim.AdamW(learned.values(), lr=1e-4 if large else 3e-3, fused=True)
    for _ in range(20):
        loss = nn.functional.cross_entropy(apply(network, weights, features, True), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    known = apply(network, weights, features, training=True).argmax(dim=1) == targets
    assert known.float().mean() > 0.9


@each_network
def test_equal_generators_draw_equal_weights(name):
    network = skeleton(name, MELS, EMOTIONS)
    first, same, other = (draw_weights(network, seeded(seed)) for seed in (0, 0, 1))
    assert list(first) == [
        name for name, _ in (*network.named_parameters(), *network.named_buffers())
    ]
    for key, weight in first.items():
        assert weight.dtype == torch.float32
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
    pytorchs = NETWORKS[name](MELS, EMOTIONS).state_dict()
    assert weights.keys() == pytorchs.keys()
    for key, weight in weights.items():
        if weight.ndim == 1:
            assert set(weight.unique().tolist()) <= {0.0, 1.0}
            assert weight.any() == key.endswith(("weight", "running_var")), key
        else:  # as wide: both are uniform
            bound = weight[0].numel() ** -0.5
            assert float(weight.abs().max()) == pytest.approx(bound, rel=0.05)
            assert float(pytorchs[key].abs().max()) == pytest.approx(bound, rel=0.05)


@each_network
def test_a_call_leaves_the_skeleton_without_weights(name):
    network, weights = drawn(name)
    apply(network, weights, noise(2))
    copied = copy.deepcopy(network)
    assert all(weight.is_meta for weight in copied.state_dict().values())
    assert torch.equal(apply(copied, weights, noise(2)), apply(network, weights, noise(2)))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("cnn6", 4_437_447), ("resnet9", 4_956_871), ("vgg15", 14_850_887)],  # 4.44, 4.96, 14.85 M
)
def test_published_networks_have_the_published_number_of_parameters(name, parameters):
    for form in (name, f"{name}-bn"):
        network = skeleton(form, 64, 7)
        assert sum(weight.numel() for weight in network.parameters()) == parameters


@each_coupled
def test_running_statistics_move_in_training_and_are_used_in_prediction(name):
    network, weights = drawn(name)
    features = noise(16)
    fresh = apply(network, weights, features)
    assert torch.equal(apply(network, weights, features), fresh)  # nothing moved
    before = {key: weights[key].clone() for key, _ in network.named_buffers()}
    training = apply(network, weights, features, training=True)
    assert not any(torch.equal(weights[key], statistic) for key, statistic in before.items())
    with torch.no_grad():
        for _ in range(120):  # by a tenth each time, until they are those of the batch
            apply(network, weights, features, training=True)
    known = apply(network, weights, features)
    assert (known - training).norm() < 0.2 * (fresh - training).norm()


@each_coupled
def test_a_coupling_network_is_refused_with_the_form_to_use(name):
    with pytest.raises(UserError, match=f"no set can be made for the student '{name}'") as refused:
        require_uncoupled(name)
    cure = name.removesuffix("-bn")
    assert f"Use '{cure}', the same network with GroupNorm" in str(refused.value)
    require_uncoupled(cure)


@each_uncoupled
def test_a_network_without_batch_statistics_passes(name):
    require_uncoupled(name)
    assert not couples(skeleton(name, MELS, EMOTIONS))


def kink(function: Callable[[Tensor], Tensor]) -> float:
    """How much a derivative's second difference shrinks when its step is halved.

    A smooth function's shrinks to a quarter; where a first derivative jumps, it stays.
    """
    # Points along a line in float64; an item each, since items are independent.
    here, there = torch.randn(2, MELS, 8, generator=seeded(2), dtype=torch.float64)
    worst = []
    for points in (31, 61):
        t = torch.linspace(-0.04, 0.04, points, dtype=torch.float64)
        line = (here + t[:, None, None] * there).requires_grad_()
        (slope,) = torch.autograd.grad(function(line).sum(), line)
        worst.append(float((slope[2:] - 2 * slope[1:-1] + slope[:-2]).abs().max()))
    return worst[1] / worst[0]


@each_uncoupled
def test_the_derivative_is_smooth(name):
    network, weights = drawn(name)
    precise = {key: weight.double() for key, weight in weights.items()}
    assert kink(lambda features: apply(network, precise, features)) < 0.3


@each_uncoupled
def test_a_kink_would_be_seen(name):
    network, weights = drawn(name)
    for layers in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for index, layer in enumerate(layers):
            if isinstance(layer, nn.SiLU):
                layers[index] = nn.ReLU()
    precise = {key: weight.double() for key, weight in weights.items()}
    assert kink(lambda features: apply(network, precise, features)) > 0.6


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


def test_positions_tell_tokens_apart_and_do_not_depend_on_the_length():
    short, long = (positions(torch.zeros(1, count, 64)) for count in (10, 500))
    torch.testing.assert_close(short, long[:10])
    assert torch.pdist(long).min() > 0.1


def test_an_unknown_network_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="unknown student 'tdn': did you mean 'tdnn'"):
        skeleton("tdn", MELS, EMOTIONS)
