"""The command `evaluate-data`: what is a synthetic set worth, on speakers it was not made from?"""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from joblib import cpu_count

from evaluation.evaluate import evaluate
from evaluation.networks import NETWORKS
from evaluation.report import Report
from synth_data.console import Quiet, Verbose, Version, command_line, run, set_up_logging
from synth_data.corpus import known_corpus, load, protocol_line, protocol_of
from synth_data.errors import SetError
from synth_data.features import FEATURES
from synth_data.progress import SILENT, bar
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet

app = command_line("Judge a synthetic set of speech emotion features.")


def main() -> None:
    """The entry point."""
    run(app)


@app.command()
def evaluate_data(
    folder: Annotated[Path, typer.Argument(metavar="SET", help="The folder of a synthetic set.")],
    dataset: Annotated[str, typer.Option(help="The corpus it was made from.")],
    data_root: Annotated[
        Path | None,
        typer.Option(help="Its folder (a CSV for table); else $<DATASET>_ROOT or $SER_DATA_ROOT."),
    ] = None,
    students: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help=f"Networks: {', '.join(NETWORKS)}.  [default: the one the set was made for]",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Students per set and initialisation.")] = 5,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Write predictions and reports into this folder.")
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Go on without missing audio or labels.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out unusable recordings.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    version: Version = False,  # noqa: ARG001
) -> None:
    """Train fresh students on a set, and compare them with students of the real recordings.

    The students are tested on the speakers of the fold that the set was made without.
    """
    set_up_logging(verbose, quiet)
    torch.set_num_threads(1)  # so that the same seed gives the same bits, whatever runs beside
    synthetic = SyntheticSet.load(folder)
    show_progress = not quiet and sys.stderr.isatty()
    corpus = known_corpus(dataset)
    real = load(
        corpus,
        data_root,
        synthetic.spec,
        allow_missing=allow_missing,
        skip_bad=skip_bad,
        progress=show_progress,
    )
    fold = _fold_without(synthetic, real)
    protocol = protocol_of(corpus, synthetic.provenance.protocol)
    feature = next(
        (name for name, spec in FEATURES.items() if spec == synthetic.spec), "own recipe"
    )
    line = protocol_line(real, protocol, feature)
    if not json:
        print(line, flush=True)
    train, validation, test = real.fold(protocol, fold)
    result = evaluate(
        synthetic,
        train,
        validation,
        test,
        students=students.split(",") if students else None,
        seeds=seeds,
        seed=seed,
        jobs=cpu_count(),
        progress=bar("students") if show_progress else SILENT,
    )
    report = Report.of(
        line,
        [result],
        corpus=corpus.name,
        command=shlex.join(["evaluate-data", *sys.argv[1:]]),
        notes=real.notes,
    )
    if out is not None:
        result.save(out)
        report.save(out)
    print(report.model_dump_json(indent=2) if json else f"{report.table()}\n{line}")


def _fold_without(synthetic: SyntheticSet, real: RealSet) -> int:
    """The fold whose test speakers the set was not made from.

    Raises:
        SetError: there is none on these recordings.
    """
    made = synthetic.provenance
    if made.corpus != real.corpus:
        raise SetError(
            f"the set was made from {made.corpus}, not from {real.corpus}: "
            f"give --dataset {made.corpus}"
        )
    if made.fold is None:
        raise SetError(
            f"the set was made from all speakers of {made.corpus}, so none is left to test it on: "
            f"judge the sets of single folds (distill-data --fold all), which its card quotes"
        )
    if made.corpus_digest != real.digest:
        raise SetError(
            f"these recordings are not those the set was made from ({len(real)} utterances with "
            f"digest {real.digest[:12]}, not {made.corpus_digest[:12]}), so its test speakers "
            f"might be among its training speakers: use the same recordings and the same "
            f"--allow-missing and --skip-bad"
        )
    return made.fold
