"""What sets are worth: fresh students, trained on them and on what one could take instead."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from evaluation import models
from evaluation.bench import Bench
from evaluation.jobs import Heard
from evaluation.named_sets import NamedSet
from evaluation.networks import skeleton
from evaluation.options import MAJORITY, MODEL, Options
from evaluation.outcomes import Outcomes
from evaluation.runner import Runner
from evaluation.runs import CLEAN, DISTILLED, FoldResult
from synth_data.errors import SetError
from synth_data.progress import SILENT, Progress
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet


def evaluate(
    sets: SyntheticSet | Sequence[NamedSet],
    train_set: RealSet,
    validation: RealSet,
    test: RealSet,
    *,
    options: Options = Options(),
    also_heard: Mapping[str, RealSet] | None = None,
    richer: tuple[RealSet, RealSet, RealSet] | None = None,
    jobs: int = 1,
    outcomes: Outcomes | None = None,
    progress: Progress = SILENT,
) -> FoldResult:
    """Trains students on sets, on all real training data and on what one could take instead.

    Every competitor meets the same students: the same recipe, the same initial weights, the
    same seeds. Judged sets, full data and random subsets are trained on from the set's fixed
    initialisation, where the student is the network it was made for, and from random ones; other
    baselines from random ones. Where a baseline has several draws, each has one student of its
    own. The free settings of the recipe are chosen on the validation speakers, for each
    competitor and initialisation by its first student; the test speakers choose nothing.

    Args:
        sets: one set, which is called "distilled", or several with names, of the same feature
            recipe, transforms and emotions.
        train_set: the real utterances they were made from, or could have been made from.
        validation: utterances of other speakers, to choose by.
        test: utterances of yet other speakers.
        options: what to include.
        also_heard: the test utterances as heard otherwise, by how.
        richer: all three sides in a feature recipe with more detail, for a teacher.
        jobs: students trained side by side, each in a process with one thread; the results do
            not depend on it. -1: as many as there are cores, here or on a cluster.
        outcomes: where outcomes of earlier evaluations are found and those of this one kept.
        progress: a bar for the students.

    Raises:
        SetError: a set's emotions or features are not those of the real utterances, or of another
            set.
    """
    judged = (NamedSet(DISTILLED, sets),) if isinstance(sets, SyntheticSet) else tuple(sets)
    also_heard = also_heard or {}
    first = judged[0].synthetic
    for one in judged:
        for side in (train_set, validation, test):
            _check_fit(one.synthetic, side)
        _check_alike(first, one.synthetic)

    def seen(side: RealSet) -> RealSet:
        return replace(side, features=first.transform(side.features))

    train_set, validation, test = seen(train_set), seen(validation), seen(test)
    heard = Heard(
        validation.features,
        {CLEAN: test.features} | {name: seen(side).features for name, side in also_heard.items()},
    )
    students = options.students or (_own_students(judged) or tuple(options.recipes))
    runner = Runner(
        heard,
        truth=validation.targets.argmax(dim=1).tolist(),
        classes=len(test.emotions),
        jobs=jobs,
        outcomes=outcomes,
        progress=progress,
    )
    bench = Bench(judged, train_set, heard, students, options, runner)
    runs = [*bench.sets(), *models.untrained(bench)]
    if MODEL in options.baselines:
        runs += models.shipped_models(bench)
    if MAJORITY in options.baselines:
        runs += models.majority(bench)
    for teacher in options.teachers:
        runs += models.taught(bench, teacher, richer)
    runner.close()
    return FoldResult(
        fold=test.fold_number or 1,
        emotions=test.emotions,
        utterances=tuple(utterance.name for utterance in test.utterances),
        speakers=tuple(test.speakers),
        genders=tuple(utterance.gender or "" for utterance in test.utterances),
        truth=tuple(test.targets.argmax(dim=1).tolist()),
        runs=tuple(runs),
        unavailable=tuple(dict.fromkeys(bench.unavailable)),
        failed=tuple(bench.failed),
    )


def _check_fit(synthetic: SyntheticSet, real: RealSet) -> None:
    if synthetic.emotions != real.emotions:
        raise SetError(
            f"the set has the emotions {', '.join(synthetic.emotions)}; "
            f"{real.facts.title} has {', '.join(real.emotions)}: use the corpus it was made for, "
            f"or say which emotions are the same with --label-map"
        )
    if synthetic.spec != real.spec:
        raise SetError(
            f"the set's feature recipe is not that of the real speech: {synthetic.spec} "
            f"against {real.spec}; load the corpus with the set's recipe"
        )
    if start := synthetic.start:
        network = skeleton(start.network, real.spec.mels, len(real.emotions))
        expected = {name: weight.shape for name, weight in network.state_dict().items()}
        if {name: weight.shape for name, weight in start.weights.items()} != expected:
            raise SetError(
                f"the set's start weights do not fit its network {start.network}: it was written "
                f"by another version of this package, or by another; make it again with this one"
            )


def _check_alike(one: SyntheticSet, other: SyntheticSet) -> None:
    a, b = ([(t.name, t.tensors()) for t in each.transforms] for each in (one, other))
    same = len(a) == len(b) and all(
        n == m and all(torch.equal(x[key], y[key]) for key in x)
        for (n, x), (m, y) in zip(a, b, strict=True)
    )
    if not same:
        raise SetError(
            "these sets transform real speech in different ways, so their students would not be "
            "tested on the same features: judge them in separate reports"
        )


def _own_students(judged: Sequence[NamedSet]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.network for one in judged if one.network))
