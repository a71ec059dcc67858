"""Real utterances drawn at random, as many per class as the set has: the first thing to beat."""

from collections.abc import Iterator

from evaluation.baselines.competitor import Competitor, Stock
from evaluation.runs import RANDOM_SUBSET
from evaluation.students import Examples

DRAWS = 5


def random_subset(stock: Stock) -> Iterator[Competitor]:
    """Five draws without replacement within each class.

    Raises:
        NotAvailable: a class has fewer than `ipc` utterances.
    """
    stock.require_enough()
    train = stock.train
    for draw in range(DRAWS):
        rows = [row for of_one in stock.rows_by_class() for row in of_one[: stock.ipc]]
        examples = Examples(train.features[rows], train.targets[rows])
        yield Competitor(RANDOM_SUBSET, examples, stock.ipc, "real items", draw=draw)
