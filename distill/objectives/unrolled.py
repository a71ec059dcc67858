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
the run, which starts the reverse pass. All else reads synthetic items.

The reverse pass stores the weights of each step, and no graph. With u the derivative of the outer
loss with respect to w[t+1], and b that with respect to m[t+1],

    b <- b - e[t] u,    d/d log e[t] = -<w[t] - w[t+1], u>,
    d/d batch t = d/d batch <gradient[t], b>,
    u <- u + Hessian[t] b,    b <- mu b,

where the two second derivatives are finite differences. `inner = "higher"` keeps the graphs
instead (Grefenstette et al. 2019): exact, with the memory of T graphs.
"""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import higher
import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill.objectives.finite_difference import along, with_slopes
from distill.objectives.objective import Candidate, Cost, Objective, State, Student
from distill.objectives.trajectories import require_plain
from evaluation.augment import Augment
from evaluation.networks import Weights, apply, draw_weights
from evaluation.students import cross_entropy
from synth_data.curator import CLASS_SHARES, Curator
from synth_data.features import FeatureSpec
from synth_data.ledger import Release
from synth_data.mechanism import Draw
from synth_data.schedule import Momentum, NativeSchedule, batch_rows
from synth_data.settings import Count, Positive, Probability, Share, Whole

LOG_RATES = "log learning rates"
BALANCE = "class balance"
PULL = "gradient at the end of a run"

Pull = Callable[[Weights], dict[str, Tensor]]  # from a student's last weights to a gradient there


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
    augment: Augment = Augment()
    inner: Literal["finite-difference", "higher"] = "finite-difference"

    def init(self, curator: Curator, student: Student, seed: int) -> State:  # noqa: ARG002
        return {BALANCE: curator.class_balance()}

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
        def pull(end: Weights) -> dict[str, Tensor]:
            return curator.mean_gradient(
                lambda at, features, targets: cross_entropy(
                    apply(student.network, at, self.augment(features, generator)),
                    targets * state[BALANCE],
                ),
                end,
                purpose=PULL,
                sample=Draw(self.sampling_probability, generator),
                per_class=False,
            )

        weights, first, last = self._window(student, generator)
        run = _Run(student, candidate, self.momentum, self.batch(candidate.per_class))
        point = _Point(weights, {name: torch.zeros_like(w) for name, w in weights.items()})
        for step in range(first):
            point = run.after(step, point)
        backward = run.backward if self.inner == "finite-difference" else run.backward_by_higher
        return backward(point, range(first, last), pull), state

    def cost(self, per_class: int) -> Cost:
        # One pass over a batch forwards, and two backwards where a step is differentiated.
        window = self.share + (1 - self.share) * min(1.0, self.window / self.steps)
        times = self.steps * self.batch(per_class) / per_class  # that a run meets an item
        return Cost(
            real_passes=0.0,
            step_passes=(1 + 2 * window) * times,
            checkpoints=0,
            step_real_passes=self.sampling_probability,
        )

    def numbers(
        self,
        student: Student,
        spec: FeatureSpec,  # noqa: ARG002
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


@dataclass(frozen=True)
class _Point:
    """Of a student's run: weights and the momentum they have."""

    weights: dict[str, Tensor]
    momentum: dict[str, Tensor]


