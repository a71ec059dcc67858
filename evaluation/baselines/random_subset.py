"""Real utterances drawn at random, as many per class as the set has: the first thing to beat."""

from collections.abc import Iterator

from evaluation.baselines.competitor import Competitor, Stock
from evaluation.runs import RANDOM_SUBSET

DRAWS = 5


def random_subset(stock: Stock) -> Iterator[Competitor]:
    """Five draws without replacement within each class.

    Raises:
        NotAvailable: a class has fewer than `ipc` utterances.
    """
    stock.require_enough()
    for draw in range(DRAWS):
        rows = [row for of_one in stock.rows_by_class() for row in of_one[: stock.ipc]]
        yield Competitor(RANDOM_SUBSET, stock.examples(rows), stock.ipc, "real items", draw=draw)
