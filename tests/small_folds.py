"""Two folds of three speakers, small enough that a report on them can be counted by hand."""

from collections.abc import Sequence
from typing import Any

from evaluation.report import Report
from evaluation.runs import FoldResult, Run

LINE = "Made up · 2 classes · 8 utterances · two folds · logmel64"
EMOTIONS = ("calm", "angry")
GENDERS = {"ada": "female", "bob": "male", "eve": "female"}


def run(name: str, predicted: Sequence[int], **changes: Any) -> Run:
    """A student's predictions, with settings that fit the set's name."""
    full, judged = name == "full", name == "distilled"
    settings = {
        "draw": 0,
        "ipc": None if full else 1,
        "student": "tdnn",
        "initialisation": "fixed",
        "recipe": "generic",
        "speech": "clean",
        "seed": 0,
        "judged": judged,
        "made_for": "tdnn" if judged else None,
        "ships": "synthetic items" if judged else "real items",
        "setting": "600 steps, learning rate 0.001",
        "steps": 600,
        "utterances": 100 if full else 2,
        "parameters": 1234,
        "bytes": 7_680_000 if full else 153_600,
        "making_seconds": 60.0 if judged else 0.0,
        "student_seconds": 30.0,
        "peak_memory": None,
        "soft_labels": False,
    }
    return Run(set=name, predicted=tuple(predicted), **(settings | changes))


def result(fold: int, speakers: Sequence[str], truth: Sequence[int], *runs: Run) -> FoldResult:
    """A fold, with utterances named after it."""
    names = tuple(f"fold {fold}, number {i}" for i in range(len(truth)))
    genders = tuple(GENDERS.get(speaker, "") for speaker in speakers)
    return FoldResult(fold, EMOTIONS, names, tuple(speakers), genders, tuple(truth), runs)


def folds() -> list[FoldResult]:
    """Two folds of one and two speakers."""
    truth = (0, 0, 1, 1)
    return [
        result(
            1,
            ("ada", "ada", "ada", "ada"),
            truth,
            run("full", (0, 0, 1, 1)),
            run("full", (0, 0, 1, 0), seed=1),
            run("distilled", (0, 0, 1, 0)),
            run("distilled", (0, 0, 1, 0), seed=1),
            run("random", (0, 1, 1, 0)),
        ),
        result(
            2,
            ("bob", "eve", "bob", "eve"),
            truth,
            run("full", (0, 0, 1, 1)),
            run("full", (0, 0, 1, 1), seed=1),
            run("distilled", (0, 0, 1, 1)),
            run("distilled", (0, 1, 1, 1), seed=1),
            run("random", (1, 0, 1, 1), making_seconds=6.0),
        ),
    ]


def report(results: Sequence[FoldResult]) -> Report:
    """On all of them."""
    return Report.of(LINE, results, corpus="made-up", command="distill-data --ipc 1 --seed 0")
