"""Gaussian noise with labels: what a student knows that was told nothing."""

from collections.abc import Iterator

import torch

from evaluation.baselines.competitor import Competitor, Stock
from evaluation.students import Examples


def noise(stock: Stock) -> Iterator[Competitor]:
    """`ipc` items per class, with the mean and deviation of each band of the real features.

    Nothing is shipped and no byte counted: who knows the scale of the features can draw such
    items.
    """
    train = stock.train
    targets = stock.mean_targets().repeat_interleave(stock.ipc, dim=0)
    mean = train.features.mean(dim=(0, 2))[:, None]
    deviation = train.features.std(dim=(0, 2), correction=0)[:, None]
    white = torch.randn(len(targets), *train.spec.shape, generator=stock.generator)
    examples = Examples(mean + deviation * white, targets, task=train.task)
    yield Competitor("noise", examples, stock.ipc, "nothing", bytes=0)
