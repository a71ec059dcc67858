"""The mean utterance of each class: no recording leaves, only averages.

What a nearest-mean classifier keeps (iCaRL, Rebuffi et al. 2017), but in the space of features,
so that any student can train on it. Utterances are averaged frame by frame, not aligned in time.
"""

from collections.abc import Iterator

import torch

from evaluation.baselines.competitor import Competitor, Stock
from evaluation.students import Examples


def class_means(stock: Stock) -> Iterator[Competitor]:
    """One item per class (of a cell with its mean targets), whatever ipc it competes with."""
    train = stock.train
    means = [train.features[train.group_rows(group)].mean(dim=0) for group in stock.present]
    examples = Examples(torch.stack(means), stock.mean_targets(), task=train.task)
    yield Competitor("class-means", examples, stock.ipc, "means of items")
