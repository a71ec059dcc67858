"""Is the beginning of a set worth as much as a set that is made at that size?

    python examples/nested_sets.py --dataset ravdess --data-root RAVDESS --ipc 3 --nested 1,2 \
        --folds 1,2 --out runs/nested

Three sets are made for each fold and size, in the same parameterisation: one at this size; the
first items of a nested set; and those of a plain set of the largest size, which nobody made for
that. Then all are judged as `evaluate-data` judges them, on test speakers, and the table shows the
differences with their intervals. Sets that lie in the output folder are not made again and students
are remembered, so that the same command goes on after an interruption, and with more folds adds
those.
"""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from ipc_curves import Cell, judge, make_all, numbers
from typer import Option

from distill.config import RunConfig
from distill.experiment import Experiment
from distill.nested import prefixes_of
from evaluation import tables
from evaluation.named_sets import NamedSet
from evaluation.options import Options
from evaluation.records import Row
from evaluation.report import Report
from evaluation.runs import FULL
from synth_data.console import command_line, run
from synth_data.errors import UserError
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet

ALONE, NESTED, PLAIN = "made at this size", "prefix of a nested set", "prefix of a plain set"


def judged(alone: Mapping[int, NamedSet], nested: NamedSet, ipc: int) -> Iterator[NamedSet]:
    """The sets of a fold under the names of the table.

    Args:
        alone: sets that were made at each size, the largest among them.
        nested: the nested set.
        ipc: the largest size.
    """
    sizes = sorted(set(alone) - {ipc})
    for size, items in zip(sizes, nested.synthetic.nested, strict=True):
        yield _named(NESTED, nested, nested.synthetic.prefix(items))
        yield _named(PLAIN, alone[ipc], alone[ipc].synthetic.prefix(items))
        yield _named(ALONE, alone[size], alone[size].synthetic)
    yield _named(NESTED, nested, nested.synthetic)
    yield _named(ALONE, alone[ipc], alone[ipc].synthetic)


def require_apart(config: RunConfig, real: RealSet, fold: int) -> None:
    """Raises `UserError` if nested sizes come to the same number of items, or to that of all."""
    train, _, _ = real.fold(config.corpus_protocol, fold)
    items_of = partial(
        config.build_parameterisation().per_class,
        spec=config.spec,
        emotions=len(real.emotions),
        real=len(train),
    )
    found = prefixes_of(config.nested, config.ipc, items_of)
    if len(found) < len(config.nested):
        there = ", ".join(f"{size} to {items_of(size)}" for size in (*config.nested, config.ipc))
        raise UserError(
            f"items per class as they are come to items stored small (of fold {fold}): {there}; "
            f"there are no more than utterances: name sizes that differ, or a larger --ipc"
        )


def table(report: Report) -> str:
    """A line for each size and initialisation, over all folds together."""
    whole = report.rows[0].fold
    rows = [row for row in report.rows if row.fold == whole and row.set != FULL]
    lines = []
    for one in rows:
        if one.set != ALONE:
            continue
        key = (one.ipc, one.initialisation, one.recipe)
        same = {r.set: r for r in rows if (r.ipc, r.initialisation, r.recipe) == key}
        apart = {
            found.set: f"{found.difference.mean:+.3f} {tables.interval(found.difference)}"
            for found in report.comparisons
            if (found.ipc, found.initialisation, found.recipe) == key
            and (found.fold, found.against) == (whole, ALONE)
        }
        lines.append(
            f"| {one.ipc} | {one.utterances} | {one.initialisation} | {_uar(one)} "
            + "".join(
                f"| {_uar(same[name])} | {apart[name]} " if name in same else "| | "
                for name in (NESTED, PLAIN)
            )
            + "|"
        )
    return "\n".join(
        [
            f"| ipc | items | initialisation | UAR {ALONE} | {NESTED} | difference | {PLAIN} "
            f"| difference |",
            "|---:|---:|---|---:|---:|---|---:|---|",
            *lines,
        ]
    )


def _uar(row: Row) -> str:
    return f"{row.uar.mean:.3f}"


def _named(name: str, made: NamedSet, synthetic: SyntheticSet) -> NamedSet:
    return NamedSet(name, synthetic, made.making_seconds, made.folder)


app = command_line("Compare the first items of a nested set with sets that are made at that size.")


@app.command()
def main(
    dataset: str = "toy",
    data_root: Path | None = None,
    ipc: Annotated[int, Option(min=2, help="Of the whole set.")] = 10,
    nested: Annotated[str, Option(metavar="N,M", help="Smaller sizes.")] = "1",
    folds: Annotated[str, Option(metavar="N,M", help="Or all.")] = "1",
    seeds: Annotated[int, Option(help="Students per set and initialisation.")] = 2,
    seed: Annotated[int, Option(help="Of everything random.")] = 0,
    config_file: Annotated[Path | None, Option("--config", help="As of distill-data.")] = None,
    out: Annotated[Path, Option(help="What is there is not made again.")] = Path("runs/nested"),
) -> None:
    """Make nested sets, and one at each of their sizes; judge all."""
    torch.set_num_threads(1)
    sizes = numbers("--nested", nested, ipc - 1, or_all=False)
    given = {"dataset": dataset, "data_root": data_root, "seed": seed, "seeds": seeds, "fold": 1}
    largest = RunConfig.of(config_file, {**given, "ipc": ipc}).resolved()
    if largest.task != "categorical":
        raise UserError(
            f'the table is of UAR, so of sets of emotions alone; found task = "{largest.task}" in '
            f"{config_file}: leave it out"
        )
    # Else a smaller set could have another objective, and be stored in another way.
    alike = ("objective", "settings", "loop", "parameterisation", "native", "expert")
    stored = {**given, **{name: getattr(largest, name) for name in alike}}
    configs = {
        f"ipc-{size}": RunConfig.of(config_file, {**stored, "ipc": size}).resolved()
        for size in (*sizes, ipc)
    }
    several = {**stored, "ipc": ipc, "nested": tuple(sizes)}
    configs["nested"] = RunConfig.of(config_file, several).resolved()
    command = shlex.join(["python", *sys.argv])
    real = Experiment(largest, out, command, show_progress=sys.stderr.isatty()).load()
    count = len(largest.corpus_protocol.folds(real.utterances))
    chosen = list(range(1, count + 1)) if folds == "all" else numbers("--folds", folds, count)
    for fold in chosen:  # before any work
        require_apart(configs["nested"], real, fold)
    cells = {
        (name, fold): Cell(Experiment(config, out / "sets" / name, command, quiet=True), fold)
        for fold in chosen
        for name, config in configs.items()
    }
    make_all(list(cells.values()))
    options = Options(
        students=(largest.student,),
        baselines=(FULL,),
        seeds=seeds,
        seed=seed,
        recipes={largest.student: largest.build_recipe()},
    )
    sets = list(_all(cells, chosen, [*sizes, ipc]))
    report, line = judge(sets, real, largest, options, out, command)
    print(f"{line}\n\n{table(report)}")


def _all(
    cells: Mapping[tuple[str, int], Cell], folds: Sequence[int], sizes: Sequence[int]
) -> Iterator[NamedSet]:
    for fold in folds:
        alone = {size: cells[f"ipc-{size}", fold].load() for size in sizes}
        yield from judged(alone, cells["nested", fold].load(), sizes[-1])


if __name__ == "__main__":
    run(app)
