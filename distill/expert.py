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
from distill.real_step import real_step
from evaluation.networks import Weights, apply
from evaluation.students import cross_entropy, logits_of, warm_cosine
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
        balance = curator.class_balance()
        share = min(1.0, self.batch / curator.count_utterances())
        optimiser = torch.optim.AdamW(
            weights.values(), lr=self.learning_rate, weight_decay=WEIGHT_DECAY
        )

        def loss(at: Weights, features: Tensor, targets: Tensor) -> Tensor:
            return cross_entropy(apply(student.network, at, features), targets * balance)

        for step in progress(range(self.steps)):
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate * warm_cosine(step, self.steps, WARM_UP)
            real_step(curator, loss, weights, optimiser, Draw(share, draws), "an expert's lesson")
        return weights

    def hears(
        self, student: Student, weights: Weights, items: Float[Tensor, "n mel frame"]
    ) -> Float[Tensor, "n emotion"]:
        """What it hears in items: the logits of soft labels.

        Args:
            student: its network.
            weights: that it has learned.
            items: what it listens to.
        """
        return logits_of(student.network, weights, items) / self.temperature
