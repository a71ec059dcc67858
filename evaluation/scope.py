"""From predictions to a report's rows: means, spreads, and intervals over speakers.

A scope is one fold, or several pooled; a condition is a set, a student, its initialisation, its
recipe, and how the test speech is heard. The runs of a condition are its samples, one replica per
draw and seed: `mean` and `sd` are over replicas, and the interval resamples the test speakers of
that mean. All conditions of a scope share the resamples, so ratios and differences are paired.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int

from evaluation import metrics
from evaluation.intervals import alike, interval, ratio, resample, share_interval, speaker_weights
from evaluation.records import Estimate, FoldName, Row, Spread
from evaluation.runs import FULL, Condition, FoldResult, Run

S = TypeVar("S")


@dataclass(frozen=True)
class Pool:
    """The runs of several folds, put together.

    Attributes:
        replicas: by condition, of each draw and seed that all folds have its runs, fold by fold.
        partial: conditions of which some folds have draws or seeds that others lack: those that
            all folds have are pooled.
        incomplete: conditions without a draw and seed that all folds have. They are not pooled: a
            number over some of the test speakers compares with no other.
    """

    replicas: Mapping[Condition, Sequence[Sequence[Run]]]
    partial: tuple[Condition, ...]
    incomplete: tuple[Condition, ...]

    @classmethod
    def of(cls, folds: Sequence[Sequence[Run]]) -> "Pool":
        """Pools the runs of some folds, in their order."""
        by_fold = [_by_condition(runs) for runs in folds]
        replicas, partial, incomplete = {}, [], []
        for condition in dict.fromkeys(found for runs in by_fold for found in runs):
            own = [runs.get(condition, {}) for runs in by_fold]
            common = [one for one in own[0] if all(one in runs for runs in own)]
            if not common:
                incomplete.append(condition)
                continue
            if any(len(runs) != len(common) for runs in own):
                partial.append(condition)
            replicas[condition] = [[runs[one] for runs in own] for one in common]
        return cls(replicas, tuple(partial), tuple(incomplete))


@dataclass(frozen=True)
class Sample:
    """One condition in one scope.

    Attributes:
        runs: of every fold.
        confusions: the folds' predictions pooled.
        weights: the scope's resamples of the speakers.
        alike: so many speakers who say equally much would say as much as these.
    """

    runs: tuple[Run, ...]
    confusions: Int[np.ndarray, "replica speaker truth predicted"]
    weights: Int[np.ndarray, "row speaker"]
    alike: float

    @cached_property
    def uar(self) -> Float[np.ndarray, " row"]:
        """Mean UAR of the replicas: of the speakers as they are, then of each resample."""
        return self._resampled(metrics.uar)

    def spread(self, metric: Callable[..., Float[np.ndarray, "..."]]) -> Spread:
        """A metric's mean and deviation over replicas, and its interval over speakers."""
        values = metric(self.confusions.sum(axis=1))
        rows = self.uar if metric is metrics.uar else self._resampled(metric)
        return Spread(
            mean=float(values.mean()),
            interval=share_interval(rows, self.alike),
            sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        )

    def _resampled(
        self, metric: Callable[..., Float[np.ndarray, "..."]]
    ) -> Float[np.ndarray, " row"]:
        return metric(resample(self.confusions, self.weights)).mean(axis=0)


