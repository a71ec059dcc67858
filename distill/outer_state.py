"""Everything that an outer loop goes on from, as values and as named tensors on disk."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.objective import State


@dataclass
class OuterState:
    """Where an outer loop is; an interrupted one goes on from it with the same bits.

    Attributes:
        initial: the items before the first step.
        learned: what is optimised, by name.
        average: its moving average.
        best: the one that was worth most to validation speakers.
        means, squares: Adam's moments of the gradients.
        norms: running means of the gradients' norms; 0 before the first.
        objective: what the objective knows.
        questions: how often each purpose was asked for at the door.
        draws: for all that the steps draw.
        scores: (step, score) each time that what is learned was judged.
        step: how many were taken.
        seconds: that they took, with what was asked before them.
    """

    GROUPS: ClassVar = ("learned", "average", "best", "means", "squares", "norms", "objective")

    initial: Float[Tensor, "n mel frame"]
    learned: dict[str, Tensor]
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    means: dict[str, Tensor]
    squares: dict[str, Tensor]
    norms: dict[str, Tensor]
    objective: State
    questions: Counter[str]
    draws: torch.Generator
    scores: list[tuple[int, float]] = field(default_factory=list)
    step: int = 0
    seconds: float = 0.0

    @classmethod
    def begin(
        cls,
        initial: Tensor,
        learned: dict[str, Tensor],
        objective: State,
        questions: Counter[str],
        draws: torch.Generator,
    ) -> "OuterState":
        """Before the first step."""
        return cls(
            initial=initial,
            learned=learned,
            average={name: value.clone() for name, value in learned.items()},
            best={name: value.clone() for name, value in learned.items()},
            means={name: torch.zeros_like(value) for name, value in learned.items()},
            squares={name: torch.zeros_like(value) for name, value in learned.items()},
            norms={name: torch.tensor(0.0) for name in learned},
            objective=objective,
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
            "draws": self.draws.get_state(),
            "scores": torch.tensor(self.scores, dtype=torch.float64).reshape(-1, 2),
            "step": torch.tensor(self.step),
            "seconds": torch.tensor(self.seconds),
        }

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], device: torch.device) -> "OuterState":
        """What `tensors` gave, on a device."""

        def group(prefix: str) -> dict[str, Tensor]:
            # Sorted, since a file has an order of its own, and sums depend on the order.
            return {
                name.removeprefix(f"{prefix}/"): tensor.to(device)
                for name, tensor in sorted(tensors.items())
                if name.startswith(f"{prefix}/")
            }

        draws = torch.Generator()
        draws.set_state(tensors["draws"])
        groups = {name: group(name) for name in cls.GROUPS}
        groups["norms"] = {name: norm.cpu() for name, norm in groups["norms"].items()}
        return cls(
            **groups,
            initial=tensors["initial"],
            questions=Counter({name: int(n) for name, n in group("questions").items()}),
            draws=draws,
            scores=[(int(step), score) for step, score in tensors["scores"].tolist()],
            step=int(tensors["step"]),
            seconds=float(tensors["seconds"]),
        )
