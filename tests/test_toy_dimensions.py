"""The toy corpus' dimensions can be told of unknown speakers, and not by their emotion alone."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from evaluation.networks import apply, draw_weights, skeleton
from synth_data.corpus import load, protocol_of
from synth_data.features import FEATURES

STEPS, BATCH = 100, 64


def ccc(
    told: Float[Tensor, "n column"], meant: Float[Tensor, "n column"]
) -> Float[Tensor, " column"]:
    a, b = told - told.mean(dim=0), meant - meant.mean(dim=0)
    apart = (told.mean(dim=0) - meant.mean(dim=0)).square()
    return 2 * (a * b).mean(dim=0) / (a.square().mean(dim=0) + b.square().mean(dim=0) + apart)


@pytest.mark.slow
def test_dimensions_of_unknown_speakers() -> None:
    real = load("toy", spec=FEATURES["logmel64-short"], task="dimensional")
    train, _, test = real.fold(protocol_of(real.facts, None), 1)
    network = skeleton("convnet", real.spec.mels, 3)
    generator = torch.Generator().manual_seed(0)
    drawn = draw_weights(network, generator)
    weights = {name: weight.requires_grad_() for name, weight in drawn.items()}
    optimiser = torch.optim.AdamW(weights.values(), lr=1e-3)
    for _ in range(STEPS):
        rows = torch.randperm(len(train), generator=generator)[:BATCH]
        told = apply(network, weights, train.features[rows])
        optimiser.zero_grad()
        (1 - ccc(told, train.targets[rows]).mean()).backward()
        optimiser.step()
    with torch.no_grad():
        told = apply(network, weights, test.features)
    found = ccc(told, test.targets)
    assert found.min() > 0.6
    within = [
        torch.corrcoef(torch.stack([told[rows, k], test.targets[rows, k]]))[0, 1]
        for emotion in real.facts.emotions  # which alone tells nothing within itself
        if (rows := [row for row, u in enumerate(test.utterances) if u.emotion == emotion])
        for k in range(3)
    ]
    assert torch.stack(within).mean() > 0.2
