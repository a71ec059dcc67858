"""All real training utterances: what every other set is measured against."""

from collections.abc import Iterator

from evaluation.baselines.competitor import Competitor, Stock
from evaluation.runs import FULL
from evaluation.students import Examples


def full(stock: Stock) -> Iterator[Competitor]:
    """The training set itself, whatever the ipc."""
    examples = Examples(stock.train.features, stock.train.targets, task=stock.train.task)
    yield Competitor(FULL, examples, None, "real items")
