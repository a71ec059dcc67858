"""What sets are worth: fresh students, trained on them and on what one could take instead."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from evaluation import models
from evaluation.attacks import ATTACKS
from evaluation.attacks.attempts import Attempt, Scene, Shared, Speech
from evaluation.attacks.speaker import Voices
from evaluation.benches import Benches, who_speaks
from evaluation.hearing import Hearing, by_hearing
from evaluation.named_sets import NamedSet
from evaluation.options import DP_SGD, MAJORITY, MODEL, Options
from evaluation.outcomes import Outcomes
from evaluation.runs import DISTILLED, FULL, FULL_AS, FoldResult
from evaluation.session_checks import require_fit
from synth_data.corpus_notes import counted
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
    anchors: Mapping[str, tuple[RealSet, RealSet, RealSet]] | None = None,
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
            recipe, normalisation and emotions. Each is tested on speech that went through its own
            transforms; where those take the speaker out, so are students of full data through the
            same, beside full data and the other baselines as they are.
        train_set: the real utterances they were made from, or could have been made from.
        validation: utterances of other speakers, to choose by.
        test: utterances of yet other speakers.
        options: what to include.
        also_heard: the test utterances as heard otherwise, by how.
        anchors: all three sides as somebody else hides who speaks in them, by name; students of
            all training data, and attackers where there are any, hear them too.
        richer: all three sides in a feature recipe with more detail, for a teacher.
        jobs: students trained side by side, each in a process with one thread; the results do
            not depend on it. -1: as many as there are cores, here or on a cluster.
        outcomes: where outcomes of earlier evaluations are found and those of this one kept.
        progress: a bar for the students.

    Raises:
        SetError: a set's emotions or features are not those of the real utterances, or of another
            set; or sets that hear speech in different ways, or an anchor, would have one name.
    """
    judged = (NamedSet(DISTILLED, sets),) if isinstance(sets, SyntheticSet) else tuple(sets)
    for one in judged:
        if one.synthetic.task.dimensions:
            raise SetError(
                f"{one.name} tells {', '.join(one.synthetic.task.dimensions)}: judge it with "
                f"evaluate_dimensional, and sets of emotions alone with evaluate"
            )
        for side in (train_set, validation, test):
            require_fit(one.synthetic, side)
    plain, hearings = by_hearing(judged)
    for name in anchors or {}:
        if any(hearing.full == f"{FULL_AS}{name}" for hearing in hearings):
            raise SetError(
                f"a set cannot be called {name}, as a baseline that it is compared with is called "
                f"that: give it another name"
            )
    benches = Benches(judged, options, also_heard or {}, jobs, outcomes, progress)
    real = train_set, validation, test
    bench = benches.of(plain, real)
    runs = [*bench.sets(), *models.untrained(bench)]
    if MODEL in options.baselines:
        runs += models.shipped_models(bench)
    if DP_SGD in options.baselines:
        runs += models.private_models(bench)
    if MAJORITY in options.baselines:
        runs += models.majority(bench)
    for teacher in options.teachers:
        runs += models.taught(bench, teacher, richer)
    for hearing in hearings:
        runs += benches.of(hearing, real, hearing.full).sets()
    ways = {hearing.full: (hearing, real) for hearing in (plain, *hearings)}
    for name, sides in (anchors or {}).items():
        nobody = replace(plain, sets=())
        ways[f"{FULL_AS}{name}"] = nobody, sides
        runs += benches.of(nobody, sides, f"{FULL_AS}{name}", anchor=True).sets()
    result = FoldResult(
        fold=test.fold_number or 1,
        emotions=test.emotions,
        truth=tuple(test.targets.argmax(dim=1).tolist()),
        **who_speaks(test),
        **benches.closed(runs),
    )
    found, impossible = _attacked(ways, options, progress)
    return replace(result, unavailable=(*result.unavailable, *impossible), attempts=tuple(found))


def _attacked(
    hearings: Mapping[str, tuple[Hearing, tuple[RealSet, RealSet, RealSet]]],
    options: Options,
    progress: Progress,
) -> tuple[list[Attempt], list[str]]:
    """What attackers found on speech in each way of hearing, and what they could not try."""

    def voices(sides: Sequence[RealSet]) -> Voices:
        whose = [utterance for side in sides for utterance in side.utterances]
        known = [row for row, one in enumerate(whose) if not one.of_unknown_speaker]
        return Voices(
            torch.cat([side.features for side in sides])[known],
            [whose[row].speaker for row in known],
            [whose[row].gender or "" for row in known],
        )

    found: list[Attempt] = []
    impossible: list[str] = []
    if not options.attacks:
        return found, impossible
    _, real = hearings[FULL]
    whose = [utterance for side in real for utterance in side.utterances]
    if unknown := sum(one.of_unknown_speaker for one in whose):
        impossible.append(
            f"attack: {counted(unknown, 'utterance')} of unknown speakers, who are nobody to be "
            f"recognised, are left out of what attackers learn from and meet"
        )
    ways = {
        way: Speech(way, voices([hearing.of(fitted)]), voices([hearing.of(s) for s in unseen]))
        for way, (hearing, (fitted, *unseen)) in hearings.items()
    }
    fitted, unseen = set(ways[FULL].fitted.speakers), set(ways[FULL].unseen.speakers)
    if not fitted or not unseen:
        return found, [
            *impossible,
            "attack: a side of the fold has no known speaker, so there is nobody to be recognised",
        ]
    if both := fitted & unseen:
        return found, [
            *impossible,
            f"attack: {len(both)} speakers are on both sides of the fold, so there is nobody whom "
            f"the sets were made without; use a speaker-independent protocol",
        ]
    names = [one.name for hearing, _ in hearings.values() for one in hearing.sets]
    sets = [
        Shared(
            one.name if names.count(one.name) == 1 else f"{one.name}, ipc {one.ipc}",
            one.synthetic.features,
            ways[way],
            one.synthetic.transforms,
        )
        for way, (hearing, _) in hearings.items()
        for one in hearing.sets
    ]
    scene = Scene(tuple(ways.values()), sets, options.seed)
    for name in options.attacks:
        tried, not_tried = ATTACKS[name](scene, progress)
        found += tried
        impossible += not_tried
    return found, impossible
