"""A network that learns from the real data through the door, and says what it hears in items.

Qin et al. 2024, "A label is worth a thousand images in dataset distillation": labels of an expert
bring much of what distilled sets bring. The teacher is the set's own network, from random weights.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.objective import Student
from distill.real_step import real_step
from evaluation.networks import Weights, apply, draw_weights
from evaluation.students import cross_entropy, logits_of, warm_cosine
from synth_data.curator import Curator, Draw
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
    logits = [
        logits_of(student.network, _taught(curator, student, generator(seed, "teacher", i)), items)
        for i in range(TEACHERS)
    ]
    return torch.stack(logits).mean(dim=0)


def _taught(curator: Curator, student: Student, draws: torch.Generator) -> Weights:
    weights = {
        name: weight.to(curator.device)
        for name, weight in draw_weights(student.network, draws).items()
    }
    balance = curator.class_balance()
    share = min(1.0, BATCH / curator.source.utterances)
    optimiser = torch.optim.AdamW(weights.values(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def loss(at: Weights, features: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(apply(student.network, at, features), targets * balance)

    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * warm_cosine(step, STEPS, WARM_UP)
        real_step(curator, loss, weights, optimiser, Draw(share, draws), "a teacher's lesson")
    return weights
