"""A training step on the real data, through the door."""

from collections.abc import Mapping

import torch
from torch import Tensor

from synth_data.curator import Curator
from synth_data.mechanism import Loss, Sample


def real_step(
    curator: Curator,
    loss: Loss,
    weights: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    sample: Sample,
    purpose: str,
) -> None:
    """Asks for the mean gradient of a few utterances and moves the weights by it.

    Args:
        curator: the door.
        loss: of each utterance.
        weights: those that the optimiser moves; changed in place.
        optimiser: of these weights.
        sample: which utterances.
        purpose: as it is listed with the set.
    """
    gradients = curator.mean_gradient(
        loss, weights, purpose=purpose, sample=sample, per_class=False
    )
    for name, weight in weights.items():
        weight.grad = gradients[name]
    optimiser.step()
