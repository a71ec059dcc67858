"""Nested sets: a prefix of the set is a smaller set, and is made to be one."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_speech import fake_speech
from pushing import Push, interrupt
from torch import Tensor

from distill import outer_loop
from distill.candidate import ITEMS, Parameterisation
from distill.engine import distill
from distill.expert import Expert
from distill.initialisations import INITIALISATIONS
from distill.judge import Judge
from distill.native import Native
from distill.nested import drawn, prefixes_of
from distill.objectives import OBJECTIVES
from distill.objectives.objective import Candidate, Objective, State
from distill.outer_loop import Loop
from evaluation.students import Recipe
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.synthetic import SyntheticSet

SMALL = Parameterisation(slices=2, numbers="int8")  # eight items in the bytes of one
PUSH = Push()


def made(objective: Objective = PUSH, **changes: Any) -> SyntheticSet:
    """A set of four items per class whose first one and first two are sets as well."""
    settings: dict[str, Any] = {"ipc": 4, "nested": (1, 2), "loop": Loop(steps=12)} | changes
    return distill(Curator(fake_speech((9, 8, 7))), objective, "tdnn", seed=0, **settings)


def quick(name: str) -> Objective:
    small = {"starts": 2, "checkpoints": 2, "stride": 2, "classification": 0.5, "steps": 3}
    known = {field.name for field in fields(OBJECTIVES[name])}
    return OBJECTIVES[name](**{k: v for k, v in small.items() if k in known})


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_makes_nested_sets_and_resumes_them(name, tmp_path, monkeypatch):
    objective = quick(name)
    labels = "soft" if objective.learns_labels else "hard"
    changes = {"parameterisation": replace(SMALL, labels=labels), "loop": Loop(steps=9), "ipc": 3}
    start = made(objective, **changes | {"loop": Loop(steps=0)})
    whole = made(objective, **changes)
    assert whole.nested == ()  # eight utterances of the rarest emotion, whatever the bytes
    changes |= {"parameterisation": replace(SMALL, numbers="float32", labels=labels)}
    start, whole = (made(objective, **changes | {"loop": Loop(steps=steps)}) for steps in (0, 9))
    assert whole.nested == (2, 4)
    assert whole.per_class.keys() == start.per_class.keys()
    assert not torch.isclose(whole.features, start.features).flatten(1).all(dim=1).any()
    path = tmp_path / "progress.safetensors"
    monkeypatch.setattr(outer_loop, "SAVE_EVERY", -1.0)
    with monkeypatch.context() as patch:
        interrupt(patch, objective, after=5)
        with pytest.raises(KeyboardInterrupt):
            made(objective, checkpoint=path, **changes)
    again = made(objective, checkpoint=path, **changes)
    assert torch.equal(again.features, whole.features)
    assert torch.equal(again.targets, whole.targets)
    assert again.provenance == whole.provenance
    whole.save(tmp_path / "set")
    assert SyntheticSet.load(tmp_path / "set").nested == (2, 4)
