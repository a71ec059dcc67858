"""k-center: utterances that leave none of their class far from all of them.

Sener and Savarese 2018, "Active learning for convolutional neural networks: a core-set approach":
the greedy algorithm, whose covering radius is at most twice the smallest possible. As there,
distances are Euclidean and embeddings not normalised. They cover a pool of all classes, starting
from what is labelled; here each class is covered, starting from its middle.
"""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor

from evaluation.baselines.competitor import Competitor, Stock
from evaluation.baselines.coreset import coreset


def k_center(stock: Stock) -> Iterator[Competitor]:
    """The first `ipc` utterances of each class by farthest-point traversal.

    Raises:
        NotAvailable: a class has fewer than `ipc` utterances.
    """
    return coreset("k-center", stock, cover)


def cover(points: Float[Tensor, "n embedding"], count: int) -> list[int]:
    """Rows in the order taken: the nearest to the mean, then always the farthest from all taken.

    Args:
        points: at least `count`.
        count: of distinct rows.
    """
    centres = [int((points - points.mean(dim=0)).norm(dim=1).argmin())]
    reach = (points - points[centres[0]]).norm(dim=1)
    while len(centres) < count:
        reach[centres] = -1.0  # a repeated recording is at distance 0, and may still be needed
        centres.append(int(reach.argmax()))
        reach = reach.minimum((points - points[centres[-1]]).norm(dim=1))
    return centres
