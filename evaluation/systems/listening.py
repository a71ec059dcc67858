"""A student learns to hear, frame by frame, what an encoder hears.

An embedding of an utterance is one lesson per utterance; its frames are many. A linear map of the
student's states is brought to the encoder's states at the same time, by their squared distance with
each number at deviation 1 over the training frames (as FitNets' hints, Romero et al. 2015).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from evaluation.students.network import warm_cosine
from evaluation.systems.sequences import Fused, Sequences, mean_and_deviation
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


class Hint(nn.Module):
    """What a student's states should tell, frame by frame, and the linear map they tell it by.

    Args:
        aims: an encoder's states of the training utterances, at whatever rate.
        width: numbers in a state of the student.
        generator: of the linear map.
    """

    def __init__(self, aims: Sequences | Fused, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.aims = aims
        self.mean, deviation = mean_and_deviation(aims)
        self.deviation = deviation.clamp_min(SMALLEST_DEVIATION)
        self.reading = nn.Linear(width, aims.dim)
        with torch.no_grad():
            drawn = torch.randn(aims.dim, width, generator=generator)
            self.reading.weight.copy_(drawn / math.sqrt(width))
            self.reading.bias.zero_()

    def forward(self, states: Sequences, rows: Int[Tensor, " n"]) -> Float[Tensor, ""]:
        """The mean squared distance over frames.

        Args:
            states: of the student.
            rows: which of the training utterances these are.
        """
        aim = (in_step(self.aims.rows(rows), states) - self.mean) / self.deviation
        apart = (self.reading(states.frames) - aim).square().mean(dim=2)
        return apart[states.inside].mean()


def listen(
    student: TCGRU,
    heard: Sequences | Fused,
    hint: Hint,
    how: Listening,
    generator: torch.Generator,
    progress: Progress = SILENT,
) -> None:
    """Moves a student's weights, those before its embedding, to where it hears as an encoder does.

    Args:
        student: is changed in place, as the hint's linear map.
        heard: by the student.
        hint: of the same utterances.
        how: it learns.
        generator: of batches.
        progress: over the steps.
    """
    if not how.steps:
        return
    learned = [*student.parameters(), *hint.parameters()]
    optimiser = torch.optim.AdamW(
        learned, lr=how.learning_rate, weight_decay=how.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: warm_cosine(step, how.steps, max(1, how.steps // 12))
    )
    batch = min(how.batch, len(heard))
    for _ in progress(range(how.steps), unit="step"):
        rows = torch.randperm(len(heard), generator=generator)[:batch]
        loss = hint(student.along(heard.rows(rows)), rows)
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
