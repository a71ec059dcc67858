"""An evaluation on made-up speech that takes a second: sets, sides, and short students."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from fake_speech import EMOTIONS, SPEC, fake_speech
from small_sets import provenance

from evaluation.evaluate import evaluate
from evaluation.named_sets import NamedSet
from evaluation.networks import Weights, draw_weights, skeleton
from evaluation.options import Options
from evaluation.runs import FoldResult, Run
from evaluation.session import Session
from evaluation.students import PooledRecipe, Recipe, StudentRecipe
from evaluation.students.network import Schedule
from synth_data.corpora.facts import Corpus
from synth_data.provenance import Start
from synth_data.real import RealSet
from synth_data.schedule import NativeSchedule
from synth_data.synthetic import SyntheticSet
from synth_data.task import Task

QUICK = Recipe(schedules=(Schedule(6, 1e-2),), batch=8, warm_up=2)
RECIPES: Mapping[str, StudentRecipe] = {
    "tdnn": QUICK,
    "convnet": QUICK,
    "linear": PooledRecipe("logistic regression", (0.1, 1.0)),
    "svm": PooledRecipe("support vector machine", (1.0,)),
}
TRAIN = fake_speech((6, 5, 4), apart=0.2)
# The same by speakers of other names than those of both other sides.
OTHERS = replace(
    TRAIN,
    utterances=tuple(replace(one, speaker=f"other-{one.speaker}") for one in TRAIN.utterances),
)
VALIDATION = fake_speech((4, 4, 4), seed=1, apart=0.2)
TEST = fake_speech((9, 7, 5), seed=2, apart=0.2, fold=3)
SCHEDULE = NativeSchedule(torch.tensor([0.05, 0.2, 0.1, 0.03, 0.08]), 0.9, 1)
OF_OPTIONS = {field.name for field in fields(Options)}


def start(network: str = "tdnn", seed: int = 7) -> Start:
    """Fixed initial weights."""
    draws = torch.Generator().manual_seed(seed)
    return Start(network, seed, draw_weights(skeleton(network, SPEC.mels, len(EMOTIONS)), draws))


WEIGHTS: Weights = start().weights


def a_set(real: RealSet = TRAIN, per_class: int = 2, **changes: Any) -> SyntheticSet:
    """The first utterances of each class, as if they were synthetic."""
    rows = [row for emotion in range(3) for row in real.group_rows(emotion)[:per_class]]
    entries: dict[str, Any] = {
        "features": real.features[rows],
        "targets": real.targets[rows],
        "task": Task(EMOTIONS),
        "spec": real.spec,
        "start": start(),
        "provenance": provenance(per_class=per_class),
    }
    return SyntheticSet(**{**entries, **changes})


def judged(sets: SyntheticSet | Sequence[NamedSet], **changes: Any) -> FoldResult:
    """What `evaluate` finds with two students of each kind.

    Args:
        sets: under evaluation.
        changes: of the sides (`train`, `validation`, `test`), of `Options`, or of other arguments
            of `evaluate`; `recipe` is that of every network.
    """
    recipe = changes.pop("recipe", QUICK)
    recipes = {n: recipe if isinstance(r, Recipe) else r for n, r in RECIPES.items()}
    given = {name: changes.pop(name) for name in OF_OPTIONS & changes.keys()}
    return evaluate(
        sets,
        changes.pop("train", TRAIN),
        changes.pop("validation", VALIDATION),
        changes.pop("test", TEST),
        options=Options(**{"seeds": 2, "recipes": recipes, **given}),
        **changes,
    )


def of(result: FoldResult, name: str, initialisation: str | None = None) -> list[Run]:
    """The runs of a set, perhaps only those of one initialisation."""
    found = [run for run in result.runs if run.set == name]
    return [run for run in found if initialisation in (None, run.initialisation)]


def untimed(result: FoldResult) -> list[Run]:
    """The runs without what differs from one time to the next."""
    return [replace(run, making_seconds=0.0, student_seconds=0.0) for run in result.runs]


def accuracy(runs: Sequence[Run], truth: Sequence[int]) -> float:
    """Of all predictions."""
    right = [p == t for run in runs for p, t in zip(run.predicted, truth, strict=True)]
    return sum(right) / len(right)


def session(one: NamedSet, corpus: Corpus, data_root: Path | None = None, **asked: Any) -> Session:
    """A set that is to be judged on a corpus; nothing is run, and nothing written."""
    plain: dict[str, Any] = {
        "options": Options(),
        "speech": (),
        "label_map": None,
        "fold": None,
        "out": Path("never-written"),
        "command": "",
    }
    return Session(sets=(one,), corpus=corpus, data_root=data_root, **{**plain, **asked})
