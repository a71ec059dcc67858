"""The outer loop: an objective pulls what is learned until it is a synthetic set."""

import logging
import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distill.candidate import ITEMS, LABELS, LEARNED, Parameterisation
from distill.checkpoint import Checkpoint
from distill.objectives.objective import Objective, State, Student
from synth_data.curator import Curator, TooFewUtterancesError
from synth_data.errors import UserError
from synth_data.progress import Progress
from synth_data.randomness import generator
from synth_data.settings import Count, NotNegative, Positive

logger = logging.getLogger(__name__)

SAVE_EVERY = 20.0  # seconds between checkpoints: at most so much work is lost
CLIP = 2.0  # times its running mean, that a gradient's norm may be
MEMORY = 0.9  # of that running mean
PATIENCE = 20  # steps in a row without a usable gradient, before a run is given up

# How a checkpoint names what it holds, each followed by a name.
VALUE, MEAN, SQUARE, NORM = "learned/", "adam/mean/", "adam/square/", "norm/"
STATE, QUESTIONS = "state/", "questions/"


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
        initialisation: of the candidate: "real" utterances, drawn at random, which the set may
            then resemble; or "noise" around the class means, which are asked at the door. Where
            a class has fewer than are needed, "real" becomes "noise", and the set says so.
        noise: its standard deviation.
    """

    steps: Count = 1000
    learning_rate: Positive = 0.03
    schedule_learning_rate: Positive = 0.03
    initialisation: Literal["real", "noise"] = "real"
    noise: NotNegative = 0.5


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
    """

    curator: Curator
    objective: Objective
    student: Student
    targets: Float[Tensor, "n emotion"]
    parameterisation: Parameterisation
    loop: Loop
    seed: int

    @property
    def per_class(self) -> int:
        """Items of each class."""
        return len(self.targets) // len(self.curator.emotions)

    def begin(self) -> dict[str, Tensor]:
        """The progress of a run before its first step."""
        began = time.monotonic()
        initial, from_real = self._initial(generator(self.seed, "candidate"))
        learned = self.parameterisation.begin(initial, self.targets.to(initial.device))
        for name, value in self.objective.learned().items():
            learned[LEARNED + name] = value.to(initial.device)
        state = self.objective.init(self.curator, self.student, self.seed)
        progress = {
            "initial": initial,
            "from_real": torch.tensor(from_real),
            "step": torch.tensor(0),
            "generator": generator(self.seed, "steps").get_state(),
            **{VALUE + name: value for name, value in learned.items()},
            **{MEAN + name: torch.zeros_like(value) for name, value in learned.items()},
            **{SQUARE + name: torch.zeros_like(value) for name, value in learned.items()},
            **{NORM + name: torch.tensor(0.0) for name in learned},
            **{STATE + name: tensor for name, tensor in state.items()},
            **{QUESTIONS + name: torch.tensor(n) for name, n in self.curator.questions.items()},
        }
        return {**progress, "seconds": torch.tensor(time.monotonic() - began)}

    def run(
        self, before: Mapping[str, Tensor], saved: Checkpoint, progress: Progress
    ) -> dict[str, Tensor]:
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
        state: State = _named(before, STATE, device)
        norms = _named(before, NORM, torch.device("cpu"))
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

        def save(step: int) -> None:
            moments = {name: optimiser.state[value] for name, value in learned.items()}
            saved.save(
                {
                    "initial": before["initial"],
                    "from_real": before["from_real"],
                    "step": torch.tensor(step),
                    "seconds": torch.tensor(time.monotonic() - began),
                    "generator": draws.get_state(),
                    **{VALUE + name: value for name, value in learned.items()},
                    **{MEAN + name: each["exp_avg"] for name, each in moments.items()},
                    **{SQUARE + name: each["exp_avg_sq"] for name, each in moments.items()},
                    **{NORM + name: norm for name, norm in norms.items()},
                    **{STATE + name: tensor for name, tensor in state.items()},
                    **{QUESTIONS + name: torch.tensor(n) for name, n in questions.items()},
                }
            )

        save(first)
        last_save, without = time.monotonic(), 0
        frames, targets = self.curator.spec.frames, self.targets.to(device)
        bar = progress(range(first, self.loop.steps), initial=first, total=self.loop.steps)
        for step in bar:
            decay = 0.5 * (1 + math.cos(math.pi * step / self.loop.steps))
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * decay
            candidate = self.parameterisation.candidate(learned, targets, frames, self.per_class)
            loss, state = self.objective.step(state, candidate, self.curator, self.student, draws)
            optimiser.zero_grad(set_to_none=True)
            loss.backward(inputs=list(learned.values()))
            if _clipped(learned, norms):
                without = 0
                optimiser.step()
                with torch.no_grad():
                    learned[ITEMS].clamp_(-self.parameterisation.limit, self.parameterisation.limit)
            elif (without := without + 1) == PATIENCE:
                raise UserError(
                    f"{self.objective.name} has had no finite gradient for {PATIENCE} steps, up to "
                    f"step {step + 1}: lower its learning rates, or those of the loop"
                )
            if time.monotonic() - last_save > SAVE_EVERY:
                save(step + 1)
                last_save = time.monotonic()
                bar.set_postfix(loss=f"{float(loss.detach()):.3g}", refresh=False)
        save(self.loop.steps)
        return {name: value.detach().cpu() for name, value in learned.items()}

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

    def _initial(self, draws: torch.Generator) -> tuple[Float[Tensor, "n mel frame"], bool]:
        """The items before the first step, and whether they are real utterances."""
        if self.loop.initialisation == "real":
            try:
                return self.curator.draw_real(self.per_class, draws), True
            except TooFewUtterancesError as reason:
                logger.warning("starting from noise around the class means: %s", reason)
        means = self.curator.mean(lambda features, _: features, purpose="class means")
        around = means.repeat_interleave(self.per_class, dim=0)
        noise = torch.randn(around.shape, generator=draws).to(around.device)
        return around + self.loop.noise * noise, False


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


def _named(tensors: Mapping[str, Tensor], prefix: str, device: torch.device) -> dict[str, Tensor]:
    # Sorted, since a file has an order of its own, and sums depend on the order in the last bit.
    return {
        name.removeprefix(prefix): tensor.to(device)
        for name, tensor in sorted(tensors.items())
        if name.startswith(prefix)
    }
