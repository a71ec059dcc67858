"""A student's run on a set, and how its end depends on the set.

The student takes steps of SGD with momentum, each with a batch of its own, in turn, and a step
size of its own:

    m[t+1] = mu m[t] + gradient of the loss on batch t at w[t],    w[t+1] = w[t] - e[t] m[t+1].

Something is said of the weights it ends with: a loss, with its gradient there, which starts the
reverse pass. With u the derivative of that loss with respect to w[t+1], and b that with respect to
m[t+1],

    b <- b - e[t] u,    d/d log e[t] = -<w[t] - w[t+1], u>,
    d/d batch t = d/d batch <gradient[t], b>,
    u <- u + Hessian[t] b,    b <- mu b,

where the two second derivatives are finite differences. It stores the weights of each step, and no
graph.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import higher
import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill.objectives.finite_difference import STEP, along, with_slopes
from distill.objectives.objective import Candidate, Student
from evaluation.networks import Weights, apply
from evaluation.students.losses import student_loss
from synth_data.schedule import batch_rows

# From a student's last weights to a loss there, and its gradient.
End = Callable[[Weights], tuple[Float[Tensor, ""], Weights]]


@dataclass(frozen=True)
class Point:
    """Of a student's run: weights and the momentum they have."""

    weights: dict[str, Tensor]
    momentum: dict[str, Tensor]

    @classmethod
    def at_rest(cls, weights: Weights) -> "Point":
        """Weights that nothing has moved yet."""
        return cls(dict(weights), {name: torch.zeros_like(w) for name, w in weights.items()})


