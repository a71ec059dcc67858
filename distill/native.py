"""A native schedule for items that are made already: a few steps from the fixed start to an expert.

An expert is trained on the real data from the fixed initialisation, through the door. Then a
student takes its steps, one batch of items each. Where it stands, at w[t], the items of the next
batch and their labels are moved until the gradient g of its loss points away from the expert w*,
and the step size is the one that brings it nearest:

    make 1 - cos(g, w[t] - w*) + closeness * mean (x - x[made])^2 small,
    w[t+1] = w[t] - e[t] g,    e[t] = <g, w[t] - w*> / <g, g>.

Cazenavette et al. 2022 ("Dataset distillation by matching training trajectories") compare where
several steps of one rate lead, from anywhere on an expert's way; here each step is compared, from
where the student's own steps have brought it, so that there is no graph through several steps, no
rate to be tuned, and what one step leaves over is the next one's task. Nearly all that is known of
the expert comes through a few items this way: for small networks such a set is weights in
disguise. The `closeness` keeps the items useful to students that start from random weights.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill.candidate import ITEMS, LABELS, NUMBERS, SURE, Parameterisation, bounded
from distill.judge import Judge
from distill.objectives.finite_difference import along
from distill.objectives.objective import Student
from evaluation.networks import Weights, apply
from evaluation.students.losses import student_loss
from synth_data.progress import Progress
from synth_data.schedule import NativeSchedule, batch_rows
from synth_data.settings import Count, NotNegative, Positive, Whole

MOVED = (ITEMS, LABELS, NUMBERS)  # of what is learned, where there is such


@dataclass(frozen=True)
class Native:
    """How a native schedule is made for a set.

    The labels of the items that it uses are learned, and stay largest for their own emotion, where
    emotions alone are told.

    Attributes:
        steps: of the schedule, at most: it ends where validation speakers gain no more; 0 for no
            schedule. Steps are so long that each carries an error of the one before on a
            hundredfold: with many more than three, what rounding does to the items comes through.
        together: items of each class in a step's batch, as far as there are so many. The more, the
            nearer to the expert, and the more is lost by students that start elsewhere.
        rounds: of Adam, for each step, with a cosine to zero.
        learning_rate: of Adam on the items; features have about unit variance.
        label_learning_rate: the same on the logits of labels.
        closeness: to the items as they were made; 0 for students from the fixed start alone.
    """

    steps: Whole = 0
    together: Count = 3
    rounds: Count = 300
    learning_rate: Positive = 0.03
    label_learning_rate: Positive = 0.05
    closeness: NotNegative = 0.1

    def batches(self, per_class: int) -> tuple[int, int]:
        """Steps there will be, and items of each class in a batch, of so many."""
        steps = min(self.steps, per_class)
        return steps, min(self.together, per_class // steps) if steps else 0

    def passes(self, per_class: int, classes: int) -> int:
        """Forward and backward passes of one item that it will take, besides the expert's."""
        steps, together = self.batches(per_class)
        each = 1 + 2  # a gradient, and its two neighbours for a finite difference
        return each * self.rounds * steps * together * classes


