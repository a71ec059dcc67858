"""The mean utterance of each class: no recording leaves, only averages.

What a nearest-mean classifier keeps (iCaRL, Rebuffi et al. 2017), but in the space of features,
so that any student can train on it. Utterances are averaged frame by frame, not aligned in time.
"""

from collections.abc import Iterator

import torch

from evaluation.baselines.competitor import Competitor, Stock
from evaluation.students import Examples


def class_means(stock: Stock) -> Iterator[Competitor]:
    """One item per class, whatever the ipc of the set it competes with."""
    train = stock.train
    present = train.targets.argmax(dim=1).unique()
    means = [train.features[train.group_rows(emotion)].mean(dim=0) for emotion in present.tolist()]
    examples = Examples(torch.stack(means), torch.eye(len(train.emotions))[present])
    yield Competitor("class-means", examples, stock.ipc, "means of items")
