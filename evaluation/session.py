"""An evaluation of stored sets on a corpus: every fold, side by side, to one report."""

import math
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from joblib import cpu_count

from evaluation import forecast
from evaluation.claims import guarantees
from evaluation.dimensional import page as dimensional
from evaluation.dimensional.evaluate import evaluate_dimensional, require_possible
from evaluation.dimensional.report import DimensionalReport
from evaluation.dimensional.results import DimensionalResult
from evaluation.dimensional.systems import NO_ENCODERS, Encoders, read_systems
from evaluation.evaluate import evaluate
from evaluation.hearing import by_hearing
from evaluation.named_sets import NamedSet, budgets_of, by_fold, students_for, titles
from evaluation.options import Options
from evaluation.outcomes import Outcomes
from evaluation.page.exhibit import Exhibit
from evaluation.page.page import write
from evaluation.report import Report
from evaluation.runs import FoldResult
from evaluation.session_checks import (
    not_another,
    require_distinct,
    require_fixed_start,
    require_one_protocol,
    require_one_task,
    require_same,
)
from synth_data import extraction_time
from synth_data.console import set_up_logging
from synth_data.corpora.facts import Corpus
from synth_data.corpus import listing, load, protocol_line, protocol_of
from synth_data.degradation import DEGRADATIONS, Degradation, degraded_set
from synth_data.errors import SetError, UserError
from synth_data.features import FeatureSpec
from synth_data.label_map import relabelled
from synth_data.mcadams import McAdams
from synth_data.mechanism import units_of
from synth_data.progress import SILENT, Progress, bar
from synth_data.protocol import Protocol, pooled
from synth_data.real import RealSet
from synth_data.representation import Representation
from synth_data.representations import name_of
from synth_data.side_by_side import side_by_side
from synth_data.task import Task
from synth_data.transforms import hear

VOICES = "speaker"  # the attack that anchors are for
ANCHORS: Mapping[str, Degradation] = {"mcadams": McAdams()}
RICHER = "richer-features"  # a teacher that needs the recordings again