@dataclass(frozen=True)
class _Run:
    """A student's run on a candidate, by the candidate's own step sizes."""

    student: Student
    candidate: Candidate
    momentum: float
    together: int

    def after(self, step: int, point: _Point) -> _Point:
        """Where one step leads."""
        features, targets = self._batch(step)
        free = {name: w.detach().requires_grad_() for name, w in point.weights.items()}
        loss = self._loss(free, features.detach(), targets.detach())
        slopes = torch.autograd.grad(loss, list(free.values()))
        rate = self._rates[step]
        moving = {
            name: self.momentum * point.momentum[name] + slope
            for name, slope in zip(free, slopes, strict=True)
        }
        weights = {name: w - rate * moving[name] for name, w in point.weights.items()}
        return _Point(weights, moving)

    def backward(self, start: _Point, steps: range, pull: Pull) -> Float[Tensor, ""]:
        """The size of the pull at the end, with the slopes of the real loss there."""
        path, point = [start.weights], start
        for step in steps:
            point = self.after(step, point)
            path.append(point.weights)
        by_weights = pull(path[-1])
        size = _norm(by_weights)
        by_momentum = {name: torch.zeros_like(u) for name, u in by_weights.items()}
        slopes = [torch.zeros_like(tensor) for tensor in self._inputs]
        for step, here, there in zip(
            reversed(steps), reversed(path[:-1]), reversed(path[1:]), strict=True
        ):
            slopes[2][step] = -sum(
                ((here[name] - there[name]) * u).sum() for name, u in by_weights.items()
            )
            by_momentum = {
                name: b - self._rates[step] * by_weights[name] for name, b in by_momentum.items()
            }
            batch = [each.detach().requires_grad_() for each in self._batch(step)]
            loss = partial(self._loss, features=batch[0], targets=batch[1])
            hessian, found = along(loss, here, by_momentum, batch)
            rows = self._rows(step)
            slopes[0].index_add_(0, rows, found[0])
            slopes[1].index_add_(0, rows, found[1])
            by_weights = {name: u + hessian[name] for name, u in by_weights.items()}
            by_momentum = {name: self.momentum * b for name, b in by_momentum.items()}
        return with_slopes(size, self._inputs, slopes)

    def backward_by_higher(self, start: _Point, steps: range, pull: Pull) -> Float[Tensor, ""]:
        """The same by the graphs of all steps."""
        network = copy.deepcopy(self.student.network).to_empty(device=self._rates.device)
        network.load_state_dict(start.weights)
        sgd = torch.optim.SGD(network.parameters(), lr=1.0, momentum=self.momentum)
        for name, weight in network.named_parameters():
            sgd.state[weight] = {"momentum_buffer": start.momentum[name].clone()}
        inputs = [each.detach().requires_grad_() for each in self._inputs]
        with higher.innerloop_ctx(network, sgd, copy_initial_weights=False) as (model, optimiser):
            for step in steps:
                rows = self._rows(step)
                logits = model(inputs[0][rows])
                loss = cross_entropy(logits, inputs[1][rows]).mean()
                optimiser.step(loss, override={"lr": [inputs[2][step].exp()]})
            names = [name for name, _ in network.named_parameters()]
            end = dict(zip(names, model.parameters(), strict=True))
            by_weights = pull({name: weight.detach() for name, weight in end.items()})
            slopes = torch.autograd.grad(
                list(end.values()),
                inputs,
                [by_weights[name] for name in end],
                allow_unused=True,
                materialize_grads=True,
            )
        return with_slopes(_norm(by_weights), self._inputs, slopes)

    @property
    def _inputs(self) -> list[Tensor]:
        """What a run depends on."""
        return [self.candidate.features, self.candidate.targets, self.candidate.learned[LOG_RATES]]

    @property
    def _rates(self) -> Float[Tensor, " step"]:
        return self.candidate.learned[LOG_RATES].detach().exp()

    def _rows(self, step: int) -> Int[Tensor, " batch"]:
        """The items of a step's batch: the next ones of each class, in turn."""
        classes = len(self.candidate.features) // self.candidate.per_class
        return batch_rows(step, classes, self.candidate.per_class, self.together).to(
            self.candidate.features.device
        )

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        rows = self._rows(step)
        return self.candidate.features[rows], self.candidate.targets[rows]

    def _loss(self, at: Weights, features: Tensor, targets: Tensor) -> Float[Tensor, ""]:
        return cross_entropy(apply(self.student.network, at, features), targets).mean()


def _norm(tensors: Weights) -> Float[Tensor, ""]:
    return torch.stack([tensor.square().sum() for tensor in tensors.values()]).sum().sqrt()
