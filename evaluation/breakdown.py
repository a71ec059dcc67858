"""The pooled numbers taken apart: by emotion, by speaker, by gender."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from evaluation import metrics
from evaluation.options import AUGMENTED, HARD_LABELS
from evaluation.records import Confusion, Group
from evaluation.runs import CLEAN, FULL, RANDOM_SUBSET, Condition
from evaluation.scope import Sample, Scope
from evaluation.starts import noise_of
from synth_data.utterance import UNKNOWN


def confusions(scope: Scope) -> list[Confusion]:
    """Of every condition on clean speech, without noise on the start, that tables show."""
    return [
        Confusion(
            **condition._asdict(),
            counts=tuple(tuple(row) for row in sample.confusions.sum(axis=1).mean(axis=0).tolist()),
        )
        for condition, sample in _shown(scope)
    ]


def groups(scope: Scope) -> list[Group]:
    """Each speaker and gender, with judged sets, full data and random subsets.

    Unknown speakers, each of one utterance, are one group.
    """
    return [
        group
        for condition, sample in _shown(scope)
        if sample.runs[0].judged or condition.set in (FULL, RANDOM_SUBSET)
        for group in _groups(scope, condition, sample)
    ]


def _shown(scope: Scope) -> Iterator[tuple[Condition, Sample]]:
    for condition, sample in scope.samples.items():
        if (
            condition.speech == CLEAN
            and condition.recipe not in (AUGMENTED, HARD_LABELS)
            and noise_of(condition.initialisation) is None
        ):
            yield condition, sample


def _groups(scope: Scope, condition: Condition, sample: Sample) -> Iterator[Group]:
    unknown = {i for i, name in enumerate(scope.names) if name.startswith(UNKNOWN)}
    for speaker, name in enumerate(scope.names):
        if speaker not in unknown:
            yield _group("speaker", name, [speaker], condition, sample)
    if unknown:
        yield _group("speaker", "unknown", sorted(unknown), condition, sample)
    for gender in ("female", "male"):
        own = [i for i, found in enumerate(scope.genders) if found == gender]
        if own:
            yield _group("gender", gender, own, condition, sample)


def _group(
    kind: Literal["speaker", "gender"],
    name: str,
    speakers: Sequence[int],
    condition: Condition,
    sample: Sample,
) -> Group:
    counts = sample.confusions[:, np.asarray(speakers)].sum(axis=1)
    return Group(
        **condition._asdict(),
        kind=kind,
        group=name,
        uar=float(metrics.uar(counts).mean()),
        utterances=int(counts[0].sum()),
        chance=1 / int(metrics.classes_present(counts[0])),
    )
