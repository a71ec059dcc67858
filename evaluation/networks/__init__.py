"""Networks, by the name they have on the command line, and how their weights are drawn.

A network is an `nn.Module` built from (mels, emotions), with `embed` and `forward`. Its output
for an utterance depends on its weights and that utterance alone, except for those published with
BatchNorm (`couples`): while they train, on the other utterances of the batch too. Their running
statistics are weights like others, but none that a gradient moves.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks.cnn6 import CNN6
from evaluation.networks.convnet import ConvNet
from evaluation.networks.crnn import CRNN
from evaluation.networks.layers import PUBLISHED
from evaluation.networks.mlp import MLP
from evaluation.networks.resnet9 import ResNet9
from evaluation.networks.tdnn import TDNN
from evaluation.networks.transformer import Transformer
from evaluation.networks.vgg15 import VGG15
from synth_data.errors import UserError, unknown_name
from synth_data.representation import Representation

Weights = Mapping[str, Tensor]

BATCH_NORM = "-bn"  # ends the name of a network as published, beside its GroupNorm form

NETWORKS: dict[str, Callable[[int, int], nn.Module]] = {
    "tdnn": TDNN,
    "convnet": ConvNet,
    "crnn": CRNN,
    "transformer": Transformer,
    "mlp": MLP,
    "cnn6": CNN6,
    "resnet9": ResNet9,
    "vgg15": VGG15,
    f"cnn6{BATCH_NORM}": partial(CNN6, style=PUBLISHED),
    f"resnet9{BATCH_NORM}": partial(ResNet9, style=PUBLISHED),
    f"vgg15{BATCH_NORM}": partial(VGG15, style=PUBLISHED),
}


def skeleton(name: str, mels: int, emotions: int) -> nn.Module:
    """The network without weights, to be called with `apply`.

    Raises:
        UserError: there is no such network.
    """
    if name not in NETWORKS:
        raise unknown_name("student", name, NETWORKS)
    with torch.device("meta"):
        return NETWORKS[name](mels, emotions)


def couples(network: nn.Module) -> bool:
    """Whether utterances of a batch change each other's output while the network trains."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    return any(isinstance(layer, kinds) for layer in network.modules())


def require_uncoupled(name: str) -> None:
    """Passes a network that a set can be made for.

    Raises:
        UserError: there is no such network, or it couples the utterances of a batch.
    """
    if couples(skeleton(name, mels=64, emotions=2)):
        raise UserError(
            f"no set can be made for the student '{name}': its BatchNorm couples the utterances "
            f"of a batch, and real speech is only read as means over single utterances. Use "
            f"'{name.removesuffix(BATCH_NORM)}', the same network with GroupNorm; a set made for "
            f"that can be evaluated with '{name}'"
        )


@lru_cache
def has_room(name: str, mels: int, frames: int) -> bool:
    """Whether a network can hear features of this shape: most need some frames."""
    try:
        skeleton(name, mels, emotions=2)(torch.empty(2, mels, frames, device="meta"))
    except (RuntimeError, ValueError):
        return False
    return True


def require_room(name: str, spec: Representation) -> None:
    """Raises `UserError` if a network cannot hear such features."""
    if not has_room(name, *spec.shape):
        able = [other for other in NETWORKS if has_room(other, *spec.shape)]
        raise UserError(
            f"the student '{name}' cannot hear features of {spec.mels} x {spec.frames} "
            f"({spec.title}): it needs more frames or more numbers in each. Use another student "
            f"({', '.join(able)}), or another --feature"
        )


def usual_student(mels: int, frames: int) -> str:
    """The network for features of this shape, if nothing else is said."""
    return "tdnn" if has_room("tdnn", mels, frames) else "mlp"


def draw_weights(network: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """Random initial weights, as PyTorch draws them, but from `generator`.

    Kaiming-uniform with gain of a leaky ReLU of slope sqrt(5), which is uniform in
    +-1/sqrt(fan in); biases are zero, norms start as the identity. What BatchNorm keeps of the
    batches it has seen comes last: means of zero, variances of one.
    """
    weights = {}
    for name, parameter in network.named_parameters():
        weight = torch.empty(parameter.shape)
        if weight.ndim > 1:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        else:  # of the vectors, only norms have weights that are not biases
            nn.init.constant_(weight, 1.0 if name.endswith("weight") else 0.0)
        weights[name] = weight
    for name, buffer in network.named_buffers():
        weights[name] = torch.full(buffer.shape, 1.0 if name.endswith("running_var") else 0.0)
    return weights


def apply(
    network: nn.Module,
    weights: Weights,
    features: Float[Tensor, "n mel frame"],
    training: bool = False,
) -> Float[Tensor, "n emotion"]:
    """The logits of the network with these weights.

    Args:
        network: from `skeleton`.
        weights: as `draw_weights` returns them.
        features: of the utterances.
        training: whether BatchNorm uses the statistics of this batch, and moves the running ones
            in `weights` towards them, in place; else it uses the running ones. Other networks do
            the same either way.
    """
    network.train(training)
    logits: Tensor = torch.func.functional_call(network, dict(weights), (features,))
    return logits


def embedded(
    network: nn.Module,
    weights: Weights,
    features: Float[Tensor, "n mel frame"],
    training: bool = False,
) -> tuple[Float[Tensor, "n embedding"], Float[Tensor, "n emotion"]]:
    """The utterance embeddings, and the logits as `apply` gives them alone."""
    whole = _Embedded(network).train(training)
    inside = {f"network.{name}": weight for name, weight in weights.items()}
    seen: tuple[Tensor, Tensor] = torch.func.functional_call(whole, inside, (features,))
    return seen


class _Embedded(nn.Module):
    """A network that tells its embedding as well; by convention its logits are `head(embed)`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, features: Float[Tensor, "n mel frame"]
    ) -> tuple[Float[Tensor, "n embedding"], Float[Tensor, "n emotion"]]:
        embedding = self.network.embed(features)  # type: ignore[operator]
        return embedding, self.network.head(embedding)  # type: ignore[operator]
