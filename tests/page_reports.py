"""A made-up report with something in every section of the page, and a set to look at."""

import base64
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from small_sets import small_set

from evaluation.page.exhibit import Exhibit
from evaluation.page.table import Table
from evaluation.page.view import View
from evaluation.report import Report
from evaluation.runs import FoldResult, Run
from evaluation.starts import name_of
from synth_data.features import FeatureSpec
from synth_data.task import Task

EMOTIONS = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")
GENDERS = {"03": "male", "08": "female", "09": "female", "10": "male", "11": "male", "13": "female"}
LINE = "Made up · 7 classes · 252 utterances · leave-one-speaker-out, 6 folds · logmel64"
SPEC = FeatureSpec(mels=16, frames=40)

# (set, ipc, students and initialisations, share of utterances recognised, changes)
TDNN = (("tdnn", "fixed"), ("tdnn", "random"))
EVERY = (*TDNN, ("convnet", "random"))
CAST: tuple[tuple[str, int | None, Any, float, dict[str, Any]], ...] = (
    ("full", None, EVERY, 0.65, {"bytes": 29_000_000, "utterances": 450, "steps": 2000}),
    *(
        (
            "distilled",
            ipc,
            EVERY,
            share,
            {"judged": True, "made_for": "tdnn", "bytes": 550_000 * ipc},
        )
        for ipc, share in ((1, 0.35), (10, 0.52))
    ),
    *(
        ("random", ipc, EVERY, share, {"bytes": 550_000 * ipc})
        for ipc, share in ((1, 0.2), (10, 0.4))
    ),
    ("k-means", 10, TDNN[1:], 0.42, {}),
    ("compressed-int8", 10, TDNN[1:], 0.5, {}),
    ("model", None, TDNN[1:], 0.65, {"ships": "weights", "bytes": 570_000}),
    ("majority", None, TDNN[1:], 0.0, {"ships": "nothing"}),
    ("untrained", None, TDNN[:1], 0.0, {"ships": "weights"}),
    ("teacher: ensemble", None, TDNN[1:], 0.7, {"ships": "weights"}),
    ("distilled-model: ensemble, logits", None, TDNN[1:], 0.67, {"ships": "weights"}),
)


def rich_report(**changes: Any) -> Report:
    """Six speakers, two students, nine sets, two sizes, noise, starts, teachers, scores."""
    made = Report.of(
        LINE,
        [_fold(number, speaker) for number, speaker in enumerate(GENDERS, start=1)],
        corpus="made-up",
        command="evaluate-data runs/made-up --dataset emodb --data-root corpora/emodb",
        notes=["530 utterances instead of the published 535"],
    )
    return made.model_copy(update=changes)


def first_view(report: Report) -> View:
    """A report's rows of all folds, or of the first where they are not pooled."""
    return View.all_of(report)[0]


def plain_report() -> Report:
    """One speaker, one set beside full data: as little as a report can hold."""
    heard = _fold(1, "03")
    runs = [
        run
        for run in heard.runs
        if (run.set, run.ipc) in (("full", None), ("distilled", 1))
        and (run.student, run.initialisation, run.recipe, run.speech)
        == ("tdnn", "random", "generic", "clean")
        and run.seed == 0
    ]
    alone = FoldResult(**{**vars(heard), "runs": tuple(runs), "unavailable": (), "failed": ()})
    return Report.of(LINE, [alone], corpus="made-up", command="evaluate-data runs/made-up")


def exhibit(name: str = "distilled, ipc 2", per_class: int = 2) -> Exhibit:
    """A set of noise, with class means for all emotions but the last."""
    draws = torch.Generator().manual_seed(0)
    classes = len(EMOTIONS)
    synthetic = small_set(
        features=torch.randn(per_class * classes, *SPEC.shape, generator=draws),
        targets=torch.eye(classes).repeat(per_class, 1),
        task=Task(EMOTIONS),
        spec=SPEC,
        transforms=(),
    )
    means = [torch.randn(*SPEC.shape, generator=draws) for _ in EMOTIONS[:-1]]
    return Exhibit(name, synthetic, [*means, None])


