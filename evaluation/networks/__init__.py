"""Networks, by the name they have on the command line, and how their weights are drawn.

A network is an `nn.Module` built from (mels, emotions), with `embed` and `forward`. It keeps no
running state: its output for an utterance depends on its weights and that utterance alone.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks.convnet import ConvNet
from evaluation.networks.tdnn import TDNN
from synth_data.errors import unknown_name

Weights = Mapping[str, Tensor]

NETWORKS: dict[str, type[nn.Module]] = {
    "tdnn": TDNN,
    "convnet": ConvNet,
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


def draw_weights(network: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """Random initial weights, as PyTorch draws them, but from `generator`.

    Kaiming-uniform with gain of a leaky ReLU of slope sqrt(5), which is uniform in
    +-1/sqrt(fan in); biases are zero, norms start as the identity.
    """
    weights = {}
    for name, shape in ((name, weight.shape) for name, weight in network.named_parameters()):
        weight = torch.empty(shape)
        if weight.ndim > 1:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        else:  # of the vectors, only norms have weights that are not biases
            nn.init.constant_(weight, 1.0 if name.endswith("weight") else 0.0)
        weights[name] = weight
    return weights


def apply(
    network: nn.Module, weights: Weights, features: Float[Tensor, "n mel frame"]
) -> Float[Tensor, "n emotion"]:
    """The logits of the network with these weights."""
    logits: Tensor = torch.func.functional_call(network, dict(weights), (features,))
    return logits
