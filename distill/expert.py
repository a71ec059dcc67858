"""A network that learns from the real data through the door, and says what it hears in items.

Qin et al. 2024, "A label is worth a thousand images in dataset distillation": labels of an expert
bring much of what distilled sets bring. The teacher is the set's own network, from random weights.
"""

import math
import time

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.objectives.objective import Student
from distill.real_step import real_step
from evaluation.networks import Weights, apply, draw_weights
from evaluation.students import cross_entropy, logits_of, warm_cosine
from synth_data.curator import Curator, Draw
from synth_data.progress import SILENT, Progress
from synth_data.randomness import generator

TEACHERS = 2  # whose outputs are averaged
STEPS = 300
BATCH = 64  # utterances per step, on average
LEARNING_RATE, WARM_UP = 3e-3, 50  # of AdamW, with a cosine to zero
WEIGHT_DECAY = 0.01


def heard(
    curator: Curator, student: Student, items: Float[Tensor, "n mel frame"], seed: int
) -> Float[Tensor, "n emotion"]:
    """The logits of items, as teachers that learned from the real utterances hear them.

    Args:
        curator: the door, which is asked for one mean gradient per step.
        student: the teachers' network.
        items: what they listen to.
        seed: that all random numbers are derived from.
    """
    network, logits = student.network, []
    for teacher in range(TEACHERS):
        draws = generator(seed, "teacher", teacher)
        start = draw_weights(network, draws)
        weights = taught(curator, network, start, draws, STEPS, LEARNING_RATE)
        logits.append(logits_of(network, weights, items))
    return torch.stack(logits).mean(dim=0)


def taught(
    curator: Curator,
    network: nn.Module,
    start: Weights,
    draws: torch.Generator,
    steps: int,
    learning_rate: float,
    *,
    progress: Progress = SILENT,
    seconds: float = math.inf,
) -> dict[str, Tensor]:
    """The weights of a network that has learned from the real utterances.

    Args:
        curator: the door, which is asked for one mean gradient per step.
        network: without weights.
        start: weights to start from.
        draws: of the utterances.
        steps: of AdamW.
        learning_rate: at its peak.
        progress: a bar for the steps.
        seconds: that it may take; the learning rate is at zero by then.
    """
    weights = {name: weight.detach().clone().to(curator.device) for name, weight in start.items()}
    balance = curator.class_balance()
    share = min(1.0, BATCH / curator.source.utterances)
    optimiser = torch.optim.AdamW(weights.values(), lr=learning_rate, weight_decay=WEIGHT_DECAY)

    def loss(at: Weights, features: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(apply(network, at, features), targets * balance)

    began = time.monotonic()
    for step in progress(range(steps), initial=0, total=steps):
        done = max(step / steps, (time.monotonic() - began) / seconds if seconds > 0 else 1.0)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * warm_cosine(round(done * steps), steps, WARM_UP)
        real_step(curator, loss, weights, optimiser, Draw(share, draws), "a teacher's lesson")
    return weights
