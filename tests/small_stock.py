"""A little speech for the baselines to choose from, and what each makes of it."""

from collections.abc import Sequence

import torch
from fake_speech import EMOTIONS, SPEC, fake_speech
from torch import Tensor

from evaluation.baselines import BASELINES, Competitor, Reference, Stock
from evaluation.networks import draw_weights, skeleton
from synth_data.codecs import Codec
from synth_data.frame_kinds import Cosines, Every, Means, Middle
from synth_data.number_kinds import Float16, Float32, Int8

COUNTS = (9, 7, 8)
IPC = 3
CODECS = {
    "float16": Codec(Float16(), Every()),
    "int8": Codec(Int8(), Every()),
    "cropped": Codec(Float32(), Middle()),
    "compressed": Codec(Float32(), Means()),
    "compressed-int8": Codec(Int8(), Means()),
    "cosines-int8": Codec(Int8(), Cosines(16)),
}
# As it is chosen where all utterances fit into the set's bytes.
FINEST = CODECS | {"cosines-int8": Codec(Int8(), Cosines(4))}
CORESETS = ("k-means", "herding", "k-center")
OF_IPC_UTTERANCES = ("random", "random-soft", *CORESETS)


def stock(
    counts: Sequence[int] = COUNTS, *, ipc: int = IPC, bytes_: int | None = None, seed: int = 0
) -> Stock:
    """As when a float32 set of `ipc` items per class is judged."""
    train = fake_speech(counts)
    draws = torch.Generator().manual_seed(1)
    classes = train.targets.argmax(dim=1)
    centres = 5 * torch.randn(len(EMOTIONS), 256, generator=draws)
    network = skeleton("tdnn", SPEC.mels, len(EMOTIONS))
    reference = Reference(
        network=network,
        weights=draw_weights(network, torch.Generator().manual_seed(2)),
        logits=2 * train.targets + torch.randn(len(train), len(EMOTIONS), generator=draws),
        embeddings=centres[classes] + torch.randn(len(train), 256, generator=draws),
        seconds=60.0,
    )
    return Stock(
        train=train,
        ipc=ipc,
        bytes=len(EMOTIONS) * ipc * (4 * SPEC.mels * SPEC.frames + 4 * len(EMOTIONS))
        if bytes_ is None
        else bytes_,
        generator=torch.Generator().manual_seed(seed),
        look=lambda: reference,
    )


def made(name: str, given: Stock) -> list[Competitor]:
    return list(BASELINES[name](given))


def rows_in(items: Tensor, pool: Tensor) -> list[int]:
    """Which row of the pool each item is; fails if it is none or several."""
    same = (items[:, None] == pool[None]).flatten(2).all(dim=2)
    assert (same.sum(dim=1) == 1).all()
    return same.int().argmax(dim=1).tolist()
