"""An expert: the set's network, once it has learned from the real data through the door.

It says what it hears in items, which makes soft labels (Qin et al. 2024, "A label is worth a
thousand images in dataset distillation": they bring much of what distilled sets bring), and native
schedules lead to it (`distill.native`).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.objective import Student
from distill.real_step import real_step
from evaluation.networks import Weights, apply
from evaluation.students import cross_entropy, logits_of, warm_cosine
from synth_data.curator import Curator, Draw
from synth_data.progress import SILENT, Progress
from synth_data.randomness import generator

STEPS = 600
BATCH = 64  # utterances per step, on average
LEARNING_RATE, WARM_UP = 2e-3, 50  # of AdamW, with a cosine to zero
WEIGHT_DECAY = 0.01
PASSES = STEPS * BATCH  # forward and backward, of an utterance
TEMPERATURE = 2.0  # that softens what it says (Hinton et al. 2015)


def expert_of(
    curator: Curator, student: Student, seed: int, progress: Progress = SILENT
) -> dict[str, Tensor]:
    """The weights of a network that has learned from the real data, from the fixed start.

    Args:
        curator: the door, which is asked for one mean gradient per step.
        student: the network, with its fixed start.
        seed: that all random numbers are derived from.
        progress: a bar for the steps.
    """
    draws = generator(seed, "expert")
    weights = {name: w.detach().clone().to(curator.device) for name, w in student.start.items()}
    balance = curator.class_balance()
    share = min(1.0, BATCH / curator.source.utterances)
    optimiser = torch.optim.AdamW(weights.values(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def loss(at: Weights, features: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(apply(student.network, at, features), targets * balance)

    for step in progress(range(STEPS)):
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * warm_cosine(step, STEPS, WARM_UP)
        real_step(curator, loss, weights, optimiser, Draw(share, draws), "an expert's lesson")
    return weights


def heard(
    student: Student, expert: Weights, items: Float[Tensor, "n mel frame"]
) -> Float[Tensor, "n emotion"]:
    """What an expert hears in items: the logits of soft labels.

    Args:
        student: the expert's network.
        expert: its weights.
        items: what it listens to.
    """
    return logits_of(student.network, expert, items) / TEMPERATURE
