"""What a set is compared with, by the name it has in the report.

A baseline is a function from a `Stock` (the real training utterances, the size to compete at, a
full-data student's view of them) to its draws.
"""

from collections.abc import Callable, Iterator

from evaluation.baselines.class_means import class_means
from evaluation.baselines.competitor import Competitor, NotAvailable, Reference, Stock
from evaluation.baselines.encoded import encoded
from evaluation.baselines.full import full
from evaluation.baselines.full_balanced import full_balanced
from evaluation.baselines.generative import generative
from evaluation.baselines.herding import herding
from evaluation.baselines.k_center import k_center
from evaluation.baselines.k_means import k_means
from evaluation.baselines.noise import noise
from evaluation.baselines.random_soft import random_soft
from evaluation.baselines.random_subset import random_subset
from evaluation.baselines.wasserstein import WassersteinGAN
from synth_data.codecs import Codec
from synth_data.frame_kinds import Cosines, Means, Middle
from synth_data.number_kinds import Float16, Int8

Baseline = Callable[[Stock], Iterator[Competitor]]

# Real items stored small, as many as fit into the set's bytes: in the finest way that has room for
# all of them, else in the last.
STORED_SMALL: dict[str, tuple[Codec, ...]] = {
    "float16": (Codec(numbers=Float16()),),
    "int8": (Codec(numbers=Int8()),),
    "cropped": (Codec(frames=Middle()),),
    "compressed": (Codec(frames=Means()),),
    "compressed-int8": (Codec(Int8(), Means()),),
    "cosines-int8": tuple(Codec(Int8(), Cosines(shorter)) for shorter in (4, 8, 16)),
}
# In the order of the report. `full` and `full-balanced` are the same whatever the ipc.
BASELINES: dict[str, Baseline] = {
    "full": full,
    "full-balanced": full_balanced,
    "random": random_subset,
    "k-means": k_means,
    "herding": herding,
    "k-center": k_center,
    "random-soft": random_soft,
    "noise": noise,
    "class-means": class_means,
    **{name: encoded(name, codecs) for name, codecs in STORED_SMALL.items()},
    "generative": generative(WassersteinGAN()),
}
OF_AS_MANY_BYTES = (*STORED_SMALL, "generative")  # as the set beside which they stand

__all__ = [
    "BASELINES",
    "OF_AS_MANY_BYTES",
    "Baseline",
    "Competitor",
    "NotAvailable",
    "Reference",
    "Stock",
]
