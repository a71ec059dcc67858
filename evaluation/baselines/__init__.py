"""What a set is compared with, by the name it has in the report.

A baseline is a function from (training utterances, items per class, generator) to its draws.
"""

from collections.abc import Callable, Iterator

import torch

from evaluation.baselines.competitor import Competitor, NotAvailable
from evaluation.baselines.full import full
from evaluation.baselines.random_subset import random_subset
from synth_data.real import RealSet

Baseline = Callable[[RealSet, int, torch.Generator], Iterator[Competitor]]

BASELINES: dict[str, Baseline] = {
    "full": full,
    "random": random_subset,
}

__all__ = ["BASELINES", "Baseline", "Competitor", "NotAvailable"]
