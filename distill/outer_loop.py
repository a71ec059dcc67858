"""The outer loop: an objective pulls what is learned until it is a synthetic set."""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distill.candidate import ITEMS, LABELS, LEARNED, Parameterisation
from distill.checkpoint import Checkpoint
from distill.initialisations import INITIALISATIONS
from distill.objectives.objective import Objective, State, Student
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.progress import Progress
from synth_data.randomness import generator
from synth_data.schedule import Momentum
from synth_data.settings import Count, NotNegative, Positive

SAVE_EVERY = 20.0  # seconds between checkpoints: at most so much work is lost
CLIP = 2.0  # times its running mean, that a gradient's norm may be
MEMORY = 0.9  # of that running mean
PATIENCE = 20  # steps in a row without a usable gradient, before a run is given up

# How a checkpoint names what it holds, each followed by a name.
VALUE, MEAN, SQUARE, NORM = "learned/", "adam/mean/", "adam/square/", "norm/"
STATE, QUESTIONS, AVERAGE, BEST = "state/", "questions/", "average/", "best/"

# What validation speakers say of what is learned: the higher, the better.
Judge = Callable[[Mapping[str, Tensor]], float]


@dataclass(frozen=True)
class Made:
    """What an outer loop ended with.

    Attributes:
        learned: by name.
        step: after which it was so.
        scores: (step, score) each time that it was judged, in order.
        steps: that were taken in all.
    """

    learned: dict[str, Tensor]
    step: int
    scores: tuple[tuple[int, float], ...]
    steps: int


@dataclass(frozen=True)
class Loop:
    """How a candidate is optimised: Adam, with a cosine to zero.

    A gradient whose norm is more than twice its running mean is shortened to that, and a step
    whose gradient is not finite is not taken.

    Attributes:
        steps: outer steps.
        learning_rate: of Adam on the items at the start; features have about unit variance.
        schedule_learning_rate: the same on what an objective learns besides items and labels,
            such as the logarithms of step sizes.
        initialisation: of the candidate (`INITIALISATIONS`): "real" utterances, drawn at random,
            or chosen by "k-means" or "herding", all of which the set may then resemble;
            "class-means", which are asked at the door, with noise; or "noise" alone. Where a class
            has fewer utterances than are needed, they are taken again, with noise.
        noise: its standard deviation.
        average: what is returned is a moving average of what is learned, which keeps so much of
            itself at every step; 0 for the last step alone.
        checks: how often the candidate is judged on validation speakers, where there are any, not
            counting its start; what is returned is the best one found, so never worse than that.
    """

    steps: Count = 1000
    learning_rate: Positive = 0.03
    schedule_learning_rate: Positive = 0.03
    initialisation: Literal["real", "k-means", "herding", "class-means", "noise"] = "real"
    noise: NotNegative = 0.5
    average: Momentum = 0.0
    checks: Count = 2


