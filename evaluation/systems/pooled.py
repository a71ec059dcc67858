"""Heads on frozen encoders: which layers matter is learned for every dimension by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import silu

from evaluation.networks import draw_weights
from synth_data.settings import Count

SMALLEST_DEVIATION = 1e-3


@dataclass(frozen=True, eq=False)
class Pooled:
    """Each utterance as its encoders' layers sum it up.

    Attributes:
        encoders: of each, such as one of speech and one of text: `[n, state, any]`, the mean and
            the deviation of every layer's states along the utterance.
    """

    encoders: tuple[Float[Tensor, "n _ _"], ...]

    def __len__(self) -> int:
        return self.encoders[0].shape[0]

    def rows(self, rows: Int[Tensor, " m"]) -> "Pooled":
        """These utterances."""
        return Pooled(tuple(each[rows] for each in self.encoders))


class Fusion(nn.Module):
    """Encoders' layers, weighted anew for each output, side by side; a hidden layer; an output.

    Late fusion by concatenation. The layers' weights are softmaxed, as in SUPERB (Yang et al.
    2021), but each output has its own, as arousal and valence need other layers. Layers are first
    brought to mean 0 and deviation 1 by statistics that are part of the network.

    Args:
        shapes: (states, numbers) of each encoder.
        outputs: columns of the targets.
        hidden: width of the hidden layer, shared by the outputs.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]], outputs: int, hidden: int) -> None:
        super().__init__()
        self.shapes = tuple(shapes)
        for place, shape in enumerate(self.shapes):
            self.register_buffer(f"mean{place}", torch.zeros(shape))
            self.register_buffer(f"deviation{place}", torch.ones(shape))
        self.weights = nn.ParameterList(torch.zeros(outputs, states) for states, _ in self.shapes)
        self.hidden = nn.Linear(sum(width for _, width in self.shapes), hidden)
        self.outputs = nn.Linear(hidden, outputs)

    def forward(
        self, heard: Pooled
    ) -> tuple[Float[Tensor, "n embedding"], Float[Tensor, "n output"]]:
        """(embedding, outputs): the embedding is what the outputs have in common."""
        mixed = []
        for place, states in enumerate(heard.encoders):
            mean, deviation = (getattr(self, f"{name}{place}") for name in ("mean", "deviation"))
            of_output = self.weights[place].softmax(dim=1)
            mixed.append(torch.einsum("os,nsd->nod", of_output, (states - mean) / deviation))
        seen = silu(self.hidden(torch.cat(mixed, dim=2)))  # [n, output, hidden]
        return seen.mean(dim=1), (seen * self.outputs.weight).sum(dim=2) + self.outputs.bias


@dataclass(frozen=True)
class Head:
    """How large a head is.

    Attributes:
        hidden: width of its hidden layer.
    """

    hidden: Count = 64


def drawn_head(heard: Pooled, outputs: int, head: Head, generator: torch.Generator) -> Fusion:
    """A head with random weights from `generator`, all layers alike, settled on what is heard."""
    shapes = [(each.shape[1], each.shape[2]) for each in heard.encoders]
    with torch.device("meta"):
        network = Fusion(shapes, outputs, head.hidden)
    weights = draw_weights(network, generator)
    for place, states in enumerate(heard.encoders):
        weights[f"weights.{place}"] = torch.zeros(outputs, states.shape[1])
        weights[f"mean{place}"] = states.mean(dim=0)
        deviation = states.std(dim=0, correction=0)
        weights[f"deviation{place}"] = deviation.clamp_min(SMALLEST_DEVIATION)
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_()
