"""How long features take, before any are computed: good to about a factor of two.

Of utterances of a few seconds each, which is what corpora of emotional speech have.
"""

from functools import cache
from time import perf_counter

import torch

from synth_data.degradation import Degradation
from synth_data.extraction import processes
from synth_data.randomness import generator
from synth_data.representation import Representation
from synth_data.representations.encoder import SpeechEncoder
from synth_data.representations.text import TextEncoder

# Seconds for three seconds of speech on one core, as measured.
SPECTRUM = 4e-3  # with reading the recording
FUNCTIONALS = 0.06  # eGeMAPS
BASE = 12 * 768**2  # layers, and the square of their width, of encoders that these are of:
CONVOLUTIONS, LAYERS = 0.15, 0.3  # before the layers of one that hears, and these
WORDS = 0.06  # of one that reads


def seconds(spec: Representation, utterances: int) -> float:
    """Until the features of so many utterances are there, in as many processes as are started."""
    return utterances * seconds_each(spec) / processes(utterances, spec)


def seconds_each(spec: Representation) -> float:
    """To compute the features of an utterance on one core."""
    return SPECTRUM + sum(_slow(part) for part in spec.parts if part.slow)


def _slow(part: Representation) -> float:
    """By the size of an encoder, as loading it would take long itself."""
    if isinstance(part, SpeechEncoder | TextEncoder):
        size = (len(part.layers) - 1) * part.width**2 / BASE
        return CONVOLUTIONS + LAYERS * size if part.hears else WORDS * size
    return FUNCTIONALS


@cache
def degrading_seconds(how: Degradation) -> float:
    """To degrade an utterance on one core, timed on this machine."""
    noise = torch.randn(48_000, generator=generator(0, "extraction time"))
    taken = []
    for _ in range(2):  # the first sets libraries up
        began = perf_counter()
        how(noise, 16_000, generator(0, "extraction time"))
        taken.append(perf_counter() - began)
    return min(taken)
