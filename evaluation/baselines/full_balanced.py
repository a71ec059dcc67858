"""All real training utterances, those of rarer emotions repeated until the classes are equal.

Where dimensions are told they are those of a cell, and so those of which all is known. Random
oversampling (Japkowicz and Stephen 2002, "The class imbalance problem: a systematic study"), except
that repeats are spread: no utterance stands in twice more often than another of its class.
"""

from collections.abc import Iterator
from itertools import cycle, islice

from evaluation.baselines.competitor import Competitor, Stock


def full_balanced(stock: Stock) -> Iterator[Competitor]:
    """Every class as often as the largest; which utterances fill the rest of a round is drawn."""
    train = stock.train
    by_class = stock.rows_by_class()
    largest = max(map(len, by_class))
    rows = [row for of_one in by_class for row in islice(cycle(of_one), largest)]
    yield Competitor(
        "full-balanced",
        stock.examples(rows),
        None,
        "real items",
        bytes=train.features.nbytes + train.targets.nbytes,  # whoever receives it can repeat
    )
