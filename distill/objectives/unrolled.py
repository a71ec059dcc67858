"""Unrolled distillation: the bilevel problem itself.

A student trains on the set for T steps; what is made small is its loss on real speech, by
differentiating through the training (Wang et al. 2018, "Dataset distillation"):

    m[t+1] = mu m[t] + gradient of the loss on batch t at w[t],    w[t+1] = w[t] - e[t] m[t+1],
    outer loss = real loss at w[T].

Each step has a batch of its own, in turn, and a step size e[t] of its own, which is learned; both
become the set's native schedule. From the fixed initialisation all steps are differentiated. From
a random one, a window at a random place of the run is (RaT-BPTT, Feng et al. 2023, "Embarrassingly
simple dataset distillation").

The real data are asked one question per outer step: the mean gradient of their loss at the end of
the run, which starts the reverse pass. Where dimensions are told, the moments that say how their
CCC is to be raised are asked before. All else reads synthetic items. The loss itself is not asked
for: what a step gives as its loss has its derivative, but the value of that gradient's length.

How the end of the run depends on the set is told by `distill.objectives.student_run`; with `inner =
"higher"` by the graphs of all steps (Grefenstette et al. 2019), exact and with the memory of T.
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
from distill.objectives.real_loss import RealLoss, emotion_balance
from distill.objectives.student_run import Point, StudentRun, size_of
from distill.objectives.trajectories import require_plain
from evaluation.augment import Augment
from evaluation.networks import Weights, draw_weights
from synth_data.curator import CLASS_SHARES, Curator
from synth_data.ledger import Release
from synth_data.representation import Representation
from synth_data.schedule import Momentum, NativeSchedule
from synth_data.settings import Count, Positive, Probability, Share, Whole

LOG_RATES = "log learning rates"
BALANCE = "class balance"
PULL = "gradient at the end of a run"


@dataclass(frozen=True)
class Unrolled(Objective):
    """Differentiates through a student's training on the set.

    Attributes:
        steps: of the student's run, T.
        together: items of each class in a step's batch, so many at least that a run meets every
            item; 0 for no more than that.
        learning_rate: of every step, to start with.
        momentum: of the student's SGD, mu.
        fixed: share of outer steps in which the student starts from the fixed initialisation,
            where the set is made for both kinds; in the others it starts from random weights.
        window: steps that are differentiated where it starts from random weights.
        sampling_probability: of each real utterance, in the question at the end of a run.
        at_a_step: utterances that this question is asked of at most, on average.
        augment: how real utterances are augmented in it.
        inner: how the derivatives are taken: by "finite-difference" from stored weights, or by
            "higher" from stored graphs.
    """

    name: ClassVar[str] = "unrolled"

    steps: Count = 20
    together: Whole = 0
    learning_rate: Positive = 0.02
    momentum: Momentum = 0.9
    fixed: Share = 0.5
    window: Count = 8
    sampling_probability: Probability = 0.2
    at_a_step: Count = 1024
    augment: Augment = Augment()
    inner: Literal["finite-difference", "higher"] = "finite-difference"

    def init(self, curator: Curator, student: Student, seed: int) -> State:  # noqa: ARG002
        return {BALANCE: emotion_balance(curator)}

    def learned(self) -> dict[str, Tensor]:
        return {LOG_RATES: torch.full((self.steps,), math.log(self.learning_rate))}

    def schedule(self, learned: Mapping[str, Tensor], per_class: int) -> NativeSchedule | None:
        if self.starts_from == "random":
            return None  # a schedule starts from the fixed initialisation
        rates = learned[LOG_RATES].detach().exp().cpu()
        return NativeSchedule(rates, self.momentum, self.batch(per_class))

    def step(
        self,
        state: State,
        candidate: Candidate,
        curator: Curator,
        student: Student,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, ""], State]:
        def pull(end: Weights) -> tuple[Tensor, Weights]:
            sample = curator.sample(self.sampling_probability, self.at_a_step, generator)
            view = partial(self.augment, generator=generator)
            loss = RealLoss(student, view, state[BALANCE]).asked(curator, end, sample)
            gradient = curator.mean_gradient(
                loss, end, purpose=PULL, sample=sample, per_class=False
            )
            return size_of(gradient), gradient

        weights, first, last = self._window(student, generator)
        rates, together = candidate.learned[LOG_RATES], self.batch(candidate.per_class)
        run = StudentRun(student, candidate, rates, self.momentum, together)
        point = Point.at_rest(weights)
        for step in range(first):
            point = run.after(step, point)
        return run.loss(point, range(first, last), pull, self.inner), state

    def cost(self, per_class: int, utterances: int) -> Cost:
        # One pass over a batch forwards, and two backwards where a step is differentiated.
        window = self.share + (1 - self.share) * min(1.0, self.window / self.steps)
        times = self.steps * self.batch(per_class) / per_class  # that a run meets an item
        return Cost(
            real_passes=0.0,
            step_passes=(1 + 2 * window) * times,
            checkpoints=0,
            step_real_passes=min(self.sampling_probability * utterances, float(self.at_a_step)),
        )

    def numbers(
        self,
        student: Student,
        spec: Representation,  # noqa: ARG002
        emotions: int,  # noqa: ARG002
    ) -> dict[str, int]:
        return {PULL: sum(weight.numel() for weight in student.start.values())}

    def releases(self, steps: int) -> list[Release]:
        require_plain(self.augment)
        return [
            Release(CLASS_SHARES, 1.0),
            Release(PULL, 1.0, self.sampling_probability, steps),
        ]

    def batch(self, per_class: int) -> int:
        """Items of each class in a step's batch, of so many."""
        return max(self.together, math.ceil(per_class / self.steps))

    @property
    def share(self) -> float:
        """Of outer steps in which the student starts from the fixed initialisation."""
        return {"fixed": 1.0, "random": 0.0, "both": self.fixed}[self.starts_from]

    def _window(
        self, student: Student, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], int, int]:
        """The weights that a run starts from, and the steps of it that are differentiated."""
        if float(torch.rand((), generator=generator)) < self.share:
            return dict(student.start), 0, self.steps
        device = next(iter(student.start.values())).device
        drawn = draw_weights(student.network, generator)
        window = min(self.window, self.steps)
        first = int(torch.randint(self.steps - window + 1, (1,), generator=generator))
        return {name: weight.to(device) for name, weight in drawn.items()}, first, first + window
