"""Starts between the fixed initialisation and random ones: the fixed weights plus noise.

    w' = w + s r e,    e standard normal,

where r is the root mean square of the same tensor of weights in a random initialisation, so that
s = 1 is noise as large as random weights are. A student's e is the same for every s and every set.
Tensors that no initialisation draws (biases, gains of norms, running statistics) stay as they
are. Where students of a set fall apart as s grows, it is of use with its fixed weights only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from evaluation.jobs import Job
from evaluation.networks import draw_weights, skeleton
from evaluation.options import FIXED
from synth_data.randomness import generator

PLUS = f"{FIXED} + "


def name_of(noise: float) -> str:
    """The initialisation's name in the report; different numbers, different names.

    >>> name_of(0.3), name_of(1.0)
    ('fixed + 0.3', 'fixed + 1')
    """
    return PLUS + repr(float(noise)).removesuffix(".0")


def noise_of(initialisation: str) -> float | None:
    """The size of the noise in an initialisation's name; None if it is another's.

    >>> noise_of("fixed + 0.3"), noise_of("fixed"), noise_of("random")
    (0.3, None, None)
    """
    return float(initialisation.removeprefix(PLUS)) if initialisation.startswith(PLUS) else None


def nearby(job: Job, sizes: Sequence[float]) -> Iterator[Job]:
    """The same student from near its fixed weights, for each size of noise.

    Args:
        job: of a network, from fixed weights.
        sizes: s, positive.
    """
    if not sizes:
        return
    noise = _noise(job)
    for size in dict.fromkeys(sizes):
        moved = {
            name: weight + size * noise[name] if name in noise else weight
            for name, weight in job.weights.items()
        }
        yield replace(job, initialisation=name_of(size), weights=moved)


def _noise(job: Job) -> dict[str, Tensor]:
    """R e of each tensor that an initialisation draws."""
    examples = job.competitor.examples
    network = skeleton(job.student, examples.features.shape[1], examples.targets.shape[1])
    draws = generator(job.base_seed, "start noise", job.student, job.seed)
    drawn = {
        name: weight
        for name, weight in draw_weights(network, draws).items()
        if weight.min() < weight.max()
    }
    return {
        name: weight.square().mean().sqrt() * torch.randn(weight.shape, generator=draws)
        for name, weight in drawn.items()
    }
