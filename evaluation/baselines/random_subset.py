"""Real utterances drawn at random, as many per class as the set has: the first thing to beat."""

from collections.abc import Iterator

import torch

from evaluation.baselines.competitor import Competitor, NotAvailable
from synth_data.real import RealSet

DRAWS = 5


def random_subset(train: RealSet, ipc: int, generator: torch.Generator) -> Iterator[Competitor]:
    """Five draws without replacement within each class.

    Raises:
        NotAvailable: a class has fewer than `ipc` utterances.
    """
    rows = [train.class_rows(emotion) for emotion in range(len(train.emotions))]
    for name, of_emotion in zip(train.emotions, rows, strict=True):
        if len(of_emotion) < ipc:
            raise NotAvailable(f"ipc {ipc} exceeds the {len(of_emotion)} utterances of {name}")
    for draw in range(DRAWS):
        chosen = [
            of_emotion[i]
            for of_emotion in rows
            for i in torch.randperm(len(of_emotion), generator=generator)[:ipc].tolist()
        ]
        yield Competitor("random", train.features[chosen], train.targets[chosen], ipc, draw)