@dataclass(frozen=True)
class StudentRun:
    """A student's run on a candidate.

    Attributes:
        student: the network.
        candidate: what it is trained on.
        log_rates: logarithms of the step sizes, of every step that there can be; what is learned
            of the candidate may be behind them.
        momentum: of SGD, mu.
        together: items of each class in a step's batch.
        near: of finite differences (`finite_difference.along`).
    """

    student: Student
    candidate: Candidate
    log_rates: Float[Tensor, " step"]
    momentum: float
    together: int
    near: float = STEP

    def after(self, step: int, point: Point) -> Point:
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
        return Point(weights, moving)

    def loss(
        self,
        start: Point,
        steps: range,
        end: End,
        inner: Literal["finite-difference", "tesla", "higher"] = "finite-difference",
    ) -> Float[Tensor, ""]:
        """What is said of the end of a run, with its slopes by features, targets and rates.

        Args:
            start: of the run.
            steps: by their numbers, which say their batches and rates.
            end: what is said.
            inner: how slopes are taken: by "finite-difference" from stored weights; by "tesla"
                from none; or by "higher" from the graphs of all steps.
        """
        ways = {
            "finite-difference": self._by_differences,
            "tesla": self._by_tesla,
            "higher": self._by_higher,
        }
        return ways[inner](start, steps, end)

    def _by_differences(self, start: Point, steps: range, end: End) -> Float[Tensor, ""]:
        path, point = [start.weights], start
        for step in steps:
            point = self.after(step, point)
            path.append(point.weights)
        value, slope = end(path[-1])
        by_weights = dict(slope)
        by_momentum = {name: torch.zeros_like(u) for name, u in by_weights.items()}
        slopes = [torch.zeros_like(tensor) for tensor in self._inputs]
        for step, here, there in zip(
            reversed(steps), reversed(path[:-1]), reversed(path[1:]), strict=True
        ):
            slopes[2][step] = -_moved(here, there, by_weights)
            by_momentum = {
                name: b - self._rates[step] * by_weights[name] for name, b in by_momentum.items()
            }
            hessian = self._met(step, here, by_momentum, slopes)
            by_weights = {name: u + hessian[name] for name, u in by_weights.items()}
            by_momentum = {name: self.momentum * b for name, b in by_momentum.items()}
        return with_slopes(value, self._inputs, slopes)

    def _by_tesla(self, start: Point, steps: range, end: End) -> Float[Tensor, ""]:
        """With the Hessians left out, so that u stays as it is and weights can be found again.

        Cui et al. 2023 ("Scaling up dataset distillation to ImageNet-1K with constant memory",
        TESLA): each step's gradient is differentiated by its own batch where it was taken, as if
        earlier batches had no part in where that was. Theirs takes a second backward pass at each
        step, ours two more gradients. Exact for one step; of more, near where they are short: on
        noise, the slopes by items had a cosine with the exact ones of 0.98 to 0.99 for three steps
        of 0.003, of 0.8 to 0.98 for ten, and of -0.2 to 0.6 for ten of 0.1.
        """
        point = start
        for step in steps:
            point = self.after(step, point)
        value, by_weights = end(point.weights)
        rates = self._rates.double()
        reach, far = {}, torch.zeros_like(rates[0])  # of a step's gradient, by momentum too
        for step in reversed(steps):
            far = rates[step] + self.momentum * far
            reach[step] = far
        slopes = [torch.zeros_like(tensor) for tensor in self._inputs]
        point = start
        for step in steps:
            here, point = point.weights, self.after(step, point)
            slopes[2][step] = -_moved(here, point.weights, by_weights)
            self._met(step, here, {n: -reach[step] * u for n, u in by_weights.items()}, slopes)
        return with_slopes(value, self._inputs, slopes)

    def _by_higher(self, start: Point, steps: range, end: End) -> Float[Tensor, ""]:
        """By the graphs of all steps (Grefenstette et al. 2019): exact."""
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
                loss = student_loss(self.student.task, logits, inputs[1][rows])
                optimiser.step(loss, override={"lr": [inputs[2][step].exp()]})
            names = [name for name, _ in network.named_parameters()]
            last = dict(zip(names, model.parameters(), strict=True))
            value, by_weights = end({name: weight.detach() for name, weight in last.items()})
            slopes = torch.autograd.grad(
                list(last.values()),
                inputs,
                [by_weights[name] for name in last],
                allow_unused=True,
                materialize_grads=True,
            )
        return with_slopes(value, self._inputs, slopes)

    def _met(
        self, step: int, here: Weights, direction: Weights, slopes: list[Tensor]
    ) -> dict[str, Tensor]:
        """Adds what a step's batch does along a direction to the slopes; the Hessian times it."""
        batch = [each.detach().requires_grad_() for each in self._batch(step)]
        loss = partial(self._loss, features=batch[0], targets=batch[1])
        hessian, found = along(loss, here, direction, batch, self.near)
        rows = self._rows(step)
        slopes[0].index_add_(0, rows, found[0])
        slopes[1].index_add_(0, rows, found[1])
        return hessian

    @property
    def _inputs(self) -> list[Tensor]:
        """What a run depends on."""
        return [self.candidate.features, self.candidate.targets, self.log_rates]

    @property
    def _rates(self) -> Float[Tensor, " step"]:
        return self.log_rates.detach().exp()

    def _rows(self, step: int) -> Int[Tensor, " batch"]:
        """The items of a step's batch: the next ones of each class, in turn."""
        classes = len(self.candidate.features) // self.candidate.per_class
        where = self.candidate.features.device
        return batch_rows(step, classes, self.candidate.per_class, self.together, where)

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        rows = self._rows(step)
        return self.candidate.features[rows], self.candidate.targets[rows]

    def _loss(self, at: Weights, features: Tensor, targets: Tensor) -> Float[Tensor, ""]:
        outputs = apply(self.student.network, at, features)
        return student_loss(self.student.task, outputs, targets)


def size_of(tensors: Weights) -> Float[Tensor, ""]:
    """The length of all of them as one vector."""
    return torch.stack([tensor.square().sum() for tensor in tensors.values()]).sum().sqrt()


def _moved(here: Weights, there: Weights, by_weights: Weights) -> Tensor | int:
    return sum(((here[name] - there[name]) * u).sum() for name, u in by_weights.items())
