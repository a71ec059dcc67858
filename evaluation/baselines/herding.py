"""Herding: utterances whose mean is the mean of their class.

Welling 2009, "Herding dynamical weights to learn"; the greedy form that iCaRL (Rebuffi et al.
2017) keeps exemplars by. As there, embeddings are scaled to length 1; means are left as they are.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from evaluation.baselines.competitor import Competitor, Stock
from evaluation.baselines.coreset import coreset


def herding(stock: Stock) -> Iterator[Competitor]:
    """The first `ipc` utterances of each class that herding takes.

    Raises:
        NotAvailable: a class has fewer than `ipc` utterances.
    """
    return coreset("herding", stock, herd)


def herd(points: Float[Tensor, "n embedding"], count: int) -> list[int]:
    """Rows in the order taken: with each, the mean of all taken is as near as it can be.

    Args:
        points: at least `count`.
        count: of distinct rows.
    """
    points = functional.normalize(points, dim=1)
    mean = points.mean(dim=0)
    taken: list[int] = []
    total = torch.zeros_like(mean)
    for size in range(1, count + 1):
        error = ((total + points) / size - mean).norm(dim=1)
        error[taken] = torch.inf
        taken.append(int(error.argmin()))
        total = total + points[taken[-1]]
    return taken