def texts(table: Table) -> list[list[str]]:
    """What stands in a table."""
    return [[cell.text for cell in row] for body in table.bodies for row in body.rows]


def content(uri: str) -> bytes:
    """Of a data URI."""
    return base64.b64decode(uri.split(",", 1)[1])


def _fold(number: int, speaker: str) -> FoldResult:
    truth = tuple(index for index in range(len(EMOTIONS)) for _ in range(6))
    runs = [
        _run(name, ipc, student, initialisation, share, seed, truth, speaker, **how, **changes)
        for name, ipc, rooms, share, changes in CAST
        for student, initialisation in rooms
        for how in _ways(name, initialisation)
        for seed in range(2)
    ]
    return FoldResult(
        fold=number,
        emotions=EMOTIONS,
        utterances=tuple(f"{speaker}-{index}" for index in range(len(truth))),
        speakers=(speaker,) * len(truth),
        genders=(GENDERS[speaker],) * len(truth),
        truth=truth,
        runs=(*runs, *_other_starts(runs)),
        unavailable=("herding: ipc 60 exceeds the 46 utterances of disgust",),
        failed=("k-center, ipc 1, tdnn, random initialisation: the loss is not finite",),
    )


def _other_starts(runs: Sequence[Run]) -> list[Run]:
    """At ipc 10: from near the fixed weights, and by the set's own schedule."""
    fixed = [
        run
        for run in runs
        if run.set in ("full", "distilled", "random")
        and run.ipc != 1
        and (run.student, run.initialisation, run.recipe, run.speech)
        == ("tdnn", "fixed", "generic", "clean")
    ]
    near = [replace(run, initialisation=name_of(size)) for size in (0.3, 1.0) for run in fixed]
    native = [
        replace(run, recipe="native", setting="20 steps of its own", steps=20)
        for run in (*fixed, *near)
        if run.judged and (run.seed == 0 or run not in fixed)
    ]
    return [*near, *native]


def _ways(name: str, initialisation: str) -> list[dict[str, str]]:
    """Recipes and speeches that a set's students meet."""
    ways = [{"recipe": "generic", "speech": "clean"}]
    if name in ("full", "distilled", "random"):
        ways.append({"recipe": "generic", "speech": "noise-10dB"})
        if initialisation == "random" and name != "full":
            ways.append({"recipe": "augmented", "speech": "clean"})
    return ways


def _run(
    name: str,
    ipc: int | None,
    student: str,
    initialisation: str,
    share: float,
    seed: int,
    truth: tuple[int, ...],
    speaker: str,
    recipe: str,
    speech: str,
    **changes: Any,
) -> Run:
    luck = random.Random(f"{name} {ipc} {student} {initialisation} {seed} {speaker} {recipe}")
    share -= 0.1 * (speech != "clean") + 0.05 * (student == "convnet")
    predicted = tuple(
        emotion if luck.random() < share else luck.randrange(len(EMOTIONS)) for emotion in truth
    )
    settings: dict[str, Any] = {
        "judged": False,
        "made_for": None,
        "ships": "synthetic items" if changes.get("judged") else "real items",
        "setting": "learning rate 0.001",
        "steps": 400,
        "utterances": 7 * (ipc or 0),
        "parameters": 142_215,
        "bytes": 550_000,
        "making_seconds": 60.0 if changes.get("judged") else 0.0,
        "student_seconds": 3.0,
        "peak_memory": 180_000_000 if changes.get("judged") or name == "full" else None,
    }
    return Run(
        set=name,
        draw=0,
        ipc=ipc,
        student=student,
        initialisation=initialisation,
        recipe=recipe,
        speech=speech,
        seed=seed,
        predicted=predicted,
        **(settings | changes),
    )
