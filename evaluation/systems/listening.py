"""A student learns to hear, frame by frame, what an encoder hears.

An embedding of an utterance is one lesson per utterance; its frames are many. A linear map of the
student's states is brought to the encoder's states at the same time, by their squared distance with
each number at deviation 1 over the training frames (as FitNets' hints, Romero et al. 2015).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from evaluation.students.network import warm_cosine
from evaluation.systems.sequences import Sequences
from evaluation.systems.tc_gru import SMALLEST_DEVIATION, TCGRU
from synth_data.progress import SILENT, Progress
from synth_data.settings import Count, NotNegative, Positive, Whole


@dataclass(frozen=True)
class Listening:
    """How it learns that: AdamW, a linear warm-up, then a cosine to zero.

    Attributes:
        steps: of the optimiser; 0 to leave it out.
        batch: utterances per step.
        learning_rate: at the peak.
        weight_decay: of AdamW, decoupled.
    """

    steps: Whole = 600
    batch: Count = 32
    learning_rate: Positive = 3e-3
    weight_decay: NotNegative = 0.01


def listen(
    student: TCGRU,
    heard: Sequences,
    aims: Sequences,
    how: Listening,
    generator: torch.Generator,
    progress: Progress = SILENT,
) -> None:
    """Moves a student's weights, those before its embedding, to where it hears as an encoder does.

    Args:
        student: is changed in place.
        heard: by the student.
        aims: the encoder's states of the same utterances, at whatever rate.
        how: it learns.
        generator: of batches and the linear map.
        progress: over the steps.
    """
    if not how.steps:
        return
    own = aims.frames[aims.inside].float()
    mean, deviation = own.mean(dim=0), own.std(dim=0, correction=0).clamp_min(SMALLEST_DEVIATION)
    width = student.embedding.in_features
    reading = nn.Linear(width, aims.dim)
    with torch.no_grad():
        drawn = torch.randn(aims.dim, width, generator=generator)
        reading.weight.copy_(drawn / math.sqrt(width))
        reading.bias.zero_()
    learned = [*student.convolution.parameters(), *student.gru.parameters(), *reading.parameters()]
    optimiser = torch.optim.AdamW(
        learned, lr=how.learning_rate, weight_decay=how.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: warm_cosine(step, how.steps, max(1, how.steps // 12))
    )
    batch = min(how.batch, len(heard))
    for _ in progress(range(how.steps), unit="step"):
        rows = torch.randperm(len(heard), generator=generator)[:batch]
        states = student.along(heard.rows(rows))
        aim = (in_step(aims.rows(rows), states) - mean) / deviation
        apart = (reading(states.frames) - aim).square().mean(dim=2)
        loss = apart[states.inside].mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        schedule.step()


def in_step(aims: Sequences, states: Sequences) -> Float[Tensor, "n frame dim"]:
    """For each state the frame of the aims at the same part of the utterance.

    >>> aims = Sequences(torch.arange(4.0).reshape(1, 4, 1), torch.tensor([4]))
    >>> in_step(aims, Sequences(torch.zeros(1, 2, 1), torch.tensor([2]))).flatten().tolist()
    [0.0, 2.0]
    """
    time = torch.arange(states.frames.shape[1]) * aims.lengths[:, None] // states.lengths[:, None]
    last = (aims.lengths - 1)[:, None]
    frame = torch.minimum(time, last)[:, :, None].expand(-1, -1, aims.dim)
    found: Tensor = aims.frames.gather(1, frame)
    return found