@dataclass(frozen=True)
class Scope:
    """Every condition on the same test speakers.

    Attributes:
        fold: its name in the report.
        names: of the test speakers, sorted.
        genders: of the same; empty where one is not known.
        alike: so many speakers who say equally much would say as much as these.
        chance: UAR of guessing, for the speakers as they are and for each resample.
        samples: by condition.
        partial, incomplete: as in the pool.
    """

    fold: FoldName
    names: tuple[str, ...]
    genders: tuple[str, ...]
    alike: float
    chance: Float[np.ndarray, " row"]
    samples: Mapping[Condition, Sample]
    partial: tuple[Condition, ...]
    incomplete: tuple[Condition, ...]

    @classmethod
    def of(
        cls, fold: FoldName, results: Sequence[FoldResult], generator: np.random.Generator
    ) -> "Scope":
        """Pools the results of some folds.

        Args:
            fold: the scope's name.
            results: of the folds, with the same emotions.
            generator: of the speakers' resamples.
        """
        classes = len(results[0].emotions)
        truth = [index for result in results for index in result.truth]
        speakers = [speaker for result in results for speaker in result.speakers]
        genders = [gender for result in results for gender in result.genders]
        gender_of = dict(zip(speakers, genders, strict=True))
        names = tuple(sorted(gender_of))
        weights = speaker_weights(len(names), generator)
        heard = metrics.speaker_confusions(truth, truth, speakers, classes)
        as_many = alike(heard.sum(axis=(1, 2)))
        pool = Pool.of([result.runs for result in results])
        samples = {}
        for condition, replicas in pool.replicas.items():
            predictions = [
                [index for run in replica for index in run.predicted] for replica in replicas
            ]
            samples[condition] = Sample(
                runs=tuple(run for replica in replicas for run in replica),
                confusions=np.stack(
                    [metrics.speaker_confusions(truth, p, speakers, classes) for p in predictions]
                ),
                weights=weights,
                alike=as_many,
            )
        return cls(
            fold,
            names,
            tuple(gender_of[name] for name in names),
            as_many,
            1 / metrics.classes_present(resample(heard, weights)),
            samples,
            pool.partial,
            pool.incomplete,
        )

    @property
    def speakers(self) -> int:
        """How many there are."""
        return len(self.names)

    def rows(self) -> list[Row]:
        """A row per condition."""
        return [self._row(condition, sample) for condition, sample in self.samples.items()]

    def _row(self, condition: Condition, sample: Sample) -> Row:
        relative, recovery = self._against_full(condition, sample)
        return Row(
            **condition._asdict(),
            **costs(sample.runs),
            fold=self.fold,
            uar=sample.spread(metrics.uar),
            wa=sample.spread(metrics.wa),
            macro_f1=sample.spread(metrics.macro_f1),
            relative_uar=relative,
            recovery=recovery,
            runs=len(sample.confusions),
            speakers=self.speakers,
        )

    def _against_full(
        self, condition: Condition, sample: Sample
    ) -> tuple[Estimate | None, Estimate | None]:
        full = full_beside(condition, self.samples)
        if full is None:
            return None, None
        relative = ratio(sample.uar, full.uar)
        recovery = ratio(sample.uar - self.chance, full.uar - self.chance)
        return self._estimate(relative, least=0.0), self._estimate(recovery)

    def _estimate(
        self, values: Float[np.ndarray, " row"] | None, least: float = -math.inf
    ) -> Estimate | None:
        if values is None:
            return None
        return Estimate(
            mean=float(values[0]),
            interval=interval(values, self.alike, within=(least, math.inf)),
        )


def costs(runs: Sequence[Run]) -> dict[str, Any]:
    """What a row says of these runs beside how well they did."""
    memory = [run.peak_memory for run in runs if run.peak_memory is not None]
    seconds = [r.making_seconds + r.student_seconds for r in runs if r.making_seconds is not None]
    settings = Counter(run.setting for run in runs if run.setting)
    return {
        "judged": runs[0].judged,
        "made_for": runs[0].made_for,
        "ships": runs[0].ships,
        "utterances": round(fmean(run.utterances for run in runs)),
        "parameters": runs[0].parameters,
        "bytes": round(fmean(run.bytes for run in runs)),
        "seconds": fmean(seconds) if len(seconds) == len(runs) else None,
        "student_seconds": fmean(run.student_seconds for run in runs),
        "steps": fmean(run.steps for run in runs),
        "settings": tuple(setting for setting, _ in settings.most_common()),
        "peak_memory": max(memory) if memory else None,
    }


def full_beside(condition: Condition, samples: Mapping[Condition, S]) -> S | None:
    """Students of the same kind, trained on full data."""
    found = [
        other
        for other in samples
        if other == condition._replace(set=FULL, ipc=other.ipc, recipe=other.recipe)
    ]
    # A set may have a recipe of its own; full data then stand under the common one.
    found.sort(key=lambda other: other.recipe != condition.recipe)
    return samples[found[0]] if found else None


def _by_condition(runs: Sequence[Run]) -> dict[Condition, dict[tuple[int, int], Run]]:
    """A fold's runs, by condition and replica."""
    found: dict[Condition, dict[tuple[int, int], Run]] = defaultdict(dict)
    for run in runs:
        found[run.condition][run.replica] = run
    return dict(found)
