"""Real utterances chosen class by class for where they lie in the reference's embedding space."""

from collections.abc import Callable, Iterator

from jaxtyping import Float
from torch import Tensor

from evaluation.baselines.competitor import Competitor, Stock

# Of a class' embeddings, so many distinct rows.
Choose = Callable[[Float[Tensor, "n embedding"], int], list[int]]


def coreset(name: str, stock: Stock, choose: Choose) -> Iterator[Competitor]:
    """The chosen utterances of every class, `ipc` of each.

    Its cost is that of the reference, beside which the choice itself takes no time.

    Args:
        name: in the report.
        stock: to choose from.
        choose: from one class, in double precision.

    Raises:
        NotAvailable: a class has fewer than `ipc` utterances.
    """
    stock.require_enough()
    reference = stock.reference
    rows = [
        of_one[i]
        for of_one in stock.rows_by_class()
        for i in choose(reference.embeddings[of_one].double(), min(stock.ipc, len(of_one)))
    ]
    yield Competitor(
        name,
        stock.examples(rows),
        stock.ipc,
        "real items",
        making_seconds=reference.seconds,
    )
