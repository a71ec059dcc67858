"""The command `evaluate-data`: what is a synthetic set worth, on speakers it was not made from?"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer
from joblib import cpu_count

from evaluation.attacks import ATTACKS
from evaluation.cluster import connected
from evaluation.forecast import in_words
from evaluation.named_sets import NamedSet, budgets_of, load_sets
from evaluation.options import DP_SGD, EVERY_BASELINE, GENERATIVE, Options
from evaluation.runs import PREDICTIONS, RUNS
from evaluation.session import Session
from evaluation.students import RECIPES, Recipe, StudentRecipe
from evaluation.teachers import TEACHERS
from synth_data.console import (
    AllowMissing,
    DataRoot,
    Json,
    Quiet,
    SkipBad,
    Verbose,
    Version,
    command_line,
    run,
    set_up_logging,
)
from synth_data.corpus import known_corpus
from synth_data.degradation import DEGRADATIONS
from synth_data.errors import UserError, unknown_name
from synth_data.label_map import parse
from synth_data.representations.encoder_folder import open_encoder
from synth_data.settings import changed, read_settings

SPEECH = "noise-10dB,reverberation-0.4s"  # beside clean speech, if nothing else is asked for
TAUGHT_BY = "ensemble"
ALL, NOTHING = "all", "none"

app = command_line("Judge synthetic sets of speech emotion features.")


def main() -> None:
    """The entry point."""
    run(app)


@app.command()
def evaluate_data(
    sets: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]SET...",
            help="Folders of sets, or of runs with a set per fold. Several stand side by side.",
        ),
    ],
    dataset: Annotated[str, typer.Option(help="The corpus to test on.")],
    data_root: DataRoot = None,
    label_map: Annotated[
        str | None,
        typer.Option(
            metavar="THEIRS=OURS,...",
            help="For another corpus than the one the sets were made from: which of its emotions "
            "are which of theirs; nothing after = leaves one out; '' if the names agree.",
        ),
    ] = None,
    students: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help=f"{', '.join(RECIPES)}; or all.  [default: the network the set was made for; if "
            "it was made for none, tdnn, or mlp for features with few frames]",
        ),
    ] = None,
    baselines: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help=f"{', '.join(EVERY_BASELINE)}; all or none. Full data always are; all is without "
            f"{GENERATIVE}, which takes minutes, and {DP_SGD} where no set has a guarantee.",
        ),
    ] = ALL,
    teachers: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help=f"Model distillation by {', '.join(TEACHERS)}; all or none, which is all there is "
            f"for dimensions.  [default: {TAUGHT_BY}, or none]",
        ),
    ] = None,
    speech: Annotated[
        str,
        typer.Option(
            metavar="A,B", help=f"Also test under {', '.join(DEGRADATIONS)}; all or none."
        ),
    ] = SPEECH,
    start_noise: Annotated[
        str | None,
        typer.Option(
            metavar="0.1,0.3,...",
            help="Also start students from the fixed weights plus noise of these sizes; 1 is as "
            "large as random weights.",
        ),
    ] = None,
    scores: Annotated[
        bool | None,
        typer.Option(
            "--scores/--no-scores",
            help="DD-Ranking's scores of emotions, which take more students.  [default: scores]",
        ),
    ] = None,
    attacks: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help=f"{', '.join(ATTACKS)}: who is speaking, and who the set was made from; all or "
            "none.",
        ),
    ] = NOTHING,
    systems: Annotated[
        str | None,
        typer.Option(
            metavar="RUN,RUN",
            help="Output folders of distill-model, to stand beside sets that tell dimensions.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Students per set and initialisation.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of all random choices.")] = 0,
    fold: Annotated[
        int | None, typer.Option(min=1, help="Only this one.  [default: every fold with a set]")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file whose [recipe] says how networks are trained, such as the run.toml "
            "of distill-data.  [default: each student's generic recipe]"
        ),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the encoder of the sets' features is, or its name on the Hugging Face "
            "hub; can be given again for another.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.  [default: a new one in runs/]")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the reports in --out.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Train every student afresh, and keep nothing.")
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="tcp://HOST:PORT", help="Train students on this Dask cluster."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print an estimate of the time; do nothing.")
    ] = False,
    allow_missing: AllowMissing = False,
    skip_bad: SkipBad = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    version: Version = False,  # noqa: ARG001
) -> None:
    """Train fresh students on sets, and compare them with what else one could do.

    The students are tested on speakers that the sets were made without. A command that was
    interrupted goes on with the students it has when it is given again.
    """
    set_up_logging(verbose, quiet)
    torch.set_num_threads(1)  # so that the same seed gives the same bits, whatever runs beside
    if out is not None and out.exists() and not out.is_dir():
        raise UserError(f"{out} is no folder: choose another --out")
    if out is not None and not overwrite and not _is_free(out):
        raise UserError(f"{out} exists already: choose another --out, or give --overwrite")
    if out is not None and (out / "run.toml").exists():
        raise UserError(
            f"{out} holds a run of distill-data, whose own results would be lost: choose another "
            f"--out"
        )
    for where in encoder or ():
        open_encoder(where)
    corpus = known_corpus(dataset)
    loaded = load_sets(sets)
    emotions = not any(one.synthetic.task.dimensions for one in loaded)
    session = Session(
        sets=tuple(loaded),
        corpus=corpus,
        data_root=data_root,
        options=Options(
            students=_students(students),
            baselines=_baselines(baselines, loaded),
            teachers=_chosen("teacher", teachers or (TAUGHT_BY if emotions else NOTHING), TEACHERS),
            seeds=seeds,
            seed=seed,
            recipes=_recipes(recipe),
            start_noise=_sizes(start_noise),
            robust_scores=emotions if scores is None else scores,
            attacks=_chosen("attack", attacks, ATTACKS),
            memory=True,
        ),
        speech=_chosen("speech", speech, DEGRADATIONS),
        label_map=None if label_map is None else parse(label_map),
        fold=fold,
        systems=tuple(Path(one.strip()) for one in systems.split(",")) if systems else (),
        out=out or _new_folder(dataset),
        command=shlex.join(["evaluate-data", *sys.argv[1:]]),
        allow_missing=allow_missing,
        skip_bad=skip_bad,
        cluster=cluster is not None,
        remember=not forget,
        show_progress=not quiet and sys.stderr.isatty(),
        verbose=verbose,
        quiet=quiet,
    )
    real = session.listed() if dry_run else session.load()
    folds = session.folds(real)
    line = session.protocol_line(real)
    if not json:
        print(line, flush=True)
    if dry_run or not quiet:
        estimate = in_words(session.estimate(real, folds))
        count = f"{len(folds)} fold" + ("s" if len(folds) > 1 else "")
        print(
            f"estimate: {estimate} on {cpu_count()} cores for {count}, less what is known from "
            f"before; results in {session.out}",
            file=sys.stderr,
            flush=True,
        )
    if dry_run:
        return
    with connected(cluster):
        report = session.run(real, folds)
    print(report.model_dump_json(indent=2) if json else f"{report.table()}\n{line}")


def _recipes(file: Path | None) -> dict[str, StudentRecipe]:
    """The generic recipes; those of networks changed by the file's [recipe].

    Raises:
        UserError: the file has none, or what it says is no recipe.
    """
    settings = read_settings(file) if file else {"recipe": {}}
    if "recipe" not in settings:
        raise UserError(f"{file} has no table [recipe], which --recipe is for")
    return {
        name: changed("the student's recipe", recipe, settings["recipe"])
        if isinstance(recipe, Recipe)
        else recipe
        for name, recipe in RECIPES.items()
    }


def _students(words: str | None) -> tuple[str, ...]:
    """The students that the option lists; none if it is not given, as the sets then say.

    Raises:
        UserError: one is unknown, or nobody is left.
    """
    if not words:
        return ()
    chosen = _chosen("student", words, RECIPES)
    if not chosen:
        raise UserError(
            "--students none leaves nobody to judge a set by: name one, or leave the option out"
        )
    return chosen


def _baselines(words: str, sets: Sequence[NamedSet]) -> tuple[str, ...]:
    """The baselines that the option lists.

    All are those that there can be beside the sets, but for one that is trained for minutes.

    Raises:
        UserError: one is unknown.
    """
    chosen = _chosen("baseline", words, EVERY_BASELINE)
    if words.strip() != ALL:
        return chosen
    left_out = {GENERATIVE} if budgets_of(sets) else {GENERATIVE, DP_SGD}
    return tuple(name for name in chosen if name not in left_out)


def _chosen(kind: str, words: str, table: object) -> tuple[str, ...]:
    """The names that an option lists.

    Raises:
        UserError: one is unknown; the message tells the nearest.
    """
    names = list(table)  # type: ignore[call-overload]
    if words.strip() == ALL:
        return tuple(names)
    if words.strip() == NOTHING:
        return ()
    chosen = tuple(dict.fromkeys(word.strip() for word in words.split(",")))
    for name in chosen:
        if name in (ALL, NOTHING):
            raise UserError(
                f"'{name}' stands alone, in place of a list of {kind}s; found '{words}'"
            )
        if name not in names:
            raise unknown_name(kind, name, [*names, ALL, NOTHING])
    return chosen


def _sizes(words: str | None) -> tuple[float, ...]:
    """The numbers that the option lists; none if it is not given.

    Raises:
        UserError: one is no number.
    """
    try:
        return tuple(float(word) for word in words.split(",")) if words is not None else ()
    except ValueError as error:
        raise UserError(
            f"--start-noise takes numbers with commas between them, such as 0.1,0.3,1,3; found "
            f"{words!r}"
        ) from error


def _is_free(folder: Path) -> bool:
    """Whether nothing is there, or only folds of an evaluation that was interrupted."""
    return all(
        path.is_dir() or (path.parent.parent == folder and path.name in (PREDICTIONS, RUNS))
        for path in folder.rglob("*")
    )


def _new_folder(dataset: str) -> Path:
    """A folder in runs/ that does not exist yet."""
    number = 1
    while (folder := Path("runs") / f"evaluation-{dataset}-{number}").exists():
        number += 1
    return folder
