"""Where a decoder and its codes start: such that it makes the items that a set starts as."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.decoder import Decoder, Weights

BATCH = 64
RATE = 5e-3  # of Adam on weights; on codes ten times as much
SMALLEST = 1e-6  # deviation of a code, relative to the largest


def fitted(
    decoder: Decoder,
    items: Float[Tensor, "n mel frame"],
    emotion: Float[Tensor, "n emotion"],
    steps: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n code"], Weights]:
    """Codes and weights with which the decoder makes about these items.

    Adam on the mean squared error, from random weights and the items' principal components.

    Args:
        decoder: to be fitted.
        items: to be made.
        emotion: of each, one-hot.
        steps: of Adam, with a cosine to zero.
        generator: of the weights and the batches.
    """
    _, mels, frames = items.shape
    drawn = decoder.draw(mels, frames, emotion.shape[1], generator)
    weights = {name: weight.to(items.device).requires_grad_() for name, weight in drawn.items()}
    codes = components(items, decoder.code).requires_grad_()
    adam = torch.optim.Adam(
        [
            {"params": list(weights.values()), "initial_lr": RATE},
            {"params": [codes], "initial_lr": 10 * RATE},
        ]
    )
    for step in range(steps):
        for group in adam.param_groups:
            group["lr"] = group["initial_lr"] * 0.5 * (1 + math.cos(math.pi * step / steps))
        rows = torch.randperm(len(items), generator=generator)[:BATCH].to(items.device)
        made = decoder(weights, codes[rows], emotion[rows], frames)
        adam.zero_grad()
        (made - items[rows]).square().mean().backward()
        adam.step()
    return codes.detach(), {name: weight.detach() for name, weight in weights.items()}


def components(items: Float[Tensor, "n mel frame"], count: int) -> Float[Tensor, "n count"]:
    """Principal components of items, each of deviation one, and zeros where there are no more."""
    flat = items.flatten(1)
    left, sizes, _ = torch.linalg.svd(flat - flat.mean(dim=0), full_matrices=False)
    kept = int((sizes[:count] > SMALLEST * sizes[0].clamp_min(SMALLEST)).sum())
    scores = torch.zeros(len(items), count, device=items.device)
    scores[:, :kept] = left[:, :kept] * len(items) ** 0.5
    return scores
