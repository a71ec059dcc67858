"""What a fold's set is worth, whatever it tells: UAR of emotions, CCC of dimensions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation import metrics
from evaluation.concordance import ccc
from evaluation.dimensional.evaluate import evaluate_dimensional
from evaluation.dimensional.report import DimensionalReport
from evaluation.dimensional.results import DimensionalResult
from evaluation.evaluate import evaluate
from evaluation.named_sets import NamedSet
from evaluation.options import FIXED, NATIVE
from evaluation.report import Report
from evaluation.runs import DISTILLED, FULL, FoldResult, Run
from synth_data.folds import Fold
from synth_data.protocol import pooled
from synth_data.real import RealSet
from synth_data.task import TaskName

Result = FoldResult | DimensionalResult
AnyReport = Report | DimensionalReport


def judged(
    made: NamedSet, sides: tuple[RealSet, RealSet, RealSet], task: TaskName, **how: Any
) -> Result:
    """Trains students on a set and on what it is compared with.

    Args:
        made: the set.
        sides: training, validation and test.
        task: what it tells.
        how: of `evaluate` and `evaluate_dimensional`.
    """
    if task == "categorical":
        return evaluate([made], *sides, **how)
    return evaluate_dimensional([made], *sides, **how)


def load_result(folder: Path, task: TaskName) -> Result:
    """A fold's result as `save` wrote it."""
    return (FoldResult if task == "categorical" else DimensionalResult).load(folder)


def load_report(path: Path, task: TaskName) -> AnyReport:
    """A report as `save` wrote it."""
    return (Report if task == "categorical" else DimensionalReport).load(path)


def report_of(
    protocol: str, results: Sequence[Result], folds: Sequence[Fold], **about: Any
) -> AnyReport:
    """Summarises folds of one task.

    Args:
        protocol: the protocol line.
        results: of folds, in order.
        folds: all that the protocol has.
        about: of `Report.of` and `DimensionalReport.of`.
    """
    about["pooled"] = pooled(folds)
    of_emotions = [result for result in results if isinstance(result, FoldResult)]
    if of_emotions:
        return Report.of(protocol, of_emotions, **about)
    others = [result for result in results if isinstance(result, DimensionalResult)]
    return DimensionalReport.of(protocol, others, **about)


def in_short(result: Result) -> str:
    """What a finished fold found, for whoever waits for the others."""
    metric = "UAR" if isinstance(result, FoldResult) else "CCC"

    def mean(name: str) -> str:
        found = [
            _score(result, run)
            for run in result.runs
            if run.set == name and run.initialisation == FIXED and run.recipe != NATIVE
        ]
        return f"{sum(found) / len(found):.3f}" if found else "none"  # where training failed

    return (
        f"fold {result.fold}: {metric} {mean(DISTILLED)} distilled, {mean(FULL)} full data "
        f"({FIXED} initialisation)"
    )


def _score(result: Result, run: Run) -> float:
    if isinstance(result, FoldResult):
        found = metrics.confusion(result.truth, run.predicted, len(result.emotions))
        return float(metrics.uar(found))
    return float(ccc(np.array(result.truth, dtype=np.float64), np.array(run.numbers)).mean())