@dataclass(frozen=True)
class Guided:
    """Items, perhaps with a schedule.

    Attributes:
        learned: items and labels, by name.
        schedule: None if there is none.
        scores: UAR (or CCC) of validation speakers after each step, of the student itself.
        worth: what the judge thought of the items with a schedule, whether that was kept or not;
            None where nobody was asked.
        notes: what a reader of the set should know of it.
        seconds: that it took.
    """

    learned: Mapping[str, Tensor]
    schedule: NativeSchedule | None = None
    scores: tuple[float, ...] = ()
    worth: float | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Guide:
    """Leads students from the fixed start to an expert.

    Attributes:
        native: how.
        student: the network, with its fixed start.
        expert: its weights, once it has learned from the real data.
        parameterisation: of the items.
        targets: of the items as they started, in the order of their classes.
        per_class: items of each class.
        frames: of an item as students hear it.
        judge: says after how many steps the student is worth most; without one, after all.
        prefixes: items of each class that are sets as well; the schedule uses those of the
            smallest alone, so that it belongs to every one of them.
    """

    native: Native
    student: Student
    expert: Weights
    parameterisation: Parameterisation
    targets: Float[Tensor, "n column"]
    per_class: int
    frames: int
    judge: Judge | None = None
    prefixes: tuple[int, ...] = ()

    def run(
        self,
        made: Mapping[str, Tensor],
        worth: float,
        progress: Progress,
        seconds: float = math.inf,
    ) -> Guided:
        """Adds a schedule to items that are made, unless that undoes what they had gained.

        Args:
            made: items, and labels where these are learned, by name.
            worth: what the judge thought of what they started from, if there is one. The best
                of all that it thought on the way would be luck in part.
            progress: a bar.
            seconds: that it may take, but for being judged once.
        """
        began = time.monotonic()
        learned, schedule, scores = self._led(made, progress, seconds)
        found = None
        if self.judge is not None and schedule is not None:
            found = self.judge(learned, self.targets, schedule)
        if schedule is None:
            learned = dict(made)
            note = "it has no native schedule: none was found in the time there was"
        elif found is not None and found < worth:
            learned, schedule = dict(made), None
            note = (
                "it has no native schedule: with one it was worth less to validation speakers than "
                "what it started from"
            )
        else:
            used = len(schedule.learning_rates) * schedule.together * self._classes
            numbers = used * learned[ITEMS][0].numel()
            weights = sum(weight.numel() for weight in self.student.start.values())
            note = (
                f"its native schedule leads from the fixed initialisation towards an expert's "
                f"weights: {used} items, of {numbers:,} numbers, stand for {weights:,} weights"
            )
        return Guided(learned, schedule, scores, found, (note,), time.monotonic() - began)

    def _led(
        self, made: Mapping[str, Tensor], progress: Progress, seconds: float
    ) -> tuple[dict[str, Tensor], NativeSchedule | None, tuple[float, ...]]:
        """Items that lead to the expert, their schedule, and the student's scores on the way."""
        ends = time.monotonic() + seconds
        start = {name: weight.detach() for name, weight in self.student.start.items()}
        learned = {name: value.to(self._device) for name, value in made.items()}
        learned = self._told() | learned
        steps, together = self.native.batches(min(self.prefixes, default=self.per_class))
        here = {name: weight.double() for name, weight in start.items()}
        best, kept, rates, scores = learned, 0, list[float](), list[float]()
        for step in progress(range(steps)):
            if time.monotonic() > ends:
                break
            rows = batch_rows(step, self._classes, self.per_class, together)
            rows = rows.to(self._device)
            learned, rate, here = self._step(learned, rows, here, ends)
            if not 0 < rate < math.inf:
                break
            rates.append(rate)
            if self.judge is not None:
                scores.append(self.judge.hears({name: w.float().cpu() for name, w in here.items()}))
            if self.judge is None or scores[-1] >= max(scores):
                best, kept = learned, len(rates)
        schedule = NativeSchedule(torch.tensor(rates[:kept]), 0.0, together) if kept else None
        return {name: value.cpu() for name, value in best.items()}, schedule, tuple(scores)

    def _told(self) -> dict[str, Tensor]:
        """Targets as they are learned, where they were not yet."""
        task, targets = self.student.task, self.targets.to(self._device)
        parts = {LABELS: task.shares(targets).log(), NUMBERS: task.numbers(targets)}
        return {name: part for name, part in parts.items() if part.shape[1]}  # 0 and -infinity

    @property
    def _device(self) -> torch.device:
        return next(iter(self.expert.values())).device

    @property
    def _classes(self) -> int:
        return len(self.targets) // self.per_class

    def _step(
        self,
        learned: Mapping[str, Tensor],
        rows: Int[Tensor, " batch"],
        exact: Weights,
        ends: float,
    ) -> tuple[dict[str, Tensor], float, dict[str, Tensor]]:
        """The items after one step of the student, its step size, and where it led."""
        targets = self.targets.to(rows.device)[rows]
        batch = {name: value[rows] for name, value in learned.items() if name in MOVED}
        here = {name: weight.float() for name, weight in exact.items()}
        batch = self._turned(batch, targets, here, _less(here, self.expert), ends)
        moved = dict(learned)
        for name, value in batch.items():
            moved[name] = learned[name].index_copy(0, rows, value)
        # As the student will take the step: with what is stored, and in double precision.
        stored, _ = self.parameterisation.finished(
            batch, targets, self.frames, len(rows) // self._classes
        )
        exactly = partial(
            self._loss,
            features=stored.features.to(rows.device, torch.float64),
            targets=stored.targets.to(rows.device, torch.float64),
        )
        gradient, wanted = _gradient(exactly, exact), _less(exact, self.expert)
        rate = float((_product(gradient, wanted) / _product(gradient, gradient)).float())
        led = {name: exact[name] - rate * gradient[name] for name in exact}
        return moved, rate, led

    def _turned(
        self,
        before: Mapping[str, Tensor],
        targets: Float[Tensor, "batch column"],
        here: Weights,
        wanted: Weights,
        ends: float,
    ) -> dict[str, Tensor]:
        """A batch of items and labels whose gradient points where it should, as far as it can."""
        batch = {name: value.clone() for name, value in before.items()}
        if LABELS in batch:  # hard ones soften
            batch[LABELS] = torch.where(batch[LABELS].isinf(), -SURE, batch[LABELS])
        rates = dict.fromkeys(batch, self.native.label_learning_rate)
        rates[ITEMS] = self.native.learning_rate
        adam = torch.optim.Adam(
            [
                {"params": [value.requires_grad_()], "initial_lr": rates[name]}
                for name, value in batch.items()
            ]
        )
        items, per_class = batch[ITEMS], len(batch[ITEMS]) // self._classes

        def loss(at: Weights) -> Float[Tensor, ""]:
            seen = self.parameterisation.candidate(batch, targets, self.frames, per_class)
            return self._loss(at, seen.features, seen.targets)

        for done in range(self.native.rounds):
            if time.monotonic() > ends:
                break
            for group in adam.param_groups:
                decay = 0.5 * (1 + math.cos(math.pi * done / self.native.rounds))
                group["lr"] = group["initial_lr"] * decay
            moved = list(batch.values())
            _, slopes = along(loss, here, _away(_gradient(loss, here), wanted), moved)
            apart = (items.detach() - before[ITEMS]) / items.numel()
            for (name, value), slope in zip(batch.items(), slopes, strict=True):
                near = 2 * self.native.closeness * apart if name == ITEMS else 0.0
                value.grad = slope + near
            adam.step()
            with torch.no_grad():
                items.copy_(self.parameterisation.within(items, self.frames))
                if NUMBERS in batch:
                    batch[NUMBERS].copy_(bounded(batch[NUMBERS]))
                else:
                    labels = batch[LABELS]
                    largest = (labels * targets).sum(dim=1, keepdim=True)
                    labels.copy_(torch.minimum(labels, largest))
        return {name: value.detach() for name, value in batch.items()}

    def _loss(
        self,
        at: Weights,
        features: Float[Tensor, "n mel frame"],
        targets: Float[Tensor, "n column"],
    ) -> Float[Tensor, ""]:
        outputs = apply(self.student.network, at, features)
        return student_loss(self.student.task, outputs, targets)


def _gradient(loss: Callable[[Weights], Tensor], here: Weights) -> dict[str, Tensor]:
    free = {name: weight.detach().requires_grad_() for name, weight in here.items()}
    slopes = torch.autograd.grad(loss(free), list(free.values()))
    return dict(zip(free, slopes, strict=True))


def _away(gradient: Weights, wanted: Weights) -> dict[str, Tensor]:
    """The derivative of 1 - cos(gradient, wanted) with respect to the gradient."""
    size, aim = (_product(each, each).sqrt().clamp_min(1e-12) for each in (gradient, wanted))
    cosine = _product(gradient, wanted) / (size * aim)
    return {name: (cosine * gradient[name] / size - wanted[name] / aim) / size for name in gradient}


def _less(one: Weights, other: Weights) -> dict[str, Tensor]:
    return {name: one[name] - other[name] for name in one}


def _product(one: Weights, other: Weights) -> Float[Tensor, ""]:
    return torch.stack([(one[name] * other[name]).sum() for name in one]).sum()
