"""A run from a corpus to its report: folds, each distilled and evaluated, and what is kept.

The output folder holds `run.toml`, `fold-K/set/`, `fold-K/predictions.csv`, `fold-K/runs.json`,
`report.json` and `report.md`. What is there is not made again, so a run can be interrupted and
resumed, and folds can be added to one.
"""

import logging
import os
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from joblib import Parallel, cpu_count, delayed

from distill.checkpoint import Checkpoint
from distill.config import RunConfig
from distill.engine import distill
from evaluation.evaluate import evaluate
from evaluation.records import Row
from evaluation.report import Report
from evaluation.runs import DISTILLED, RUNS, FoldResult
from synth_data.console import set_up_logging
from synth_data.corpus import listing, load, protocol_line
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.normalisation import normalised
from synth_data.progress import SILENT, Progress, bar
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet

logger = logging.getLogger(__name__)

SETTINGS = "run.toml"


@dataclass(frozen=True)
class Experiment:
    """A resolved run and where its results go.

    Attributes:
        config: resolved settings.
        out: the output folder.
        command: the command line, quoted in the report.
        show_progress: bars on stderr.
        verbose: log everything, in other processes too.
        main_process: the one that Ctrl-C is for.
    """

    config: RunConfig
    out: Path
    command: str
    show_progress: bool = False
    verbose: bool = False
    main_process: int = field(default_factory=os.getpid)

    def folder(self, fold: int | str) -> Path:
        """Where a fold's results go."""
        return self.out / f"fold-{fold}"

    def bar(self, description: str, position: int = 0) -> Progress:
        """A progress bar, if bars are shown."""
        return bar(description, position) if self.show_progress else SILENT

    def load(self) -> RealSet:
        """The corpus' features."""
        config = self.config
        return load(
            config.corpus,
            config.data_root,
            config.spec,
            allow_missing=config.allow_missing,
            skip_bad=config.skip_bad,
            progress=self.show_progress,
        )

    def listed(self) -> RealSet:
        """The corpus as its labels list it, without features."""
        config = self.config
        return listing(
            config.corpus, config.data_root, config.spec, allow_missing=config.allow_missing
        )

    def protocol_line(self, real: RealSet) -> str:
        """The line that goes with every number of this run."""
        protocol = None if self.config.fold == "none" else self.config.corpus_protocol
        return protocol_line(real, protocol, self.config.feature_name)

    def folds(self, real: RealSet) -> list[int]:
        """The folds to run.

        Raises:
            UserError: the fold asked for does not exist, or lacks a side or an emotion.
        """
        protocol, fold = self.config.corpus_protocol, self.config.fold
        chosen = range(1, len(protocol.folds(real.utterances)) + 1) if fold == "all" else [fold]
        numbers = [number for number in chosen if isinstance(number, int)]
        for number in numbers:  # before any work, so that none is lost
            real.fold(protocol, number)
        return numbers

    def begin(self, resume: bool) -> None:
        """Claims the output folder.

        Raises:
            UserError: it holds another run, or this one and `resume` is not set.
        """
        path = self.out / SETTINGS
        if path.exists():
            if not resume:
                raise UserError(
                    f"{self.out} holds a run already: give --resume to go on with it, "
                    f"or another --out"
                )
            there = RunConfig.of(path, {})
            differing = [
                name
                for name in RunConfig.model_fields
                if name != "fold" and getattr(there, name) != getattr(self.config, name)
            ]
            if differing:
                raise UserError(
                    f"{self.out} holds a run with other settings ({', '.join(differing)}): "
                    f"resume with those of {path}, or choose another --out"
                )
        self.config.save(path)

    def run_folds(self, folds: list[int]) -> list[FoldResult]:
        """Distils and evaluates, side by side on the cores of this machine."""
        side_by_side = min(len(folds), cpu_count())
        each = max(1, cpu_count() // side_by_side)
        results: list[FoldResult] = Parallel(n_jobs=side_by_side)(
            delayed(_run_fold)(self, fold, index % side_by_side, each)
            for index, fold in enumerate(folds)
        )
        return results

    def report(self, real: RealSet, results: list[FoldResult]) -> Report:
        """Summarises the folds and writes the report."""
        report = Report.of(
            self.protocol_line(real),
            results,
            corpus=real.corpus,
            command=self.command,
            notes=real.notes,
        )
        report.save(self.out)
        return report

    def make_set(
        self, train: RealSet, folder: Path, position: int = 0
    ) -> tuple[SyntheticSet, float]:
        """The set of one fold, and the seconds it took; taken from the folder if it is there."""
        config, target, progress = self.config, folder / "set", folder / "progress.safetensors"
        if not target.exists():
            device = torch.device(config.device)
            distill(
                normalised(Curator(train.to(device))),
                config.build_objective(),
                config.student,
                ipc=config.ipc,
                seed=config.seed,
                loop=config.build_loop(),
                checkpoint=progress,
                progress=self.bar(f"{folder.name}: distilling", position),
            ).save(target)
        return SyntheticSet.load(target), Checkpoint.seconds(progress)

    def make_shipped_set(self, real: RealSet) -> Path:
        """The set made from all speakers, with the cross-validated estimate where there is one."""
        folder = self.folder("none")
        real.require_every_emotion("the whole")
        protocol = self.config.corpus_protocol
        synthetic, _ = self.make_set(replace(real, protocol=protocol.name), folder)
        estimate = self._estimate()
        if estimate != synthetic.provenance.estimate:
            quoted = replace(synthetic.provenance, estimate=estimate)
            replace(synthetic, provenance=quoted).save(folder / "set")
        (folder / "progress.safetensors").unlink(missing_ok=True)
        return folder / "set"

    def _estimate(self) -> str | None:
        """What the folds of this run said of sets made like the one from all speakers."""
        path = self.out / "report.json"
        if not path.exists():
            return None
        report = Report.load(path)
        pooled = report.rows[0].fold  # pooled rows come first
        lines = [
            f"{row.initialisation} initialisation: {_in_words(row)}"
            for row in report.rows
            if row.set == DISTILLED and row.fold == pooled
        ]
        return f"{report.protocol}. {'; '.join(lines)}."


def _in_words(row: Row) -> str:
    interval = "[{:.3f}, {:.3f}]".format(*row.uar.interval) if row.uar.interval else "no interval"
    ratio = f", {row.relative_uar.mean:.2f} of full data" if row.relative_uar else ""
    return f"UAR {row.uar.mean:.3f} {interval}{ratio}"


def _run_fold(experiment: Experiment, fold: int, position: int, jobs: int) -> FoldResult:
    """One fold, in a process of its own."""
    torch.set_num_threads(1)  # side by side, and the same bits however many run
    if os.getpid() != experiment.main_process:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        set_up_logging(experiment.verbose)
    folder = experiment.folder(fold)
    if (folder / RUNS).exists():
        return FoldResult.load(folder)
    train, validation, test = experiment.load().fold(experiment.config.corpus_protocol, fold)
    synthetic, seconds = experiment.make_set(train, folder, position)
    result = evaluate(
        synthetic,
        train,
        validation,
        test,
        seeds=experiment.config.seeds,
        seed=experiment.config.seed,
        making_seconds=seconds,
        jobs=jobs,
        progress=experiment.bar(f"{folder.name}: students", position),
    )
    result.save(folder)
    (folder / "progress.safetensors").unlink(missing_ok=True)
    return result