@dataclass(frozen=True)
class OuterLoop:
    """A run's outer loop.

    Attributes:
        curator: the door.
        objective: what pulls.
        student: the network that the set is made for.
        targets: of the items, one-hot, in the order of their classes.
        parameterisation: what is learned.
        loop: how.
        seed: that all random numbers are derived from.
        judge: says how good what is learned is; without one the last step's is taken.
        max_seconds: that the loop may take, with what was asked before it and with judging.
    """

    curator: Curator
    objective: Objective
    student: Student
    targets: Float[Tensor, "n emotion"]
    parameterisation: Parameterisation
    loop: Loop
    seed: int
    judge: Judge | None = None
    max_seconds: float | None = None

    @property
    def per_class(self) -> int:
        """Items of each class."""
        return len(self.targets) // len(self.curator.emotions)

    def begin(self) -> dict[str, Tensor]:
        """The progress of a run before its first step."""
        began = time.monotonic()
        initial = self._initial(generator(self.seed, "candidate"))
        learned = self.parameterisation.begin(initial, self.targets.to(initial.device))
        for name, value in self.objective.learned().items():
            learned[LEARNED + name] = value.to(initial.device)
        state = self.objective.init(self.curator, self.student, self.seed)
        progress = {
            "initial": initial,
            "step": torch.tensor(0),
            "generator": generator(self.seed, "steps").get_state(),
            "scores": torch.zeros(0, 2),
            **_under(VALUE, learned),
            **_under(AVERAGE, {name: value.clone() for name, value in learned.items()}),
            **_under(BEST, {name: value.clone() for name, value in learned.items()}),
            **_under(MEAN, {name: torch.zeros_like(value) for name, value in learned.items()}),
            **_under(SQUARE, {name: torch.zeros_like(value) for name, value in learned.items()}),
            **_under(NORM, {name: torch.tensor(0.0) for name in learned}),
            **_under(STATE, state),
            **_under(QUESTIONS, {n: torch.tensor(k) for n, k in self.curator.questions.items()}),
        }
        return {**progress, "seconds": torch.tensor(time.monotonic() - began)}

    def run(self, before: Mapping[str, Tensor], saved: Checkpoint, progress: Progress) -> Made:
        """Takes the steps that are left and returns what was learned.

        Args:
            before: of `begin`, or saved.
            saved: where progress goes.
            progress: a bar for the steps.

        Raises:
            UserError: the objective has no usable gradient any more.
        """
        device = self.curator.device
        learned = {
            name: value.clone().requires_grad_()
            for name, value in _named(before, VALUE, device).items()
        }
        average, best = _named(before, AVERAGE, device), _named(before, BEST, device)
        state: State = _named(before, STATE, device)
        norms = _named(before, NORM, torch.device("cpu"))
        scores: list[tuple[int, float]] = [
            (int(at), score) for at, score in before["scores"].tolist()
        ]
        questions = self.curator.questions
        questions.clear()
        questions.update(
            Counter({name: int(n) for name, n in _named(before, QUESTIONS, device).items()})
        )
        draws = torch.Generator()
        draws.set_state(before["generator"])
        first = int(before["step"])
        optimiser = self._adam(learned, before, first)
        began = time.monotonic() - float(before["seconds"])
        judging = 0.0

        def now() -> Mapping[str, Tensor]:
            return average if self.loop.average else learned

        def consider(step: int) -> None:
            nonlocal best, judging
            if self.judge is None or (scores and scores[-1][0] == step):
                return
            asked = time.monotonic()
            score = self.judge({name: value.detach() for name, value in now().items()})
            if not scores or score > max(score for _, score in scores):
                best = {name: value.detach().clone() for name, value in now().items()}
            scores.append((step, score))
            judging = time.monotonic() - asked

        def save(step: int) -> None:
            moments = {name: optimiser.state[value] for name, value in learned.items()}
            saved.save(
                {
                    "initial": before["initial"],
                    "step": torch.tensor(step),
                    "seconds": torch.tensor(time.monotonic() - began),
                    "generator": draws.get_state(),
                    "scores": torch.tensor(scores, dtype=torch.float64).reshape(-1, 2),
                    **_under(VALUE, learned),
                    **_under(AVERAGE, average),
                    **_under(BEST, best),
                    **_under(MEAN, {name: each["exp_avg"] for name, each in moments.items()}),
                    **_under(SQUARE, {name: each["exp_avg_sq"] for name, each in moments.items()}),
                    **_under(NORM, norms),
                    **_under(STATE, state),
                    **_under(QUESTIONS, {n: torch.tensor(k) for n, k in questions.items()}),
                }
            )

        if first == 0:
            consider(0)
        save(first)
        steps = self.loop.steps
        checks = {round(steps * check / self.loop.checks) for check in range(1, self.loop.checks)}
        last_save, without, taken = time.monotonic(), 0, first
        frames, targets = self.curator.spec.frames, self.targets.to(device)
        bar = progress(range(first, steps), initial=first, total=steps)
        for step in bar:
            done = step / steps
            if self.max_seconds is not None:
                # What is left includes being judged once more.
                left = self.max_seconds - (time.monotonic() - began) - judging
                if left <= 0:
                    break
                done = max(done, 1 - left / self.max_seconds)
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * 0.5 * (1 + math.cos(math.pi * done))
            candidate = self.parameterisation.candidate(learned, targets, frames, self.per_class)
            loss, state = self.objective.step(state, candidate, self.curator, self.student, draws)
            optimiser.zero_grad(set_to_none=True)
            loss.backward(inputs=list(learned.values()))
            if _clipped(learned, norms):
                without = 0
                optimiser.step()
                with torch.no_grad():
                    learned[ITEMS].clamp_(-self.parameterisation.limit, self.parameterisation.limit)
                    for name, value in average.items():
                        value.lerp_(learned[name], 1 - self.loop.average)
            elif (without := without + 1) == PATIENCE:
                raise UserError(
                    f"{self.objective.name} has had no finite gradient for {PATIENCE} steps, up to "
                    f"step {step + 1}: lower its learning rates, or those of the loop"
                )
            taken = step + 1
            if taken in checks:
                consider(taken)
            if time.monotonic() - last_save > SAVE_EVERY:
                save(taken)
                last_save = time.monotonic()
                bar.set_postfix(loss=f"{float(loss.detach()):.3g}", refresh=False)
        consider(taken)
        save(taken)
        ended = best if self.judge else now()
        return Made(
            {name: value.detach().cpu() for name, value in ended.items()},
            max(scores, key=lambda each: each[1])[0] if scores else taken,
            tuple(scores),
            taken,
        )

    def _adam(
        self, learned: Mapping[str, Tensor], before: Mapping[str, Tensor], step: int
    ) -> torch.optim.Adam:
        """Adam as it was."""
        rates = {
            ITEMS: self.loop.learning_rate,
            LABELS: self.parameterisation.label_learning_rate,
        }
        groups = []
        for name, value in learned.items():
            rate = rates.get(name, self.loop.schedule_learning_rate)
            groups.append({"params": [value], "lr": rate, "initial_lr": rate})
        optimiser = torch.optim.Adam(groups)
        for name, value in learned.items():
            optimiser.state[value] = {
                "step": torch.tensor(float(step)),
                "exp_avg": before[MEAN + name].to(value.device),
                "exp_avg_sq": before[SQUARE + name].to(value.device),
            }
        return optimiser

    def _initial(self, draws: torch.Generator) -> Float[Tensor, "n mel frame"]:
        """The items before the first step."""
        begin = INITIALISATIONS[self.loop.initialisation].begin
        items, noisy = begin(self.curator, self.student, self.per_class, draws)
        noise = torch.randn(items.shape, generator=draws) * noisy[:, None, None]
        return items + self.loop.noise * noise.to(items.device)


def _clipped(learned: Mapping[str, Tensor], norms: dict[str, Tensor]) -> bool:
    """Shortens gradients that are out of proportion; False if one cannot be used.

    Args:
        learned: tensors with gradients.
        norms: running means of the gradients' norms, by name, 0 before the first; updated.
    """
    gradients = {name: value.grad for name, value in learned.items() if value.grad is not None}
    found = {name: gradient.norm().cpu() for name, gradient in gradients.items()}
    if not all(norm.isfinite() for norm in found.values()):
        return False
    for name, norm in found.items():
        if norms[name] > 0 and norm > CLIP * norms[name]:
            gradients[name] *= (CLIP * norms[name] / norm).to(gradients[name].device)
            norm = CLIP * norms[name]
        norms[name] = MEMORY * norms[name] + (1 - MEMORY) * norm if norms[name] > 0 else norm
    return True


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _named(tensors: Mapping[str, Tensor], prefix: str, device: torch.device) -> dict[str, Tensor]:
    # Sorted, since a file has an order of its own, and sums depend on the order in the last bit.
    return {
        name.removeprefix(prefix): tensor.to(device)
        for name, tensor in sorted(tensors.items())
        if name.startswith(prefix)
    }
