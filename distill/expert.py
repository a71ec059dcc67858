"""An expert: the set's network, once it has learned from the real data through the door.

It says what it hears in items, which makes soft labels (Qin et al. 2024, "A label is worth a
thousand images in dataset distillation": they bring much of what distilled sets bring), and native
schedules lead to it (`distill.native`).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.objective import Student
from distill.objectives.real_loss import RealLoss, emotion_balance
from distill.real_step import real_step
from evaluation.networks import Weights
from evaluation.students import logits_of, warm_cosine
from synth_data.curator import Curator
from synth_data.mechanism import Draw
from synth_data.progress import SILENT, Progress
from synth_data.randomness import generator
from synth_data.settings import Count, Positive

WARM_UP = 50  # steps
WEIGHT_DECAY = 0.01


@dataclass(frozen=True)
class Expert:
    """How an expert learns, and how it speaks.

    Attributes:
        steps: of AdamW, with a cosine to zero.
        learning_rate: at its peak.
        batch: utterances per step, on average.
        temperature: that softens what it says (Hinton et al. 2015).
    """

    steps: Count = 600
    learning_rate: Positive = 2e-3
    batch: Count = 64
    temperature: Positive = 2.0

    @property
    def passes(self) -> int:
        """Forward and backward passes of an utterance that it takes to learn."""
        return self.steps * self.batch

    def learn(
        self, curator: Curator, student: Student, seed: int, progress: Progress = SILENT
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
        loss = RealLoss(student, torch.nn.Identity(), emotion_balance(curator))
        share = min(1.0, self.batch / curator.count_utterances())
        optimiser = torch.optim.AdamW(
            weights.values(), lr=self.learning_rate, weight_decay=WEIGHT_DECAY
        )

        for step in progress(range(self.steps)):
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate * warm_cosine(step, self.steps, WARM_UP)
            sample = Draw(share, draws)
            fixed = loss.asked(curator, weights, sample)
            real_step(curator, fixed, weights, optimiser, sample, "an expert's lesson")
        return weights

    def hears(
        self, student: Student, weights: Weights, items: Float[Tensor, "n mel frame"]
    ) -> Float[Tensor, "n column"]:
        """What it hears in items: the logits of soft labels, and dimensions.

        Args:
            student: its network.
            weights: that it has learned.
            items: what it listens to.
        """
        said, task = logits_of(student.network, weights, items), student.task
        return torch.cat([task.shares(said) / self.temperature, task.numbers(said)], dim=1)
