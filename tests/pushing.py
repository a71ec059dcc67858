"""An objective that does as it is told, and how a run of any is interrupted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from distill.objectives.objective import Candidate, Cost, Objective, State, Student
from synth_data.curator import Curator
from synth_data.features import FeatureSpec
from synth_data.ledger import Release
from synth_data.schedule import NativeSchedule

TOO_MUCH = 1e300  # is infinite in float32


@dataclass(frozen=True)
class Push(Objective):
    """Pushes every value, every label's first share and what it learns upwards, at will."""

    name: ClassVar[str] = "push"

    force: tuple[float, ...] = (1.0,)  # of each step, in turn

    def init(self, curator: Curator, student: Student, seed: int) -> State:  # noqa: ARG002
        return {"step": torch.tensor(0)}

    def step(
        self,
        state: State,
        candidate: Candidate,
        curator: Curator,  # noqa: ARG002
        student: Student,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
    ) -> tuple[Tensor, State]:
        force = self.force[int(state["step"]) % len(self.force)]
        total = candidate.features.sum() + candidate.targets[:, 0].sum()
        return -force * (total + candidate.learned["level"]), {"step": state["step"] + 1}

    def numbers(self, student: Student, spec: FeatureSpec, emotions: int) -> dict[str, int]:  # noqa: ARG002
        return {}

    def releases(self, steps: int) -> list[Release]:  # noqa: ARG002 - it asks nothing
        return []

    def learned(self) -> dict[str, Tensor]:
        return {"level": torch.tensor(0.0)}

    def schedule(self, learned: Mapping[str, Tensor], per_class: int) -> NativeSchedule:  # noqa: ARG002
        return NativeSchedule(learned["level"].detach().cpu().exp()[None], 0.0, 1)

    def cost(self, per_class: int, utterances: int) -> Cost:  # noqa: ARG002
        return Cost(real_passes=0, step_passes=1, checkpoints=0)


def interrupt(monkeypatch: pytest.MonkeyPatch, objective: Objective, after: int) -> None:
    """Makes step number `after` + 1 of this kind of objective the last."""
    real_step: Callable[..., tuple[Tensor, State]] = type(objective).step
    calls = 0

    def step(*args: Any) -> tuple[Tensor, State]:
        nonlocal calls
        if calls == after:
            raise KeyboardInterrupt
        calls += 1
        return real_step(*args)

    monkeypatch.setattr(type(objective), "step", step)
