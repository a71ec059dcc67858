"""The command `distill-model`: a small model, taught by a large one on all the recordings."""

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import tomli_w
import torch
import typer

from evaluation.systems.recordings import LOW_LEVEL
from evaluation.systems.report import table
from evaluation.systems.session import Session
from evaluation.systems.table import SYSTEMS
from synth_data.console import (
    AllowMissing,
    DataRoot,
    DimensionWeights,
    Json,
    Quiet,
    RatingScale,
    SkipBad,
    Verbose,
    Version,
    command_line,
    print_json,
    run,
    set_up_logging,
)
from synth_data.corpus import known_corpus, protocol_line
from synth_data.errors import UserError, unknown_name
from synth_data.ratings import parse_scale, parse_weights
from synth_data.settings import changed, read_settings

ALL = "all"

app = command_line("Distil models of speech emotion: what data distillation competes with.")


def main() -> None:
    """The entry point."""
    run(app)


@app.command()
def distill_model(
    system: Annotated[str, typer.Option(help=f"{', '.join(SYSTEMS)}.")],
    dataset: Annotated[str, typer.Option(help="A corpus with dimensions.")],
    teacher: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Encoders of speech: folders that transformers' save_pretrained wrote, or names "
            "on the Hugging Face hub. Several are fused (representation).",
        ),
    ],
    text_teacher: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="An encoder of text, for transcripts (audio-textual needs one)."
        ),
    ] = None,
    scale: RatingScale = None,
    dimension_weights: DimensionWeights = None,
    data_root: DataRoot = None,
    protocol: Annotated[
        str | None, typer.Option(help="How it is split.  [default: the corpus' first]")
    ] = None,
    fold: Annotated[str, typer.Option(metavar="K|all", help="Only this one, or all.")] = ALL,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help="Trainings of each model (audio-textual: of each head; an encoder is distilled "
            "once a fold).",
        ),
    ] = 3,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    config: Annotated[
        Path | None,
        typer.Option(help="A TOML file whose [settings] are the system's, such as recipe.epochs."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder; a run that is there goes on.  [default: in runs/]"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; do nothing.")] = False,
    allow_missing: AllowMissing = False,
    skip_bad: SkipBad = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    version: Version = False,  # noqa: ARG001
) -> None:
    """Train teachers and students on speaker-independent folds, and compare them.

    A command that was interrupted goes on where it was when it is given again with its --out.
    """
    set_up_logging(verbose, quiet)
    torch.set_num_threads(1)  # so that the same seed gives the same bits, whatever runs beside
    if system not in SYSTEMS:
        raise unknown_name("system", system, SYSTEMS)
    settings = SYSTEMS[system]()
    if config is not None:
        found = read_settings(config).get("settings")
        if found is None:
            raise UserError(f"{config} has no table [settings], which --config is for")
        settings = changed(f"the system {system}", settings, found)
    session = Session(
        name=system,
        system=settings,
        corpus=known_corpus(dataset),
        data_root=data_root,
        teachers=tuple(word.strip() for word in teacher.split(",") if word.strip()),
        text_teacher=text_teacher,
        protocol=protocol,
        fold=_fold(fold),
        seeds=seeds,
        seed=seed,
        out=out or Path("runs") / f"{system}-{dataset}",
        command=shlex.join(["distill-model", *sys.argv[1:]]),
        scale=None if scale is None else parse_scale(scale),
        weights=() if dimension_weights is None else parse_weights(dimension_weights),
        allow_missing=allow_missing,
        skip_bad=skip_bad,
        show_progress=not quiet and sys.stderr.isatty(),
        quiet=quiet,
    )
    opened = session.open()
    plan = session.plan(opened)
    if dry_run:
        line = protocol_line(opened.real, opened.protocol, LOW_LEVEL)
        told = {"settings": asdict(settings)}  # type: ignore[call-overload]
        if json:
            print_json({"protocol": line, **told, "plan": asdict(plan)})
        else:
            print(f"{line}\n{tomli_w.dumps(told)}# {plan}")
        return
    if not quiet:
        print(f"{plan}; results in {session.out}", file=sys.stderr, flush=True)
    found = session.run(opened)
    if json:
        print_json(asdict(found))
    else:
        print(f"{table(found.rows)}\n{found.line}")
    if not quiet:
        print(f"results in {session.out}", file=sys.stderr, flush=True)


def _fold(words: str) -> int | None:
    """The number of a fold; None for all.

    Raises:
        UserError: it is neither.
    """
    if words == ALL:
        return None
    try:
        return int(words)
    except ValueError as error:
        raise UserError(f"--fold takes a number or {ALL}; found {words!r}") from error
