"""From predictions to a report's rows: means, spreads, and intervals over speakers.

A scope is one fold, or several pooled; a condition is a set, a student, its initialisation and
its recipe. The runs of a condition are its samples, one replica per draw and seed: `mean` and
`sd` are over replicas, and the interval resamples the test speakers of that mean. All conditions
of a scope share the resamples, so ratios and differences are paired.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np
from jaxtyping import Float, Int

from evaluation import metrics
from evaluation.records import Comparison, Estimate, FoldName, Row, Spread
from evaluation.runs import DISTILLED, FULL, Condition, FoldResult, Run


@dataclass(frozen=True)
class Sample:
    """One condition in one scope.

    Attributes:
        runs: of every fold.
        confusions: the folds' predictions pooled.
        resampled: the same under each row of the scope's speaker weights.
    """

    runs: tuple[Run, ...]
    confusions: Int[np.ndarray, "replica speaker truth predicted"]
    resampled: Float[np.ndarray, "replica row truth predicted"]

    @cached_property
    def uar(self) -> Float[np.ndarray, " row"]:
        """Mean UAR of the replicas: of the speakers as they are, then of each resample."""
        return metrics.uar(self.resampled).mean(axis=0)

    def spread(self, metric: Callable[..., Float[np.ndarray, "..."]]) -> Spread:
        """A metric's mean and deviation over replicas, and its interval over speakers."""
        values = metric(self.confusions.sum(axis=1))
        return Spread(
            mean=float(values.mean()),
            interval=metrics.interval(metric(self.resampled).mean(axis=0)),
            sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        )


@dataclass(frozen=True)
class Scope:
    """Every condition on the same test speakers.

    Attributes:
        fold: its name in the report.
        speakers: the number of test speakers.
        samples: by condition.
        incomplete: conditions without the same draws and seeds in every fold. They are not
            pooled: a number over some of the test speakers compares with no other.
    """

    fold: FoldName
    speakers: int
    samples: Mapping[Condition, Sample]
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
        count = len(set(speakers))
        weights = metrics.speaker_weights(count, generator)
        samples, incomplete = {}, []
        for condition in dict.fromkeys(run.condition for result in results for run in result.runs):
            folds = [
                {run.replica: run for run in result.runs if run.condition == condition}
                for result in results
            ]
            if any(runs.keys() != folds[0].keys() for runs in folds):
                incomplete.append(condition)
                continue
            predictions = [
                [index for runs in folds for index in runs[replica].predicted]
                for replica in folds[0]
            ]
            confusions = np.stack(
                [metrics.speaker_confusions(truth, p, speakers, classes) for p in predictions]
            )
            samples[condition] = Sample(
                runs=tuple(run for runs in folds for run in runs.values()),
                confusions=confusions,
                resampled=metrics.resample(confusions, weights),
            )
        return cls(fold, count, samples, tuple(incomplete))

    def rows(self) -> list[Row]:
        """A row per condition."""
        return [self._row(condition, sample) for condition, sample in self.samples.items()]

    def comparisons(self) -> list[Comparison]:
        """The distilled set against every other of its ipc, under the same conditions."""
        pairs = [
            (one, other)
            for one in self.samples
            for other in self.samples
            if one.set == DISTILLED != other.set
            and self.samples[other].runs[0].utterances  # nothing was trained on an empty set
            and other.ipc in (one.ipc, None)
            and other[2:] == one[2:]  # student, initialisation, recipe
        ]
        return [self._comparison(one, other) for one, other in pairs]

    def _comparison(self, one: Condition, other: Condition) -> Comparison:
        difference = self.samples[one].uar - self.samples[other].uar
        return Comparison(
            **one._asdict(),
            against=other.set,
            fold=self.fold,
            difference=Estimate(mean=float(difference[0]), interval=metrics.interval(difference)),
            speakers=self.speakers,
        )

    def _row(self, condition: Condition, sample: Sample) -> Row:
        relative, recovery = self._against_full(condition, sample)
        runs = sample.runs
        return Row(
            **condition._asdict(),
            fold=self.fold,
            uar=sample.spread(metrics.uar),
            wa=sample.spread(metrics.wa),
            macro_f1=sample.spread(metrics.macro_f1),
            relative_uar=relative,
            recovery=recovery,
            utterances=round(fmean(run.utterances for run in runs)),
            parameters=runs[0].parameters,
            bytes=round(fmean(run.bytes for run in runs)),
            seconds=fmean(run.making_seconds + run.student_seconds for run in runs),
            student_seconds=fmean(run.student_seconds for run in runs),
            runs=len(sample.confusions),
            speakers=self.speakers,
        )

    def _against_full(
        self, condition: Condition, sample: Sample
    ) -> tuple[Estimate | None, Estimate | None]:
        references = [
            other
            for other in self.samples
            if other.set == FULL
            and (other.student, other.initialisation)
            == (condition.student, condition.initialisation)
        ]
        if not references:
            return None, None
        # A set may have a recipe of its own; full data then stand under the common one.
        reference = min(references, key=lambda other: other.recipe != condition.recipe)
        chance = 1 / metrics.classes_present(sample.resampled[0])
        uar, full = sample.uar, self.samples[reference].uar
        return _ratio(uar, full), _ratio(uar - chance, full - chance)


def _ratio(
    numerator: Float[np.ndarray, " row"], denominator: Float[np.ndarray, " row"]
) -> Estimate | None:
    values = np.divide(
        numerator,
        denominator,
        out=np.full(numerator.shape, np.nan),
        where=denominator > 0,
    )
    if not np.isfinite(values[0]):
        return None
    return Estimate(mean=float(values[0]), interval=metrics.interval(values))
