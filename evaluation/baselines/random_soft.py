"""Real utterances drawn at random, with what the reference hears in them as soft labels.

Qin et al. 2024, "A label is worth a thousand images in dataset distillation": soft labels alone
bring much of what distilled sets bring. Theirs come from an expert stopped early; here from the
full-data student as it is, which trained on these very utterances and is therefore rather sure.
"""

from collections.abc import Iterator

from evaluation.baselines.competitor import Competitor, Stock
from evaluation.baselines.random_subset import DRAWS
from evaluation.students import Examples


def random_soft(stock: Stock) -> Iterator[Competitor]:
    """Draws as those of `random_subset`; targets are the softmax of the reference's logits.

    Raises:
        NotAvailable: there are dimensions to tell, or a class has fewer than `ipc` utterances.
    """
    stock.require_emotions()
    stock.require_enough()
    train, reference = stock.train, stock.reference
    soft = reference.logits.softmax(dim=1)
    for draw in range(DRAWS):
        rows = [row for of_one in stock.rows_by_class() for row in of_one[: stock.ipc]]
        yield Competitor(
            "random-soft",
            Examples(train.features[rows], soft[rows]),
            stock.ipc,
            "real items",
            draw=draw,
            making_seconds=reference.seconds,
        )
