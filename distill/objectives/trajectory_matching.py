"""Trajectory matching: a student on the set should go where experts go on the real data.

Cazenavette et al. 2022 ("Dataset distillation by matching training trajectories", MTT): experts
learn from the real data, and their weights w*[0], w*[1], ... are kept once per epoch. A student
starts as an expert was at epoch t, takes N steps of SGD on the set, all of one size, which is
learned, and should end where the expert was M epochs later:

    loss = |w[N] - w*[t+M]|^2 / |w*[t] - w*[t+M]|^2.

Here an epoch is a number of optimiser steps (`stride`), whose gradients are means that the door is
asked for; experts from the fixed start differ in what they are told in which order. Guo et al.
2024 ("Towards lossless dataset distillation via difficulty-aligned trajectory matching", DATM)
say from which epochs students start: early ones teach what is easy. The upper bound may grow, and
the labels may be learned.

The training that leads from the fixed start to the last epoch that is matched becomes the set's
native schedule. A student from epoch t takes the steps of that schedule which belong there, so
that each item is met at its time.

How the end of a student's run depends on the set is told by `distill.objectives.student_run`,
exactly or (`inner = "tesla"`) in constant memory, with earlier batches' part in later gradients
left out.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.objective import Candidate, Cost, Objective, State, Student
from distill.objectives.student_run import Point, StudentRun
from distill.objectives.trajectories import TAKEN, WEIGHT, require_plain, stacked, weights_of
from distill.objectives.walk import WALK, Walk
from evaluation.augment import Augment
from evaluation.networks import Weights, draw_weights
from evaluation.students import logits_of
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.ledger import Release
from synth_data.randomness import generator
from synth_data.representation import Representation
from synth_data.schedule import Momentum, NativeSchedule
from synth_data.settings import Count, Positive, Probability, Whole

LOG_RATE = "log learning rate"
# What is left of a distance lies in all directions, many of them strongly bent: slopes from thirty
# times as far were up to 0.03 of a cosine off.
NEAR = 3e-6


@dataclass(frozen=True)
class TrajectoryMatching(Objective):
    """Matches where a student's training on the set leads with where experts were led.

    Attributes:
        experts: that are trained on the real data; for both kinds of students the first half
            starts from the fixed initialisation, the others from random ones.
        epochs: that each of them learns.
        stride: optimiser steps in an epoch.
        learning_rate: of the experts' SGD. (AdamW teaches experts more, but goes where no few steps
            of a student's SGD lead: what it left over was larger, and sets were worth less.)
        momentum: of the experts' SGD.
        sampling_probability: of each utterance, at each step of an expert.
        at_a_step: utterances that such a step asks of at most, on average.
        augment: how real utterances are augmented for the experts.
        first: epoch that students start from at the earliest.
        last: at the latest.
        curriculum: outer steps over which the latest grows from the earliest; 0 for all at once.
        matched: epochs of an expert that a student should cover, M.
        steps: that it has for them, N.
        student_learning_rate: of these, to start with.
        together: items of each class in a step's batch, so many at least that a student meets
            every item; 0 for no more than that.
        inner: how the derivatives are taken: by "finite-difference" from stored weights; by
            "tesla" from none, which leaves part of them out; or by "higher" from stored graphs.

    Raises:
        UserError: students would start after the latest epoch, or go beyond the experts' last.
    """

    name: ClassVar[str] = "trajectory-matching"
    teaches: ClassVar[bool] = True

    experts: Count = 4
    epochs: Count = 12
    stride: Count = 10
    learning_rate: Positive = 0.05
    momentum: Momentum = 0.9
    sampling_probability: Probability = 0.1
    at_a_step: Count = 512
    augment: Augment = Augment()
    first: Whole = 0
    last: Whole = 8
    curriculum: Whole = 0
    matched: Count = 2
    steps: Count = 10
    student_learning_rate: Positive = 0.1
    together: Whole = 0
    inner: Literal["finite-difference", "tesla", "higher"] = "finite-difference"

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise UserError(
                f"students start between epochs first and last; found first {self.first}, last "
                f"{self.last}: lower first, or raise last"
            )
        if self.last + self.matched > self.epochs:
            raise UserError(
                f"a student from epoch {self.last} (last) would match epoch "
                f"{self.last + self.matched}, and experts learn {self.epochs}: raise epochs, or "
                f"lower last or matched"
            )
        if self.curriculum and self.first == self.last:
            raise UserError(
                f"a curriculum opens start epochs one after the other, and there is one "
                f"({self.first}): raise last, or set curriculum to 0"
            )

    def init(self, curator: Curator, student: Student, seed: int) -> State:
        kept: dict[str, list[Tensor]] = {}
        for expert in range(self.experts):
            draws = generator(seed, self.name, "expert", expert)
            fixed = {"fixed": self.experts, "both": -(-self.experts // 2), "random": 0}
            start = student.start
            if expert >= fixed[self.starts_from]:
                start = draw_weights(student.network, draws)
            view = partial(self.augment, generator=draws)
            for weights in self._walk.checkpoints_of(curator, student, start, view, draws):
                for name, weight in weights.items():
                    kept.setdefault(WEIGHT + name, []).append(weight)
        return stacked(kept)

    def learned(self) -> dict[str, Tensor]:
        return {LOG_RATE: torch.tensor(math.log(self.student_learning_rate))}

    def schedule(self, learned: Mapping[str, Tensor], per_class: int) -> NativeSchedule | None:
        if self.starts_from == "random":
            return None  # a schedule starts from the fixed initialisation
        rates = learned[LOG_RATE].detach().exp().cpu().repeat(self._schedule_steps)
        return NativeSchedule(rates, 0.0, self.batch(per_class))

    def step(
        self,
        state: State,
        candidate: Candidate,
        curator: Curator,  # noqa: ARG002 - every answer is in the state
        student: Student,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, ""], State]:
        latest = self._latest(int(state[TAKEN]))
        epoch = int(torch.randint(self.first, latest + 1, (), generator=generator))
        expert = int(torch.randint(self.experts, (), generator=generator))
        place = expert * (self.epochs + 1) + epoch
        start, goal = weights_of(state, place), weights_of(state, place + self.matched)
        apart = _squared(start, goal).clamp_min(1e-12)

        def end(weights: Weights) -> tuple[Tensor, Weights]:
            slope = {name: 2 * (w - goal[name]) / apart for name, w in weights.items()}
            return _squared(weights, goal) / apart, slope

        rates = candidate.learned[LOG_RATE].expand(self._schedule_steps)
        together = self.batch(candidate.per_class)
        run = StudentRun(student, candidate, rates, 0.0, together, NEAR)
        taken = self._before(epoch)
        steps = range(taken, taken + self.steps)
        loss = run.loss(Point.at_rest(start), steps, end, self.inner)
        return loss, {**state, TAKEN: state[TAKEN] + 1}

    def hears(
        self,
        state: State,
        items: Float[Tensor, "n mel frame"],
        spec: Representation,  # noqa: ARG002
        student: Student,
    ) -> Float[Tensor, "n emotion"]:
        """The mean over experts of their logits, once they have learned."""
        logits = [
            logits_of(student.network, weights_of(state, place), items)
            for place in range(self.epochs, self.experts * (self.epochs + 1), self.epochs + 1)
        ]
        return torch.stack(logits).mean(dim=0)

    def cost(self, per_class: int, utterances: int) -> Cost:
        times = self.steps * self.batch(per_class) / per_class  # that a run meets an item
        # A pass over a batch in a step, two more where it is differentiated, and another to find
        # the weights of a step again.
        passes, stored = (4, 0) if self.inner == "tesla" else (3, self.steps)
        return Cost(
            real_passes=self.experts * self._walk.passes(utterances),
            step_passes=passes * times,
            checkpoints=self.experts * (self.epochs + 1) + stored,
        )

    def numbers(
        self,
        student: Student,
        spec: Representation,  # noqa: ARG002
        emotions: int,  # noqa: ARG002
    ) -> dict[str, int]:
        return {WALK: sum(weight.numel() for weight in student.start.values())}

    def releases(self, steps: int) -> list[Release]:  # noqa: ARG002 - all before the first
        require_plain(self.augment)
        return self._walk.releases(self.experts)

    def batch(self, per_class: int) -> int:
        """Items of each class in a step's batch, of so many."""
        return max(self.together, math.ceil(per_class / self.steps))

    @property
    def _walk(self) -> Walk:
        sgd = partial(torch.optim.SGD, lr=self.learning_rate, momentum=self.momentum)
        return Walk(self.epochs + 1, self.stride, self.sampling_probability, self.at_a_step, sgd)

    def _before(self, epoch: int) -> int:
        """Steps of the schedule that lead to an epoch of the experts."""
        return epoch * self.steps // self.matched

    @property
    def _schedule_steps(self) -> int:
        return self._before(self.last) + self.steps

    def _latest(self, taken: int) -> int:
        """The latest epoch that students start from, after so many outer steps."""
        if taken >= self.curriculum:
            return self.last
        return self.first + (self.last - self.first) * taken // self.curriculum


def _squared(one: Weights, other: Weights) -> Float[Tensor, ""]:
    """The squared distance of all weights."""
    return torch.stack([(one[name] - other[name]).square().sum() for name in one]).sum()
