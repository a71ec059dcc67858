"""Real utterances stored small: as many, evenly over the classes, as the set's bytes can hold.

Before somebody distils, they would pack: this is what a set of the same bytes has to beat.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest

import torch
from jaxtyping import Float
from torch import Tensor

from evaluation.baselines.competitor import Competitor, NotAvailable, Stock
from evaluation.students import Examples
from synth_data.codecs import Codec, size
from synth_data.real import RealSet
from synth_data.task import Task


def encoded(name: str, codecs: Sequence[Codec]) -> Callable[[Stock], Iterator[Competitor]]:
    """The baseline of this name in the report.

    Args:
        name: of the baseline.
        codecs: to store items by, the finest first. The first by which all utterances fit into the
            set's bytes is taken, as coarser ones would leave bytes unused; else the last.
    """

    def baseline(stock: Stock) -> Iterator[Competitor]:
        """One draw without replacement.

        Raises:
            NotAvailable: one utterance per class already takes more bytes than the set.
        """
        train = stock.train
        by_class = stock.rows_by_class()
        whole = sum(map(len, by_class))
        sizes = {codec: _bytes_of_one(train, codec) for codec in codecs}
        fitting = (codec for codec in codecs if whole * sizes[codec] <= stock.bytes)
        codec = next(fitting, codecs[-1])
        per_item = sizes[codec]
        if (needed := len(by_class) * per_item) > stock.bytes:
            raise NotAvailable(
                f"one utterance for each of {len(by_class)} emotions takes {needed} bytes, "
                f"more than the {stock.bytes} of the set"
            )
        rows = evenly(by_class, stock.bytes // per_item, stock.generator)
        stored = codec.encode(train.features[rows])
        targets, bytes_of_targets = packed(train.task, train.targets[rows])
        examples = Examples(codec.decode(stored, train.spec.frames), targets, task=train.task)
        yield Competitor(
            name, examples, stock.ipc, "real items", bytes=size(stored) + bytes_of_targets
        )

    return baseline


def _bytes_of_one(train: RealSet, codec: Codec) -> int:
    """Of an utterance with its targets, as the codec stores it; of all it is the same."""
    return size(codec.encode(train.features[:1])) + packed(train.task, train.targets[:1])[1]


def packed(task: Task, targets: Float[Tensor, "n column"]) -> tuple[Float[Tensor, "n column"], int]:
    """Targets as they are read again, and their bytes: one for the class, one per dimension."""
    shares, steps = task.shares(targets), (127 * task.numbers(targets)).round()
    read = [steps / 127]
    if task.emotions:
        classes = shares.nan_to_num(0.0).argmax(dim=1)
        # A code more says that nobody agreed.
        read.insert(0, torch.eye(len(task.emotions))[classes].where(~shares.isnan(), shares))
    per_item = bool(task.emotions) + len(task.dimensions)
    return torch.cat(read, dim=1), len(targets) * per_item


def evenly(by_class: list[list[int]], count: int, generator: torch.Generator) -> list[int]:
    """The first rows of each class, `count` in all, or all there are.

    One row of every class in turn. A class that has no more leaves its turn to the others, and
    which classes have their turn in the last round is drawn.

    >>> sorted(evenly([[1, 2, 3, 4], [5]], 4, torch.Generator()))
    [1, 2, 3, 5]
    """
    order = torch.randperm(len(by_class), generator=generator).tolist()
    turns = chain.from_iterable(zip_longest(*(by_class[i] for i in order)))
    return [row for row in turns if row is not None][:count]
