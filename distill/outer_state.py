"""Everything that an outer loop goes on from, as values and as named tensors on disk."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.objective import State


@dataclass(frozen=True)
class Look:
    """What validation speakers once said.

    Attributes:
        step: after how many.
        score: UAR or CCC.
        real: of what items start from under its own labels, where experts give others.
    """

    step: int
    score: float
    real: bool = False

    @property
    def moment(self) -> str:
        """When it was, as a set's manifest names it."""
        return f"{self.step}, under their own labels" if self.real else str(self.step)


@dataclass
class OuterState:
    """Where an outer loop is; an interrupted one goes on from it with the same bits.

    Attributes:
        initial: the items before the first step.
        targets: of these.
        learned: what is optimised, by name.
        average: its moving average.
        best: the one that was worth most to validation speakers.
        means, squares: Adam's moments of the gradients.
        taken: steps that Adam has taken, of each; it takes none where there is no usable gradient.
        norms: running means of the gradients' norms; 0 before the first.
        objective: what the objective knows.
        expert: weights `[expert, ...]` of networks that learned from the real data; empty where
            none is needed.
        questions: how often each purpose was asked for at the door.
        draws: for all that the steps draw.
        looks: what validation speakers said, in order.
        step: how many were taken.
        seconds: that they took, with what was asked before them.
        before: of those seconds, how many had passed before the first step.
        judging: seconds that being judged takes.
        without: steps in a row, up to now, that had no finite gradient.
    """

    GROUPS: ClassVar = (
        *("learned", "average", "best", "means", "squares", "taken", "norms"),
        *("objective", "expert"),
    )

    initial: Float[Tensor, "n mel frame"]
    targets: Float[Tensor, "n column"]
    learned: dict[str, Tensor]
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    means: dict[str, Tensor]
    squares: dict[str, Tensor]
    taken: dict[str, Tensor]
    norms: dict[str, Tensor]
    objective: State
    expert: dict[str, Tensor]
    questions: Counter[str]
    draws: torch.Generator
    looks: list[Look] = field(default_factory=list)
    step: int = 0
    seconds: float = 0.0
    before: float = 0.0
    judging: float = 0.0
    without: int = 0

    @classmethod
    def begin(
        cls,
        initial: Tensor,
        targets: Tensor,
        learned: dict[str, Tensor],
        objective: State,
        expert: dict[str, Tensor],
        questions: Counter[str],
        draws: torch.Generator,
    ) -> "OuterState":
        """Before the first step."""
        # Sorted as `of` sorts them: sums over them depend on their order in the last bit.
        learned, objective = dict(sorted(learned.items())), dict(sorted(objective.items()))
        return cls(
            initial=initial,
            targets=targets,
            learned=learned,
            average={name: value.clone() for name, value in learned.items()},
            best={name: value.clone() for name, value in learned.items()},
            means={name: torch.zeros_like(value) for name, value in learned.items()},
            squares={name: torch.zeros_like(value) for name, value in learned.items()},
            taken={name: torch.tensor(0.0) for name in learned},
            norms={name: torch.tensor(0.0) for name in learned},
            objective=objective,
            expert=expert,
            questions=questions,
            draws=draws,
        )

    def tensors(self) -> dict[str, Tensor]:
        """All of it, by name."""
        groups = {group: getattr(self, group) for group in self.GROUPS}
        groups["questions"] = {name: torch.tensor(n) for name, n in self.questions.items()}
        named = {
            f"{group}/{name}": tensor
            for group, tensors in groups.items()
            for name, tensor in tensors.items()
        }
        return named | {
            "initial": self.initial,
            "targets": self.targets,
            "draws": self.draws.get_state(),
            "looks": torch.tensor(
                [(look.step, look.score, look.real) for look in self.looks], dtype=torch.float64
            ).reshape(-1, 3),
            "step": torch.tensor(self.step),
            "seconds": torch.tensor(self.seconds),
            "before": torch.tensor(self.before),
            "judging": torch.tensor(self.judging),
            "without": torch.tensor(self.without),
        }

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], device: torch.device) -> "OuterState":
        """What `tensors` gave, on a device."""

        def group(prefix: str) -> dict[str, Tensor]:
            # Sorted, since a file has an order of its own.
            return {
                name.removeprefix(f"{prefix}/"): tensor.to(device)
                for name, tensor in sorted(tensors.items())
                if name.startswith(f"{prefix}/")
            }

        draws = torch.Generator()
        draws.set_state(tensors["draws"])
        groups = {name: group(name) for name in cls.GROUPS}
        for name in ("norms", "taken"):  # of the loop, not of the device
            groups[name] = {key: value.cpu() for key, value in groups[name].items()}
        return cls(
            **groups,
            initial=tensors["initial"],
            targets=tensors["targets"],
            questions=Counter({name: int(n) for name, n in group("questions").items()}),
            draws=draws,
            looks=[
                Look(int(step), score, bool(real))
                for step, score, real in tensors["looks"].tolist()
            ],
            step=int(tensors["step"]),
            seconds=float(tensors["seconds"]),
            before=float(tensors["before"]),
            judging=float(tensors["judging"]),
            without=int(tensors["without"]),
        )
