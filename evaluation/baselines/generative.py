"""A generator in place of the recordings, from which any number of items can be drawn.

Ritter-Gutierrez et al. 2024, "Dataset-distillation generative model for speech emotion
recognition": a small class-conditional WGAN-GP with a term that matches what a classifier's softmax
and features say and one for diversity, sampled with the classes balanced. Theirs makes features of
a pre-trained network and was never published as code; this one makes log-mels, so the architecture
and the weights of the terms are our own.
"""

import time
from collections.abc import Callable, Iterator

import torch

from evaluation.baselines.competitor import Competitor, NotAvailable, Stock
from evaluation.baselines.wasserstein import Eyes, WassersteinGAN
from evaluation.students import Examples
from synth_data.decoder import Decoder

WIDTHS = (64, 32, 16, 8)  # of which the first is taken that fits
CHUNK = 256


def generative(training: WassersteinGAN) -> Callable[[Stock], Iterator[Competitor]]:
    """The baseline whose generator is trained like this."""

    def baseline(stock: Stock) -> Iterator[Competitor]:
        """One generator, and as many items of it as there are real ones, the classes alike.

        Fewer would be seen again and again, although whoever has the generator can draw more. Codes
        are normal noise, which anybody can draw: what is shipped are the weights, in 16 bits.

        Raises:
            NotAvailable: there are dimensions to tell, or the smallest generator takes more bytes
                than the set.
        """
        stock.require_emotions()
        train, rows = stock.train, stock.rows_by_class()
        shape = (*train.spec.shape, len(train.emotions))
        decoder = largest(stock.bytes, shape)
        reference = stock.reference
        began = time.monotonic()
        eyes = Eyes.of(
            *(reference.network, reference.weights, reference.embeddings, reference.logits), rows
        )
        weights = training.fit(decoder, train.features, train.targets, rows, eyes, stock.generator)
        seconds = reference.seconds + time.monotonic() - began
        per_class = max(stock.ipc, -(-len(train) // len(rows)))
        targets = train.targets[[of_one[0] for of_one in rows]].repeat_interleave(per_class, dim=0)
        codes = torch.randn(len(targets), decoder.code, generator=stock.generator)
        stored = decoder.encode(weights, codes, targets.argmax(dim=1))
        items = [
            decoder.decode({**stored, "codes": some, "classes": own}, train.spec.frames)
            for some, own in zip(
                stored["codes"].split(CHUNK), stored["classes"].split(CHUNK), strict=True
            )
        ]
        yield Competitor(
            "generative",
            Examples(torch.cat(items), targets),
            stock.ipc,
            "a generator",
            bytes=decoder.bytes(*shape),
            making_seconds=seconds,
        )

    return baseline


def largest(room: int, shape: tuple[int, int, int]) -> Decoder:
    """The widest decoder whose weights fit.

    Args:
        room: bytes that there are.
        shape: mels and frames of an item, and emotions.

    Raises:
        NotAvailable: none does.
    """
    decoders = [Decoder(code=width, width=width) for width in WIDTHS]
    for decoder in decoders:
        if decoder.bytes(*shape) <= room:
            return decoder
    raise NotAvailable(
        f"the weights of the smallest generator take {decoders[-1].bytes(*shape)} bytes, more than "
        f"the {room} of the set"
    )
