"""All real training utterances: what every other set is measured against."""

from collections.abc import Iterator

import torch

from evaluation.baselines.competitor import Competitor
from evaluation.runs import FULL
from synth_data.real import RealSet


def full(train: RealSet, ipc: int, generator: torch.Generator) -> Iterator[Competitor]:  # noqa: ARG001
    """The training set itself, whatever the ipc."""
    yield Competitor(FULL, train.features, train.targets, ipc=None)