@dataclass(frozen=True)
class Session:
    """What is judged, on what, and where the results go.

    Attributes:
        sets: under evaluation, of one feature recipe.
        corpus: whose speakers test.
        data_root: its folder, where the environment does not say.
        options: what to include.
        speech: names of `DEGRADATIONS` under which the test speech is heard as well.
        label_map: from emotions of the corpus to those of the sets; None: it is the corpus they
            were made from.
        fold: the only one to evaluate; None: all that can be.
        systems: output folders of `distill-model`, whose rows stand beside those of the sets.
        out: the output folder.
        command: the command line, quoted in the report.
        allow_missing: go on when labels lack audio or audio lacks labels.
        skip_bad: leave out unusable recordings.
        cluster: whether the students are trained on one.
        remember: keep outcomes, and use those of before.
        show_progress: bars on stderr.
        verbose: log everything, in other processes too.
        quiet: say nothing on the way.
        main_process: in which logging is set up already.
    """

    sets: tuple[NamedSet, ...]
    corpus: Corpus
    data_root: Path | None
    options: Options
    speech: tuple[str, ...]
    label_map: Mapping[str, str] | None
    fold: int | None
    out: Path
    command: str
    systems: tuple[Path, ...] = ()
    allow_missing: bool = False
    skip_bad: bool = False
    cluster: bool = False
    remember: bool = True
    show_progress: bool = False
    verbose: bool = False
    quiet: bool = False
    main_process: int = field(default_factory=os.getpid)

    def __post_init__(self) -> None:
        first = self.sets[0]
        require_one_task(self.sets)
        if first.synthetic.task.dimensions:
            require_possible(self.options)
        elif self.systems:
            raise UserError(
                "--systems are models that tell dimensions, and these sets tell emotions: leave it "
                "out, or give sets of distill-data --task dimensional"
            )
        for other in self.sets[1:]:
            if other.synthetic.spec != first.synthetic.spec:
                raise SetError(
                    f"{first.folder} and {other.folder} have different feature recipes, so their "
                    f"students hear different speech: judge them in separate reports"
                )
        for one in self.sets:
            made = one.synthetic.provenance
            if self.label_map is None and made.corpus != self.corpus.name:
                raise SetError(
                    f"{one.folder} was made from {made.corpus}, not from {self.corpus.name}: give "
                    f"--dataset {made.corpus}; or, to hear how it does on other speech, say which "
                    f"emotions are the same with --label-map"
                )
            # Every table is called "table"; `load` tells those of the same recordings.
            if (
                self.label_map is not None
                and self.corpus.name in made.corpora
                and self.corpus.counts
            ):
                raise not_another(one, self.corpus)
        if self.label_map is None:
            require_one_protocol(self.sets)
        else:
            require_distinct(self.sets)
            if self.options.attacks:
                raise UserError(
                    "attacks ask about the speakers that sets were made from, and with --label-map "
                    "those are of another corpus: leave out --attacks, or --label-map"
                )

    @property
    def spec(self) -> Representation:
        """The feature recipe."""
        return self.sets[0].synthetic.spec

    @property
    def hears(self) -> bool:
        """Whether the features depend on how the speech sounds, not on transcripts alone."""
        return any(part.hears for part in self.spec.parts)

    @property
    def heard(self) -> tuple[str, ...]:
        """Degradations that make a difference to the features."""
        return self.speech if self.hears else ()

    @property
    def task(self) -> Task:
        """What the sets tell."""
        return self.sets[0].synthetic.task

    @property
    def protocol(self) -> Protocol:
        """How the corpus is split: as it was for the sets, or its default."""
        named = self.sets[0].synthetic.provenance.protocol if self.label_map is None else None
        return protocol_of(self.corpus, named, self.data_root)

    def load(self, spec: Representation | None = None) -> RealSet:
        """The corpus, under the emotions of the sets.

        Raises:
            SetError: it does not hold the recordings that the sets were made from; or, with a map
                of labels, it does.
        """
        spec = spec or self.spec
        real = load(
            *(self.corpus, self.data_root, spec), **self._asked, progress=self.show_progress
        )
        for one in self.sets:
            if self.label_map is None:
                require_same(one, real)
            elif one.synthetic.provenance.holds(real.corpus, real.digest):
                raise not_another(one, self.corpus)
        return self._told(real)

    def listed(self) -> RealSet:
        """The corpus as its labels list it, under the emotions of the sets: without features.

        Whether it holds the recordings that the sets were made from is not looked at.
        """
        self.spec.require_here()
        return self._told(listing(self.corpus, self.data_root, self.spec, **self._asked))

    @property
    def _asked(self) -> dict[str, Any]:
        """How the corpus is to be read."""
        own = self.task.dimensions and self.label_map is None
        return {
            "task": self.task.name,
            "scale": self.task.scale if own else None,
            "allow_missing": self.allow_missing,
            "skip_bad": self.skip_bad,
        }

    def _told(self, real: RealSet) -> RealSet:
        """The utterances with what the sets tell, as they tell it."""
        if self.label_map is None:
            return real.weighed(self.task.weights)
        made = ", ".join(sorted({one.synthetic.provenance.corpus for one in self.sets}))
        mapped = relabelled(real, self.task.emotions, self.label_map, self.task.dimensions)
        notes = [f"sets made from {made}, full data and baselines from {self.corpus.name}"]
        if self.corpus.access == "own":
            notes.append(
                "nobody but who made the sets knows whether these speakers are among those they "
                "were made from"
            )
        return replace(mapped.weighed(self.task.weights), notes=(*mapped.notes, *notes))

    def folds(self, real: RealSet) -> dict[int, list[NamedSet]]:
        """The sets to judge on each fold's test speakers, whom they were made without.

        Raises:
            SetError: there is no such fold, or a set leaves nobody to test it on.
        """
        if self.label_map is not None:
            return self._folds_of_another(real)
        found: dict[int, list[NamedSet]] = {}
        for number, sets in by_fold(self.sets).items():
            if number is None:
                raise SetError(
                    f"{sets[0].folder} was made from all speakers of {self.corpus.name}, which "
                    f"leaves none to test it on: judge sets of single folds (distill-data --fold "
                    f"all), which its card quotes, or this one on another corpus (--dataset OTHER "
                    f"--label-map)"
                )
            found[number] = sets
        if self.fold is None:
            return dict(sorted(found.items()))
        if self.fold not in found:
            listed = ", ".join(str(number) for number in sorted(found))
            raise SetError(
                f"no set is of fold {self.fold}: those given are of {listed}; leave out --fold"
            )
        return {self.fold: found[self.fold]}

    def _folds_of_another(self, real: RealSet) -> dict[int, list[NamedSet]]:
        """All sets on each fold of a corpus that none of them was made from."""
        count = len(self.protocol.folds(real.utterances))
        if self.fold is not None and self.fold > count:
            raise SetError(
                f"fold {self.fold} does not exist: {self.protocol.name} on {self.corpus.name} has "
                f"folds 1 to {count}; give one of these, or leave out --fold"
            )
        numbers = range(1, count + 1) if self.fold is None else [self.fold]
        return {number: list(self.sets) for number in numbers}

    def sides(self, real: RealSet, fold: int) -> tuple[RealSet, RealSet, RealSet]:
        """(train, validation, test) of a fold; another corpus may lack some of the emotions."""
        return real.fold(self.protocol, fold, every_emotion=self.label_map is None)

    def protocol_line(self, real: RealSet) -> str:
        """The line that goes with every number."""
        return protocol_line(real, self.protocol, name_of(self.spec))

    def students(self) -> tuple[str, ...]:
        """Who is trained."""
        students = self.options.students or students_for(self.sets)
        if self.options.start_noise:
            own = [one.network for one in self.sets if one.network]
            require_fixed_start(own, students)
        return students

    def estimate(self, real: RealSet, folds: Mapping[int, Sequence[NamedSet]]) -> float:
        """Seconds that all folds take on this machine, if nothing is known from before.

        Args:
            real: the corpus, of `load`, or of `listed`: then its features are still to be computed.
            folds: of `folds`.
        """
        number, sets = next(iter(folds.items()))
        fold = self.protocol.folds(real.utterances)[number - 1]
        train = len(fold.train)
        own = [(len(one.synthetic), one.synthetic.start is not None) for one in sets]
        students, shape, columns = self.students(), self.spec.shape, len(self.task.columns)
        natives = [found for one in sets if (found := forecast.Native.of(one.synthetic))]
        ways = 1 + len(by_hearing(sets)[1])
        ways += len(ANCHORS) if VOICES in self.options.attacks and self.hears else 0
        units: list[int] = []
        with suppress(UserError):  # of sessions that nobody knows, by which nobody is trained
            units += [
                len(units_of(real, budget.unit)) * train // len(real) for budget in budgets_of(sets)
            ]
        one = forecast.seconds(
            *(self.options, students, own, train, shape, columns, natives, ways, units)
        )
        one += self._hearing(len(fold.test), train + len(fold.validation) + len(fold.test))
        first = 0.0 if real.features.shape[2] else extraction_time.seconds(self.spec, len(real))
        if RICHER in self.options.teachers and isinstance(self.spec, FeatureSpec):
            first += extraction_time.seconds(richer(self.spec), len(real))  # and then it is cached
        return first + len(folds) * one / cpu_count()

    def _hearing(self, tested: int, whole: int) -> float:
        """Seconds that a fold takes on one core to hear speech as it is not.

        Args:
            tested: utterances that are heard under each degradation.
            whole: utterances of all sides, which are heard as somebody else hides who speaks.
        """
        ways = [(tested, DEGRADATIONS[name]) for name in self.heard]
        if VOICES in self.options.attacks and self.hears:
            ways += [(whole, how) for how in ANCHORS.values()]
        each = extraction_time.seconds_each(self.spec)
        return math.fsum(
            count * (each + extraction_time.degrading_seconds(how)) for count, how in ways
        )

    def run(
        self, real: RealSet, folds: Mapping[int, Sequence[NamedSet]]
    ) -> Report | DimensionalReport:
        """Evaluates all folds and writes the report.

        Args:
            real: the corpus, of `load`.
            folds: of `folds`.

        Raises:
            UserError: a system was not tested on the same folds.
        """
        together = pooled(self.protocol.folds(real.utterances))
        systems = read_systems(self.systems, real, self.protocol.name, list(folds), together)
        self.out.mkdir(parents=True, exist_ok=True)  # or it says why not, before the long work
        at_once = 1 if self.cluster else min(len(folds), cpu_count())
        jobs = -1 if self.cluster else max(1, cpu_count() // at_once)
        work = (
            (self, number, tuple(sets), index % at_once, jobs)
            for index, (number, sets) in enumerate(folds.items())
        )
        if at_once == 1:
            results = [_run_fold(*each) for each in work]
        else:
            results = list(side_by_side(at_once, _run_fold, work))
        count = len(self.protocol.folds(real.utterances))
        notes = real.notes
        if 1 < len(folds) < count:
            listed = ", ".join(str(number) for number in folds)
            notes += (f"not all folds: {listed} of {count}",)
        heard_by = [one.needs for one in self.spec.parts if one.needs]
        if heard_by:
            notes += (
                f"students here hear speech through {', '.join(heard_by)}, which whoever uses them "
                f"needs as well; parameters and bytes are without it, but where models stand "
                f"beside sets",
            )
        line = self.protocol_line(real)
        about = self._about(notes, _every(folds)) | {"pooled": together}
        page = self.out / "report.html"
        told = [result for result in results if isinstance(result, DimensionalResult)]
        if told:
            encoders = Encoders.of(self.spec) if systems else NO_ENCODERS
            felt = DimensionalReport.of(line, told, **about, systems=systems, encoders=encoders)
            felt.save(self.out)
            dimensional.write(page, felt, told, self._exhibits(real, folds))
            return felt
        report = Report.of(
            line, [result for result in results if isinstance(result, FoldResult)], **about
        )
        report.save(self.out)
        write(page, report, self._exhibits(real, folds))
        return report

    def _about(self, notes: Sequence[str], judged: Sequence[NamedSet]) -> dict[str, Any]:
        return {
            "corpus": self.corpus.name,
            "command": self.command,
            "notes": notes,
            "guarantees": guarantees(judged),
        }

    def say_done(self, fold: int) -> None:
        """A line on stderr for whoever waits without a bar."""
        if not self.quiet and not self.show_progress:
            print(f"fold {fold} is done", file=sys.stderr, flush=True)

    def _exhibits(self, real: RealSet, folds: Mapping[int, Sequence[NamedSet]]) -> list[Exhibit]:
        """The sets of the first fold, to be looked at and listened to."""
        number, sets = next(iter(folds.items()))
        train, _, _ = self.sides(real, number)
        # As the whole report calls them; those of the first fold come first.
        named = zip(sets, titles(_every(folds)), strict=False)
        shown = [replace(exhibit(one, train), name=title) for one, title in named]
        if self.label_map is None:
            return shown
        # Real utterances of another corpus say nothing of what these items stand for.
        return [replace(one, means=[None] * len(one.means)) for one in shown]


def _every(folds: Mapping[int, Sequence[NamedSet]]) -> list[NamedSet]:
    return [one for sets in folds.values() for one in sets]


def exhibit(one: NamedSet, train: RealSet) -> Exhibit:
    """A set beside the class (or cell) means of real training utterances."""
    features = hear(one.synthetic.transforms, train.features, train.speakers)
    counted = replace(train, task=replace(train.task, cells=one.synthetic.task.cells))
    rows = [counted.group_rows(group) for group in range(len(counted.task.groups))]
    means = [features[of_one].mean(dim=0) if of_one else None for of_one in rows]
    return Exhibit(one.name, one.synthetic, means)


def richer(spec: FeatureSpec) -> FeatureSpec:
    """The recipe with half as many bands again, finer in frequency, and a third more speech."""
    return replace(spec, mels=spec.mels * 3 // 2, window=0.050, frames=spec.frames * 4 // 3)


def _run_fold(
    session: Session, number: int, sets: Sequence[NamedSet], position: int, jobs: int
) -> FoldResult | DimensionalResult:
    """One fold, perhaps in a process of its own."""
    torch.set_num_threads(1)  # side by side, and the same bits however many run
    if os.getpid() != session.main_process:
        set_up_logging(session.verbose, session.quiet)
    quiet = replace(session, show_progress=False)

    def sides(spec: Representation | None = None) -> tuple[RealSet, RealSet, RealSet]:
        return session.sides(quiet.load(spec), number)

    train, validation, test = sides()
    spec = session.spec

    def anchored(how: Degradation) -> tuple[RealSet, RealSet, RealSet]:
        return degraded_set(train, how), degraded_set(validation, how), degraded_set(test, how)

    progress: Progress = SILENT
    if session.show_progress:
        progress = bar(f"fold {number}: students", position)
    also_heard = {name: degraded_set(test, DEGRADATIONS[name]) for name in session.heard}
    outcomes = Outcomes.of_this_machine() if session.remember else None
    if session.task.dimensions:
        felt = evaluate_dimensional(
            sets,
            *(train, validation, test),
            options=session.options,
            also_heard=also_heard,
            jobs=jobs,
            outcomes=outcomes,
            progress=progress,
        )
        felt.save(session.out / f"fold-{number}")
        session.say_done(number)
        return felt
    result = evaluate(
        sets,
        train,
        validation,
        test,
        options=session.options,
        also_heard=also_heard,
        anchors={name: anchored(how) for name, how in ANCHORS.items()}
        if VOICES in session.options.attacks and session.hears
        else None,
        richer=sides(richer(spec))
        if RICHER in session.options.teachers and isinstance(spec, FeatureSpec)
        else None,
        jobs=jobs,
        outcomes=outcomes,
        progress=progress,
    )
    result.save(session.out / f"fold-{number}")
    session.say_done(number)
    return result
