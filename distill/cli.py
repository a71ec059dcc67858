"""The command `distill-data`: from a corpus to a synthetic set, and what the set is worth."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import torch
import typer

from distill import run_folder
from distill.choice import AUTO, Choice
from distill.config import RunConfig
from distill.disentangle import DISENTANGLERS
from distill.experiment import REPORT, Experiment
from distill.initialisations import INITIALISATIONS
from distill.objectives import OBJECTIVES
from distill.plan import plan
from distill.private import LARGE_EPSILON
from distill.public import require_apart
from distill.run_folder import DIGESTS, SETTINGS
from evaluation.networks import BATCH_NORM, NETWORKS
from synth_data.console import (
    DataRoot,
    DimensionWeights,
    Json,
    Quiet,
    RatingScale,
    Verbose,
    Version,
    command_line,
    print_json,
    run,
    set_up_logging,
)
from synth_data.corpora import CORPORA
from synth_data.errors import UserError
from synth_data.label_map import parse
from synth_data.ledger import Unit
from synth_data.number_kinds import NUMBERS
from synth_data.ratings import parse_scale, parse_weights
from synth_data.representations import HELP

NO_ESTIMATE = (
    "its card quotes no estimate of what it is worth. For one: distill-data --resume --out {0} "
    "--fold all, then distill-data --resume --out {0} --fold none"
)

app = command_line("Distil a corpus of emotional speech into a small synthetic set.")


def main() -> None:
    """The entry point."""
    run(app)


def _names(table: Sequence[str]) -> str:
    return ", ".join(table)


def _sizes(text: str) -> list[int]:
    """Numbers between commas.

    >>> _sizes("1, 5")
    [1, 5]
    """
    try:
        return [int(size) for size in text.split(",")]
    except ValueError as error:
        raise UserError(
            f"--nested takes whole numbers between commas, such as 1,5; found '{text}'"
        ) from error


@app.command()
def distill_data(
    dataset: Annotated[
        str | None, typer.Option(help=f"Corpus: {_names(list(CORPORA))}.  [default: toy]")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="What is told: categorical (emotions), dimensional (valence, activation, "
            "dominance), both.  [default: categorical]"
        ),
    ] = None,
    scale: RatingScale = None,
    dimension_weights: DimensionWeights = None,
    data_root: DataRoot = None,
    ipc: Annotated[
        int | None,
        typer.Option(help="Items per class, or the bytes of so many whole ones.  [default: 10]"),
    ] = None,
    nested: Annotated[
        str | None,
        typer.Option(
            metavar="N,...",
            help="Smaller such sizes, of which the first items of each class are sets too.",
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(help=f"Objective: {_names([AUTO, *OBJECTIVES])}.  [default: auto]"),
    ] = None,
    feature: Annotated[
        str | None,
        typer.Option(help=f"Representation: {HELP}.  [default: logmel64; toy: logmel64-short]"),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="How speakers are split; `synth-data corpora` lists them.  [default: the first]"
        ),
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="K|all|none",
            help="Fold; none: from all speakers, to share.  [default: all; 1 for toy]",
        ),
    ] = None,
    student: Annotated[
        str | None,
        typer.Option(
            help=f"Network: {_names([n for n in NETWORKS if not n.endswith(BATCH_NORM)])}.  "
            f"[default: auto: tdnn, or mlp for features of few frames]"
        ),
    ] = None,
    starts_from: Annotated[
        str | None,
        typer.Option(
            help="For students from its stored weights (fixed), others (random) or both.  "
            "[default: both]"
        ),
    ] = None,
    initialisation: Annotated[
        str | None,
        typer.Option(
            help=f"Items start as: {_names(list(INITIALISATIONS))}.  "
            f"[default: real; spectrum under --epsilon]"
        ),
    ] = None,
    slices: Annotated[
        int | None,
        typer.Option(
            help="Store this many items in the frames of one, as means of frames unless --config "
            "says cosines.  [default: 8 as cosines, 16 with --ipc 1; under --epsilon, for "
            "dimensions and for other features than log-mels 4; toy without --epsilon, and "
            "features of one frame: 1]"
        ),
    ] = None,
    numbers: Annotated[
        str | None,
        typer.Option(
            help=f"{_names(list(NUMBERS))}.  [default: int8; toy without --epsilon: float32]"
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="hard, soft (learned), taught (by experts, or under --epsilon by what was "
            "answered), refined (taught, then learned).  [default: taught; soft for dimensions; "
            "hard for toy without --epsilon, with under 3 minutes, or where the objective learns a "
            "schedule]"
        ),
    ] = None,
    native_steps: Annotated[
        int | None,
        typer.Option(
            help="Steps of a training schedule that comes with the set.  [default: 0; 3 for items "
            "of recordings that are no cosines, but not under --epsilon, with under 3 minutes, or "
            "where the objective learns one]"
        ),
    ] = None,
    disentangle: Annotated[
        str | None,
        typer.Option(
            help=f"Take the speaker out of the speech first: {_names(list(DISENTANGLERS))}."
        ),
    ] = None,
    public_dataset: Annotated[
        str | None,
        typer.Option(help="A corpus to read freely: for --initialisation public, --disentangle."),
    ] = None,
    public_root: Annotated[
        Path | None, typer.Option(help="Its folder; else as for the corpus itself.")
    ] = None,
    public_label_map: Annotated[
        str | None,
        typer.Option(
            metavar="THEIRS=OURS,...",
            help="Which of its emotions are which; nothing after = leaves one out.",
        ),
    ] = None,
    speaker_penalty: Annotated[
        float | None,
        typer.Option(help="Keep speakers out of the items, with this weight.  [default: 0]"),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            help="Differential privacy: the most that each set may give away about a unit."
        ),
    ] = None,
    delta: Annotated[
        float | None,
        typer.Option(help="Chance that this fails; below 1 / number of units.  [default: 0.0001]"),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help=f"Whom it protects: {_names(get_args(Unit))}.  [default: speaker]"),
    ] = None,
    units_at_least: Annotated[
        int | None,
        typer.Option(help="A public lower bound on the units in training.  [default: published]"),
    ] = None,
    accept_low_utility: Annotated[
        bool | None,
        typer.Option("--accept-low-utility", help="Go on with too few units for a useful set."),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            help="Time for each fold's set; the best one by then is taken.  [default: no limit]"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of all random choices.  [default: 0]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.  [default: a new one in runs/]")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings, such as another run's run.toml.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda.  [default: auto]")] = None,
    allow_missing: Annotated[
        bool | None,
        typer.Option("--allow-missing", help="Go on without missing audio, labels or values."),
    ] = None,
    skip_bad: Annotated[
        bool | None, typer.Option("--skip-bad", help="Leave out unusable recordings.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; do nothing.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    version: Version = False,  # noqa: ARG001
) -> None:
    """Distil a corpus of emotional speech into a small synthetic set, and say what it is worth.

    Without arguments: the built-in toy corpus, from start to report in about a minute.
    """
    set_up_logging(verbose, quiet)
    torch.set_num_threads(1)  # so that the same seed gives the same bits, whatever runs beside
    given = {
        "dataset": dataset,
        "task": task,
        "scale": None if scale is None else parse_scale(scale),
        "dimension_weights": None
        if dimension_weights is None
        else parse_weights(dimension_weights),
        "data_root": data_root,
        "ipc": ipc,
        "nested": None if nested is None else _sizes(nested),
        "objective": objective,
        "feature": feature,
        "protocol": protocol,
        "fold": fold,
        "student": student,
        "seed": seed,
        "disentangle": disentangle,
        "public_dataset": public_dataset,
        "public_root": public_root,
        "public_label_map": None if public_label_map is None else parse(public_label_map),
        "speaker_penalty": speaker_penalty,
        "epsilon": epsilon,
        "delta": delta,
        "unit": unit,
        "units_at_least": units_at_least,
        "accept_low_utility": accept_low_utility,
        "max_minutes": max_minutes,
        "settings": {"starts_from": starts_from},
        "loop": {"initialisation": initialisation},
        "parameterisation": {"slices": slices, "numbers": numbers, "labels": labels},
        "native": {"steps": native_steps},
        "device": device,
        "allow_missing": allow_missing,
        "skip_bad": skip_bad,
    }
    resolved, choice = _settings(given, config, out, resume)
    experiment = Experiment(
        config=resolved,
        out=out or _new_folder(resolved),
        command=_command(out, resume),
        show_progress=not quiet and sys.stderr.isatty(),
        verbose=verbose,
        quiet=quiet,
    )
    if choice is not None:
        experiment.say(f"objective: {choice.objective}, {choice.why}")
    if dry_run:
        _print_plan(experiment, json)
        return
    try:
        _carry_out(experiment, resume, json)
    except KeyboardInterrupt:
        if (experiment.out / SETTINGS).exists():
            again = ["distill-data", "--resume", "--out", str(experiment.out)]
            again += ["--fold", str(resolved.fold)]
            experiment.say(f"what is done is kept; to go on: {shlex.join(again)}")
        raise


def _settings(
    given: dict[str, Any], file: Path | None, out: Path | None, resume: bool
) -> tuple[RunConfig, Choice | None]:
    """The run that the command line asks for, and the objective where that was left open."""
    if resume:
        if out is None or not (out / SETTINGS).exists():
            raise UserError(
                f"--resume needs the folder of a run in --out, with a {SETTINGS} in it; "
                f"found {out or 'no --out'}"
            )
        if file is not None:
            raise UserError(f"--resume takes the settings of {out / SETTINGS}: leave out --config")
        file = out / SETTINGS
    asked = RunConfig.of(file, given)
    choice = asked.choice if asked.objective == AUTO else None
    config = asked.resolved()
    return config if resume else config.model_copy(update=dict.fromkeys(DIGESTS)), choice


def _command(out: Path | None, resume: bool) -> str:
    """What makes the results again: this command, or the settings of the run it went on with."""
    if resume and out is not None:
        return shlex.join(["distill-data", "--config", str(out / SETTINGS)])
    return shlex.join(["distill-data", *sys.argv[1:]])


def _new_folder(config: RunConfig) -> Path:
    """A folder in runs/ that does not exist yet."""
    told = "" if config.task == "categorical" else f"-{config.task}"
    name = f"{config.dataset}{told}-{config.objective}-ipc{config.ipc}"
    folder, number = Path("runs") / name, 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder


def _print_plan(experiment: Experiment, json: bool) -> None:
    config = experiment.config
    listed = experiment.listed()
    folds = experiment.folds(listed)
    public = experiment.listed_public(listed)
    left = len(experiment.unfinished(folds)) if folds else 1
    estimate = plan(config, listed, left, bool(folds), public)
    private = experiment.feasibility(listed, folds)
    line = experiment.protocol_line(listed)
    if json:
        settings = config.model_dump(mode="json")
        told = {"protocol": line, "settings": settings, "estimate": estimate.as_json()}
        told |= {} if private is None else {"privacy": private.as_json()}
        told |= {} if public is None else {"public": experiment.told_of_public(public)}
        print_json(told)
        return
    print(line)
    print(config.toml(), end="")
    print(f"# {estimate}")
    if short := estimate.too_short(config.max_minutes):
        print(f"# {short}")
    if private is not None:
        print(f"# {private}")
        try:
            private.require(config.accept_low_utility)
        except UserError as refusal:
            # Which begins with what was just said.
            print(f"# this run would be refused: {str(refusal).removeprefix(f'{private}. ')}")
    if public is not None:
        print(f"# {experiment.told_of_public(public)}")


def _carry_out(experiment: Experiment, resume: bool, json: bool) -> None:
    run_folder.check(experiment.out, experiment.config, resume)  # before a folder is made
    with run_folder.claimed(experiment.out):
        run_folder.check(experiment.out, experiment.config, resume)  # another run may have ended
        _run(experiment, json)


def _run(experiment: Experiment, json: bool) -> None:
    config = experiment.config
    listed = experiment.listed()
    # So that errors come before the features.
    experiment.listed_public(listed)
    private = experiment.feasibility(listed, experiment.folds(listed))
    if private is not None:
        private.require(config.accept_low_utility)
        experiment.say(str(private))
        if config.corpus.access == "own":
            told = [", ".join(listed.emotions)] if listed.emotions else []
            told += [listed.task.told] if listed.task.dimensions else []
            experiment.say(
                f"privacy: what is told, and so the emotions that occur and the scale of "
                f"dimensions, is taken to be public: {'; '.join(told)}"
            )
        if private.budget.epsilon > LARGE_EPSILON:
            experiment.say(
                f"privacy: an epsilon above {LARGE_EPSILON:g} guarantees hardly anything"
            )
    real = experiment.load()
    if (public := experiment.load_public(real)) is not None:
        require_apart(real, public)
        experiment.say(experiment.told_of_public(public))
    line = experiment.protocol_line(real)
    folds = experiment.folds(real)
    if not json:
        print(line, flush=True)
    left = experiment.unfinished(folds)
    if left or not folds:
        estimate = plan(config, real, len(left) or 1, bool(folds), public)
        experiment.say(f"{estimate}; results in {experiment.out}")
        if short := estimate.too_short(config.max_minutes):
            experiment.say(short)
    if before := experiment.spent_in_all(real):
        experiment.say(f"before this run: {before}")
    run_folder.begin(experiment.out, config, real.content, public.content if public else None)
    if config.fold == "none":
        folder = experiment.make_shipped_set(real)
        if private is not None:
            experiment.say(experiment.spent_in_all(real))
        elif not (experiment.out / REPORT).exists():
            experiment.say(NO_ESTIMATE.format(shlex.quote(str(experiment.out))))
        print_json({"protocol": line, "set": str(folder)}) if json else print(f"{folder}\n{line}")
        return
    report = experiment.report(real, experiment.run_folds(folds))
    if private is not None:
        experiment.say(experiment.spent_in_all(real))
    if json:
        print(report.model_dump_json(indent=2))
    else:
        print(f"{report.table()}\n{line}")
