"""A run from a corpus to its report: folds, each distilled and evaluated, and what is kept.

The output folder holds `run.toml`, `fold-K/set/`, `fold-K/predictions.csv`, `fold-K/runs.json`,
`fold-K/cost.json`, `report.json`, `report.md` and `report.html`. What is there is not made again,
so a run can be interrupted and resumed, and folds can be added to one.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from joblib import cpu_count

from distill.checkpoint import Checkpoint
from distill.config import RunConfig
from distill.cross_validated import cross_validated
from distill.disentangle.leace import Leace
from distill.engine import distill
from distill.objectives.objective import Student
from distill.private import Feasibility, account_of, feasibility
from distill.public import in_words, record, under_emotions_of
from distill.rivals import stored_small
from distill.worth import AnyReport, Result, in_short, judged, load_report, load_result, report_of
from evaluation.claims import guaranteed
from evaluation.dimensional import page as dimensional
from evaluation.dimensional.results import DimensionalResult
from evaluation.files import write_atomically
from evaluation.named_sets import COST, SECONDS, NamedSet, making_seconds
from evaluation.networks import skeleton
from evaluation.options import Options
from evaluation.outcomes import Outcomes
from evaluation.page.page import write
from evaluation.report import Report
from evaluation.runs import DISTILLED, FULL, RANDOM_SUBSET, RUNS
from evaluation.session import exhibit
from synth_data.account import epsilon_of_corpus, forget_answers, ledger_of_corpus, other_units
from synth_data.codecs import Codec
from synth_data.console import set_up_logging
from synth_data.corpora.facts import Corpus
from synth_data.corpus import listing, load, protocol_line
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.gaussian import Gaussian
from synth_data.guarantee import Guarantee
from synth_data.mechanism import units_of
from synth_data.progress import SILENT, Progress, bar
from synth_data.real import RealSet
from synth_data.representations import name_of
from synth_data.side_by_side import side_by_side
from synth_data.synthetic import SyntheticSet

CLEAR = "\r\x1b[J"  # from the start of this line to the end of the screen
RELEASES = "releases"  # where a fold keeps what it was told under a privacy budget
REPORT, PAGE = "report.json", "report.html"


@dataclass(frozen=True)
class Experiment:
    """A resolved run and where its results go.

    Attributes:
        config: resolved settings.
        out: the output folder.
        command: the command line, quoted in the report.
        show_progress: bars on stderr.
        verbose: log everything, in other processes too.
        quiet: say nothing on the way.
        main_process: in which logging is set up already.
    """

    config: RunConfig
    out: Path
    command: str
    show_progress: bool = False
    verbose: bool = False
    quiet: bool = False
    main_process: int = field(default_factory=os.getpid)

    def folder(self, fold: int | str) -> Path:
        """Where a fold's results go."""
        return self.out / f"fold-{fold}"

    def bar(self, description: str, position: int = 0) -> Progress:
        """A progress bar, if bars are shown."""
        return bar(description, position) if self.show_progress else SILENT

    def say(self, text: str) -> None:
        """A line on stderr for whoever waits; bars below it are drawn anew by who owns them."""
        if not self.quiet:
            print(f"{CLEAR if self.show_progress else ''}{text}", file=sys.stderr, flush=True)

    def load(self) -> RealSet:
        """The corpus' features."""
        return self._load(self.config.corpus, self.config.data_root)

    def listed(self) -> RealSet:
        """The corpus as its labels list it, without features."""
        return self._listed(self.config.corpus, self.config.data_root)

    def load_public(self, real: RealSet) -> RealSet | None:
        """The public corpus under the emotions of the corpus; None where there is none.

        Raises:
            CorpusError: an emotion of the corpus is not in it. (Recordings that both have are for
                `distill.public.require_apart` to find, once per run.)
        """
        return self._public(self._load, real)

    def listed_public(self, listed: RealSet) -> RealSet | None:
        """The same, without features, and without a look at the recordings."""
        return self._public(self._listed, listed)

    def _public(
        self, read: Callable[[Corpus, Path | None], RealSet], real: RealSet
    ) -> RealSet | None:
        config = self.config
        if config.public_corpus is None:
            return None
        public = read(config.public_corpus, config.public_root)
        public = under_emotions_of(public, real.emotions, config.public_label_map)
        disentangler = config.build_disentangler()
        if disentangler is not None and disentangler.fitted:
            disentangler.require_speakers(len(public.known_speakers))
        return public

    def _load(self, corpus: Corpus, root: Path | None) -> RealSet:
        config = self.config
        return load(
            corpus,
            root,
            config.spec,
            task=config.task,
            scale=config.scale,
            allow_missing=config.allow_missing,
            skip_bad=config.skip_bad,
            progress=self.show_progress,
        ).weighed(config.dimension_weights)

    def _listed(self, corpus: Corpus, root: Path | None) -> RealSet:
        config = self.config
        return listing(
            *(corpus, root, config.spec),
            task=config.task,
            scale=config.scale,
            allow_missing=config.allow_missing,
            skip_bad=config.skip_bad,
        ).weighed(config.dimension_weights)

    def told_of_public(self, public: RealSet) -> str:
        """What there is to know of public speech before a run, in words."""
        config = self.config
        return in_words(record(public, config.build_loop(), config.build_disentangler()))

    def protocol_line(self, real: RealSet) -> str:
        """The line that goes with every number of this run."""
        protocol = None if self.config.fold == "none" else self.config.corpus_protocol
        line = protocol_line(real, protocol, name_of(self.config.spec))
        public = self.config.public_corpus
        return line if public is None else f"{line} · public speech: {public.title}"

    def folds(self, real: RealSet) -> list[int]:
        """The folds to run; none for the set made from all speakers.

        Raises:
            UserError: the fold asked for does not exist, or lacks a side or an emotion.
        """
        protocol, fold = self.config.corpus_protocol, self.config.fold
        if fold == "none":
            real.require_every_group("the whole")
            self._require_speakers(real)
            return []
        chosen = range(1, len(protocol.folds(real.utterances)) + 1) if fold == "all" else [fold]
        numbers = [number for number in chosen if isinstance(number, int)]
        listed = replace(real, features=real.features[:, :, :0])  # folds are copies
        for number in numbers:  # before any work, so that none is lost
            train, _, _ = listed.fold(protocol, number)
            self._require_speakers(train)
        return numbers

    def _require_speakers(self, train: RealSet) -> None:
        """Raises `UserError` if there are too few to take out what is theirs."""
        disentangler = self.config.build_disentangler()
        if disentangler is not None and disentangler.fitted and self.config.public_dataset:
            return  # it is those of the public corpus that count
        if disentangler is None and self.config.speaker_penalty:
            disentangler = Leace()
        if disentangler is not None:
            disentangler.require_speakers(len(train.known_speakers))

    def feasibility(self, real: RealSet, folds: Sequence[int]) -> Feasibility | None:
        """Whether there are units enough for the privacy budget; None without one.

        Raises:
            UserError: nothing public says how many units there are, or an utterance is of none.
        """
        config, budget = self.config, self.config.budget
        if budget is None:
            return None
        sides = [real.fold(config.corpus_protocol, fold)[0] for fold in folds] or [real]
        counted = [len(units_of(side, budget.unit)) for side in sides]
        units = config.units_at_least
        if units is None:
            if config.corpus.access == "own":
                raise UserError(
                    f"under --epsilon the number of {budget.unit}s must be public, since it says "
                    f"how much noise there can be: give --units-at-least with a number that "
                    f"training never has fewer of"
                )
            units = min(counted)
        spec, groups = config.spec, len(real.task.groups)
        network = skeleton(config.student, spec.mels, len(real.task.columns))
        student = Student(network, dict(network.named_parameters()), real.task)
        objective, loop = config.build_objective(), config.build_loop()
        return feasibility(budget, objective, loop, student, spec, groups, units, max(counted))

    def door(self, train: RealSet, folder: Path) -> Curator:
        """The door to training utterances: exact, or under the privacy budget."""
        config = self.config
        real = train.to(torch.device(config.device))
        if config.budget is None:
            return Curator(real)
        account = account_of(
            *(config.budget, config.build_objective(), config.build_loop()),
            folder=folder / RELEASES,
            ledger_of_corpus=ledger_of_corpus(train.digest),
        )
        return Curator(real, Gaussian(account))

    def spent_in_all(self, real: RealSet) -> str:
        """What all private sets from this corpus come to, in words; empty without a budget."""
        budget = self.config.budget
        if budget is None:
            return ""
        ledger = ledger_of_corpus(real.digest)
        spent = epsilon_of_corpus(ledger, budget)
        if not spent:
            return ""
        others = " and ".join(f"every {unit}" for unit in other_units(ledger, budget.unit))
        more = f"; sets that are private for {others} come on top" if others else ""
        return (
            f"privacy: all private sets so far from exactly these recordings, on this machine, "
            f"come to at most epsilon {spent:.4g} at delta {budget.delta:g} for every "
            f"{budget.unit}, if all are shared{more}"
        )

    def unfinished(self, folds: Sequence[int]) -> list[int]:
        """Those of the folds that are not judged yet."""
        return [fold for fold in folds if not (self.folder(fold) / RUNS).exists()]

    def run_folds(self, folds: list[int]) -> list[Result]:
        """Distils and evaluates, side by side on the cores of this machine."""
        at_once = min(len(folds), cpu_count())
        jobs = max(1, cpu_count() // at_once)
        arguments = ((self, fold, index % at_once, jobs) for index, fold in enumerate(folds))
        results = []
        for result in side_by_side(at_once, _run_fold, arguments, ordered=False):
            results.append(result)
            if len(folds) > 1:
                self.say(f"{in_short(result)}; {len(results)} of {len(folds)} done")
        return results

    def report(self, real: RealSet, results: Sequence[Result]) -> AnyReport:
        """Summarises these folds, with others that the folder holds, and writes the report."""
        done = {result.fold: result for result in results}
        folds = self.config.corpus_protocol.folds(real.utterances)
        count = len(folds)
        for fold in range(1, count + 1):
            if fold not in done and (self.folder(fold) / RUNS).exists():
                done[fold] = load_result(self.folder(fold), self.config.task)
        notes = real.notes
        if 1 < len(done) < count:
            listed = ", ".join(str(fold) for fold in sorted(done))
            notes += (f"not all folds: {listed} of {count}",)
        budget = self.config.budget
        report = report_of(
            self.protocol_line(real),
            [done[fold] for fold in sorted(done)],
            folds,
            corpus=real.corpus,
            command=self.command,
            notes=notes,
            guarantees=() if budget is None else (guaranteed(DISTILLED, Guarantee(budget, ())),),
        )
        report.save(self.out)
        self._write_page(report, real, done)
        return report

    def _write_page(self, report: AnyReport, real: RealSet, done: Mapping[int, Result]) -> None:
        """The report as a page, with the set of one fold to look at and to listen to."""
        fold = min(done)
        train, validation, _ = real.fold(self.config.corpus_protocol, fold)
        synthetic, seconds = self.make_set(train, validation, self.folder(fold))
        one = NamedSet(DISTILLED, synthetic, seconds)
        if isinstance(report, Report):
            write(self.out / PAGE, report, [exhibit(one, train)])
            return
        told = [done[k] for k in sorted(done)]
        felt = [result for result in told if isinstance(result, DimensionalResult)]
        dimensional.write(self.out / PAGE, report, felt, [exhibit(one, train)])

    def make_set(
        self, train: RealSet, validation: RealSet | None, folder: Path, position: int = 0
    ) -> tuple[SyntheticSet, float | None]:
        """The set of one fold, and the seconds it took; taken from the folder if it is there.

        Of a set in the folder that nobody noted the seconds of, they are None.
        """
        config, target, cost = self.config, folder / "set", folder / COST
        if not target.exists():
            progress = folder / "progress.safetensors"
            synthetic = distill(
                self.door(train, folder),
                config.build_objective(),
                config.student,
                ipc=config.ipc,
                nested=config.nested,
                seed=config.seed,
                loop=config.build_loop(),
                parameterisation=config.build_parameterisation(),
                native=config.build_native(),
                expert=config.build_expert(),
                disentangler=config.build_disentangler(),
                speaker_penalty=config.speaker_penalty,
                public=self.load_public(train),
                validation=validation if config.budget is None else None,
                recipe=config.build_recipe(),
                max_minutes=config.max_minutes,
                checkpoint=progress,
                progress=self.bar(f"{folder.name}: distilling", position),
            )
            seconds = Checkpoint.seconds(progress)
            write_atomically(cost, json.dumps({SECONDS: seconds}) + "\n")
            synthetic.save(target)
            progress.unlink()
            forget_answers(folder / RELEASES)
        return SyntheticSet.load(target), making_seconds(target)

    def make_shipped_set(self, real: RealSet) -> Path:
        """The set made from all speakers, with the cross-validated estimate where there is one."""
        folder = self.folder("none")
        protocol = self.config.corpus_protocol
        synthetic, _ = self.make_set(replace(real, protocol=protocol.name), None, folder)
        estimate = None
        # Accuracies on private speakers are no part of a private set.
        if self.config.budget is None and (report := self.out / REPORT).exists():
            folds = len(protocol.folds(real.utterances))
            estimate = cross_validated(load_report(report, self.config.task), folds)
        if estimate != synthetic.provenance.estimate:
            quoted = replace(synthetic.provenance, estimate=estimate)
            replace(synthetic, provenance=quoted).save(folder / "set")
        return folder / "set"


def _run_fold(experiment: Experiment, fold: int, position: int, jobs: int) -> Result:
    """One fold, in a process of its own."""
    torch.set_num_threads(1)  # side by side, and the same bits however many run
    if os.getpid() != experiment.main_process:
        set_up_logging(experiment.verbose, experiment.quiet)
    folder = experiment.folder(fold)
    if (folder / RUNS).exists():
        return load_result(folder, experiment.config.task)
    train, validation, test = experiment.load().fold(experiment.config.corpus_protocol, fold)
    synthetic, seconds = experiment.make_set(train, validation, folder, position)
    codec = synthetic.packed.codec if synthetic.packed else Codec()
    result = judged(
        NamedSet(DISTILLED, synthetic, seconds),
        (train, validation, test),
        experiment.config.task,
        options=Options(
            baselines=(FULL, RANDOM_SUBSET, *stored_small(codec)),
            seeds=experiment.config.seeds,
            seed=experiment.config.seed,
            recipes={experiment.config.student: experiment.config.build_recipe()},
        ),
        jobs=jobs,
        outcomes=Outcomes.of_this_machine(),
        progress=experiment.bar(f"{folder.name}: students", position),
    )
    result.save(folder)
    return result
