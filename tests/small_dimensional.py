"""An evaluation of dimensions on made-up speech that takes a second."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from felt_speech import felt_speech
from small_evaluation import QUICK, RECIPES
from small_sets import provenance

from evaluation.dimensional.evaluate import evaluate_dimensional
from evaluation.dimensional.results import DimensionalResult
from evaluation.named_sets import NamedSet
from evaluation.networks import draw_weights, skeleton
from evaluation.options import Options
from synth_data.provenance import Start
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet
from synth_data.task import TaskName

OF_OPTIONS = {field.name for field in fields(Options)}


def sides(task: TaskName = "dimensional", size: int = 8) -> tuple[RealSet, RealSet, RealSet]:
    """Training, validation and test speech, each of speakers of its own."""

    def side(seed: int) -> RealSet:
        unknown = (1, 5) if task == "both" else ()
        real = felt_speech((size, size - 2, size - 1), task=task, unknown=unknown, seed=seed)
        return replace(
            real,
            utterances=tuple(
                replace(one, speaker=f"{seed} {one.speaker}") for one in real.utterances
            ),
        )

    return side(1), side(2), side(3)


def a_set(real: RealSet, per_class: int = 2, **changes: Any) -> SyntheticSet:
    """The first utterances of each cell that occurs, as if they were synthetic."""
    known = ~real.targets.isnan().any(dim=1)
    counts = real.task.in_groups(real.targets[known]).sum(dim=0)
    task = real.task.narrowed((counts >= per_class).nonzero().flatten().tolist())
    groups = task.group_of(real.targets)
    rows = [
        row
        for group in range(len(task.groups))
        for row in ((groups == group) & known).nonzero().flatten().tolist()[:per_class]
    ]
    network = skeleton("tdnn", real.spec.mels, len(task.columns))
    weights = draw_weights(network, torch.Generator().manual_seed(7))
    entries: dict[str, Any] = {
        "features": real.features[rows],
        "targets": real.targets[rows],
        "task": task,
        "spec": real.spec,
        "start": Start("tdnn", 7, weights),
        "provenance": provenance(per_class=per_class),
    }
    return SyntheticSet(**{**entries, **changes})


def judged(
    task: TaskName = "dimensional",
    sets: SyntheticSet | Sequence[NamedSet] | None = None,
    **changes: Any,
) -> DimensionalResult:
    """What `evaluate_dimensional` finds with two students of each kind.

    Args:
        task: of the speech.
        sets: under evaluation; a small one by default.
        changes: of `Options`, of the sides, or of other arguments of `evaluate_dimensional`.
    """
    train, validation, test = changes.pop("sides", None) or sides(task)
    given = {name: changes.pop(name) for name in OF_OPTIONS & changes.keys()}
    recipes = {**RECIPES, "tdnn": changes.pop("recipe", QUICK)}
    return evaluate_dimensional(
        sets or a_set(train),
        *(train, validation, test),
        options=Options(**{"seeds": 2, "recipes": recipes, **given}),
        **changes,
    )
