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
from evaluation.students import RECIPES, Recipe
from synth_data.console import Quiet, Verbose, Version, command_line, run, set_up_logging
from synth_data.corpus import known_corpus, load, protocol_line, protocol_of
from synth_data.errors import SetError, UserError, unknown_name
from synth_data.features import FEATURES
from synth_data.progress import SILENT, bar
from synth_data.real import RealSet
from synth_data.settings import changed, read_settings
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
    seeds: Annotated[int, typer.Option(min=1, help="Students per set and initialisation.")] = 5,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file whose [recipe] says how students are trained, such as the run.toml "
            "of distill-data.  [default: each student's generic recipe]"
        ),
    ] = None,
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
    if out is not None and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError(f"{out} exists already: choose another --out")
    corpus = known_corpus(dataset)
    synthetic = SyntheticSet.load(folder)
    recipes = _recipes(recipe)
    names = _students(students)
    fold = _tested_fold(synthetic, dataset)
    show_progress = not quiet and sys.stderr.isatty()
    real = load(
        corpus,
        data_root,
        synthetic.spec,
        allow_missing=allow_missing,
        skip_bad=skip_bad,
        progress=show_progress,
    )
    _require_same(synthetic, real)
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
        students=names,
        seeds=seeds,
        seed=seed,
        recipes=recipes,
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


def _recipes(file: Path | None) -> dict[str, Recipe]:
    """The generic recipes, changed by the file's [recipe].

    Raises:
        UserError: the file has none, or what it says is no recipe.
    """
    settings = read_settings(file) if file else {"recipe": {}}
    if "recipe" not in settings:
        raise UserError(f"{file} has no table [recipe], which --recipe is for")
    changes = settings["recipe"]
    return {
        name: changed("the student's recipe", recipe, changes) for name, recipe in RECIPES.items()
    }


def _students(names: str | None) -> list[str] | None:
    if names is None:
        return None
    chosen = [name.strip() for name in names.split(",")]
    for name in chosen:
        if name not in NETWORKS:
            raise unknown_name("student", name, NETWORKS)
    return chosen


def _tested_fold(synthetic: SyntheticSet, dataset: str) -> int:
    """The fold whose test speakers the set was not made from.

    Raises:
        SetError: there is none in this corpus.
    """
    made = synthetic.provenance
    if made.corpus != dataset:
        raise SetError(
            f"the set was made from {made.corpus}, not from {dataset}: give --dataset {made.corpus}"
        )
    if made.fold is None:
        raise SetError(
            f"the set was made from all speakers of {made.corpus}, so none is left to test it on: "
            f"judge the sets of single folds (distill-data --fold all), which its card quotes"
        )
    return made.fold


def _require_same(synthetic: SyntheticSet, real: RealSet) -> None:
    """Raises `SetError` unless the set was made from these recordings."""
    made = synthetic.provenance
    if made.corpus_digest != real.digest:
        raise SetError(
            f"these recordings are not those the set was made from ({len(real)} utterances with "
            f"digest {real.digest[:12]}, not {made.corpus_digest[:12]}), so its test speakers "
            f"might be among its training speakers: use the same recordings and the same "
            f"--allow-missing and --skip-bad"
        )
