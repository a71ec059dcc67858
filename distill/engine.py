"""From the utterances behind a door to a synthetic set."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from distill.candidate import Parameterisation
from distill.checkpoint import Checkpoint
from distill.disentangle.disentangler import Disentangler
from distill.expert import Expert, one_of
from distill.initialisations import INITIALISATIONS
from distill.judge import Judge
from distill.native import Guide, Guided, Native
from distill.nested import notes as nested_notes
from distill.nested import prefixes_of, require_smaller
from distill.notes import fitted_to, notes_of
from distill.objectives.objective import Objective, Student
from distill.outer_loop import Loop, OuterLoop
from distill.outer_state import OuterState
from distill.private import require_possible
from distill.public import door_to, record, require_of_use
from distill.requirements import experts_needed, require_fit, require_told
from distill.speaker_penalty import SpeakerPenalty, after
from evaluation.networks import draw_weights, require_room, require_uncoupled, skeleton
from evaluation.students import Recipe
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.normalisation import normalised
from synth_data.progress import SILENT, Progress
from synth_data.provenance import Provenance, Start, package_version
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet

NATIVE_SHARE = 0.4  # of the time there is after what is asked first, for a native schedule


def distill(
    curator: Curator,
    objective: Objective,
    student: str,
    *,
    ipc: int,
    nested: Sequence[int] = (),
    seed: int,
    loop: Loop = Loop(),
    parameterisation: Parameterisation = Parameterisation(),
    native: Native = Native(),
    expert: Expert = Expert(),
    disentangler: Disentangler | None = None,
    speaker_penalty: float = 0.0,
    public: RealSet | None = None,
    validation: RealSet | None = None,
    recipe: Recipe = Recipe(),
    max_minutes: float | None = None,
    checkpoint: Path | None = None,
    progress: Progress = SILENT,
) -> SyntheticSet:
    """Makes a synthetic set from the utterances behind a door.

    Args:
        curator: the door to the training utterances; one for each set, since the questions it
            was asked are listed with the set. If the feature recipe leaves normalisation to the
            training set, it is fitted here.
        objective: what the set should match.
        student: the network it is made for, by name; its initial weights, drawn from the seed,
            become the set's fixed initialisation.
        ipc: items per class, at least 1; in other parameterisations their bytes, and more items.
            Where those start as real utterances there are not more of them than utterances of an
            emotion on average, as long as that is at least `ipc`. Where dimensions are told the
            classes are cells of the label space, of which those without speech are left out.
        nested: smaller sizes, each in the same terms as `ipc` and below it: the first items of each
            class, as many as there are in such a set, are to be a set as well
            (`SyntheticSet.prefix`). What validation speakers say is then a mean over all sizes.
        seed: equal seeds give equal sets, bit for bit, on one machine.
        loop: how the candidate is optimised.
        parameterisation: how the set spends its bytes, and what of it is learned.
        native: how a native schedule is added to items that are made, for students from the fixed
            initialisation, by objectives that have none of their own; by default there is none.
        expert: how networks learn from the real data that labels or a native schedule take after.
        disentangler: takes the speaker out of the speech before anything else is asked of it; what
            it fits travels with the set. None for speech as it is.
        public: utterances that may be read freely, under a privacy budget too, in the same features
            and under the same emotions (`distill.public.under_emotions_of`), of nobody who is
            behind the door or tested on. What the disentangler fits is fitted to these alone, and
            the initialisation "public" takes them. The set derives from them as well.
        speaker_penalty: weight of what linear classifiers can tell speakers by in the items, beside
            the objective's loss; 1 for as much as there is in the speech. 0 with a disentangler.
        validation: utterances of other speakers than those of training and of test. What is
            returned is then never worse on them than what it started from: the best of a few
            looks on the way (`Loop.checks`).
        recipe: how students are trained for those looks.
        max_minutes: that making the set may take. How far one gets then depends on the machine;
            what is asked before the first step is asked in any case.
        checkpoint: a file to save progress in and to go on from, with the seconds spent so
            far under "seconds"; the caller removes it once the set is in place.
        progress: a bar for the steps.

    Raises:
        UserError: ipc below 1, a nested size that is not below it, too few speakers to tell what is
            theirs, a student that is unknown or couples the utterances of a batch, a penalty beside
            a disentangler, labels to be learned by an objective that cannot, more slices than
            frames, a native schedule that nobody could follow or that the objective has already,
            public speech that is missing, of no use or does not fit, or a checkpoint of another
            run.
        CorpusError: an emotion has no public utterance.
    """
    if ipc < 1:
        raise UserError(f"ipc must be 1 or more; found {ipc}")
    require_smaller(nested, ipc)
    require_uncoupled(student)
    require_room(student, curator.spec)
    if max_minutes is not None and not 0 < max_minutes < math.inf:
        raise UserError(f"max_minutes must be a positive number; found {max_minutes}")
    if not 0 <= speaker_penalty < math.inf:
        raise UserError(f"speaker_penalty must be 0 or more; found {speaker_penalty}")
    require_fit(objective, parameterisation, native, curator.spec)
    require_told(
        *(curator.task.name, disentangler, objective),
        private=not curator.exact,
        public=public is not None,
    )
    settings = {
        "objective": asdict(objective),
        "loop": asdict(loop),
        "parameterisation": asdict(parameterisation),
        "student": student,
        "features": curator.spec.settings(),
        **({"task": curator.task.name} if curator.task.dimensions else {}),
        **({"dimension_weights": curator.task.weights} if curator.task.weights else {}),
        "students that it is judged by": asdict(recipe) if validation is not None else None,
        "max_minutes": max_minutes,
        "native": asdict(native),
        "expert": asdict(expert),
        "disentangler": None
        if disentangler is None
        else {"name": disentangler.name, **asdict(disentangler)},
        "speaker_penalty": speaker_penalty,
        **({"nested": list(nested)} if nested else {}),
    }
    if disentangler is not None and speaker_penalty:
        raise after(disentangler.name)
    if not curator.exact:
        require_possible(
            *(objective, loop, parameterisation, native),
            *(disentangler, speaker_penalty, curator.spec),
            validated=validation is not None,
            timed=max_minutes is not None,
            public=public is not None,
        )
    require_of_use(public is not None, loop, disentangler)
    curator = normalised(curator.narrowed())
    freely = None if public is None else door_to(public, curator)
    began = time.monotonic()
    if disentangler is not None:
        transform = disentangler.fit(freely or curator, seed, progress)
        curator, freely = curator.map(transform), freely and freely.map(transform)
    penalty = SpeakerPenalty.of(curator, speaker_penalty) if speaker_penalty else None
    fitting = time.monotonic() - began
    source = curator.source
    digest = curator.corpus_digest() if curator.exact else None
    content = curator.corpus_content() if curator.exact else None
    counted = curator.count_utterances() if curator.exact else None
    told = curator.corpus_notes() if curator.exact else ()
    speech = None if public is None else record(public, loop, disentangler)
    run: dict[str, object] = {
        "seed": seed,
        "ipc": ipc,
        "corpus": content,
        "protocol": source.protocol,
        "fold": source.fold,
        "method": objective.name,
        "version": package_version(),
        "privacy": curator.terms,
        "public": None if speech is None else asdict(speech),
    }
    saved = Checkpoint(checkpoint, run | settings)

    task = curator.task
    network = skeleton(student, curator.spec.mels, len(task.columns))
    start = Start(student, seed, draw_weights(network, generator(seed, "start")))
    weights = {name: w.to(curator.device) for name, w in start.weights.items()}
    model = Student(network, weights, task)
    way = INITIALISATIONS[loop.initialisation]
    origin = freely if way.public else curator
    sources = origin.count_utterances() if origin and (way.real or way.public) else None
    items_of = partial(
        parameterisation.per_class,
        spec=curator.spec,
        emotions=len(task.groups),
        real=sources,
        columns=len(task.columns),
    )
    per_class, prefixes = items_of(ipc), prefixes_of(nested, ipc, items_of)
    judge = None
    if validation is not None:
        heard = replace(
            validation.to(torch.device("cpu")), features=curator.seen(validation), task=task
        )
        judge = Judge(
            *(heard, start, objective, parameterisation, per_class, recipe, seed),
            prefixes=prefixes,
            students=loop.students,
        )

    seconds = math.inf if max_minutes is None else 60 * max_minutes
    share = 1 - NATIVE_SHARE if native.steps else 1.0
    work = OuterLoop(
        *(curator, objective, model, per_class, parameterisation, loop, seed),
        expert=experts_needed(expert, objective, parameterisation, native),
        penalty=penalty,
        judge=judge,
        max_seconds=seconds,
        share=share,
        origin=origin,
        prefixes=prefixes,
    )
    before = saved.load()
    if before:
        state = OuterState.of(before, curator.device)
    else:
        state = work.begin(progress)
        state.seconds += fitting
    ended = work.run(state, saved, progress)
    guided = Guided(ended.learned)
    if native.steps:
        guide = Guide(
            *(native, model, one_of(state.expert, 0), parameterisation),
            *(state.targets, per_class, curator.spec.frames, judge),
            prefixes=prefixes,
        )
        # Of what it started from, under whichever labels.
        worth = max((look.score for look in ended.looks if not look.step), default=0.0)
        left = seconds - state.seconds - state.judging
        guided = guide.run(ended.learned, worth, progress, left)
        state.seconds += guided.seconds
        saved.save(state.tensors())
    made, packed = parameterisation.finished(
        guided.learned, state.targets, curator.spec.frames, per_class
    )
    curator.require_paid()
    metric = "CCC" if task.dimensions else "UAR"
    seen = (made.features, state.initial, ended, loop, speech)
    notes = told + tuple(notes_of(*seen, guided=guided.schedule is not None))
    notes += guided.notes + tuple(nested_notes(nested, prefixes, per_class))
    if disentangler is not None:
        notes += (disentangler.note + fitted_to(speech, disentangler),)

    return SyntheticSet(
        features=made.features,
        packed=packed,
        schedule=guided.schedule or objective.schedule(made.learned, per_class),
        targets=made.targets,
        task=curator.task,
        spec=curator.spec,
        start=start,
        transforms=curator.transforms,
        guarantee=curator.guarantee,
        nested=prefixes,
        provenance=Provenance(
            corpus=source.facts.name,
            corpus_title=source.facts.title,
            corpus_digest=digest,
            told_digest=content,
            licence=source.facts.licence,
            derivatives=source.facts.derivatives,
            citation=source.facts.citation,
            protocol=source.protocol or "all speakers",
            fold=source.fold,
            objective=objective.name,
            settings=settings
            | {
                "questions asked of the real speech": dict(sorted(curator.questions.items())),
                f"{metric} of validation speakers after so many steps": {
                    look.moment: round(look.score, 4) for look in ended.looks
                },
                f"{metric} of validation speakers after so many steps of the native schedule": {
                    str(step): round(score, 4) for step, score in enumerate(guided.scores, 1)
                },
            }
            | (
                {}
                if guided.worth is None
                else {
                    f"{metric} of validation speakers with a native schedule": round(
                        guided.worth, 4
                    )
                }
            ),
            seed=seed,
            per_class=ipc,
            training_utterances=counted,
            notes=notes,
            public=speech,
        ),
    )
