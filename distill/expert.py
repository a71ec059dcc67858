"""Experts: the set's network, once it has learned from the real data through the door.

They say what they hear in items, which makes soft labels (Qin et al. 2024, "A label is worth a
thousand images in dataset distillation": they bring much of what distilled sets bring), and native
schedules lead to the first of them (`distill.native`). Several are heard together, as in Hinton et
al. 2015 ("Distilling the knowledge in a neural network"): what one of them mistakes, all students
of a set would mistake alike.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.objective import Student
from distill.objectives.real_loss import RealLoss, emotion_balance
from distill.real_step import real_step
from evaluation.networks import Weights, draw_weights
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
    """How experts learn, and how they speak.

    Attributes:
        count: of them. The first starts from the fixed initialisation, the others from random ones.
        steps: of AdamW, with a cosine to zero.
        learning_rate: at its peak.
        batch: utterances per step, on average.
        temperature: that softens what they say (Hinton et al. 2015).
    """

    count: Count = 3
    steps: Count = 600
    learning_rate: Positive = 2e-3
    batch: Count = 64
    temperature: Positive = 2.0

    @property
    def passes(self) -> int:
        """Forward and backward passes of an utterance that it takes to learn."""
        return self.count * self.steps * self.batch

    def learn(
        self, curator: Curator, student: Student, seed: int, progress: Progress = SILENT
    ) -> dict[str, Float[Tensor, "expert *shape"]]:
        """The weights of networks that have learned from the real data, by name.

        Args:
            curator: the door, which is asked for one mean gradient per step.
            student: the network, with its fixed start.
            seed: that all random numbers are derived from.
            progress: a bar for the steps of each.
        """
        balance = emotion_balance(curator)
        learned = []
        for number in range(self.count):
            draws = generator(seed, "expert", *([number] if number else []))
            start = draw_weights(student.network, draws) if number else student.start
            learned.append(self._taught(curator, student, start, balance, draws, progress))
        return {name: torch.stack([one[name] for one in learned]) for name in student.start}

    def _taught(
        self,
        curator: Curator,
        student: Student,
        start: Weights,
        balance: Float[Tensor, " emotion"],
        draws: torch.Generator,
        progress: Progress,
    ) -> dict[str, Tensor]:
        """The weights of one that began at `start`."""
        weights = {name: w.detach().clone().to(curator.device) for name, w in start.items()}
        loss = RealLoss(student, torch.nn.Identity(), balance)
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
        self,
        student: Student,
        weights: Mapping[str, Float[Tensor, "expert *shape"]],
        items: Float[Tensor, "n mel frame"],
    ) -> Float[Tensor, "n column"]:
        """What they hear in items: the logits of soft labels, and dimensions.

        Soft labels are the mean of what each thinks likely, and dimensions the mean of what each
        says.

        Args:
            student: their network.
            weights: that they have learned.
            items: what they listen to.
        """
        task = student.task
        count = len(next(iter(weights.values())))
        said = [logits_of(student.network, one_of(weights, n), items) for n in range(count)]
        shares = torch.stack([task.shares(each) / self.temperature for each in said])
        likely = shares.log_softmax(dim=2).logsumexp(dim=0) - math.log(count)
        numbers = torch.stack([task.numbers(each) for each in said]).mean(dim=0)
        return torch.cat([likely, numbers], dim=1)


def one_of(weights: Mapping[str, Float[Tensor, "expert *shape"]], number: int) -> dict[str, Tensor]:
    """The weights of one of several experts, by name."""
    return {name: weight[number] for name, weight in weights.items()}
