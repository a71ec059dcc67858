"""The command `synth-data`: look into synthetic sets, check them; list corpora, check copies."""

import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, no_type_check

import typer

from synth_data import corpus_check, set_folder
from synth_data.adoption import adopt
from synth_data.card import card
from synth_data.console import (
    DataRoot,
    Json,
    Quiet,
    RatingScale,
    Verbose,
    Version,
    command_line,
    print_json,
    printable,
    run,
    set_up_logging,
)
from synth_data.corpora import CORPORA
from synth_data.corpora.facts import Corpus
from synth_data.corpus import find_root, known_corpus, load, protocol_of
from synth_data.corpus_check import Check
from synth_data.errors import SetError, UserError
from synth_data.inspection import describe, summary
from synth_data.manifest import CARD, MANIFEST
from synth_data.progress import SILENT, bar
from synth_data.provenance import package_version
from synth_data.ratings import parse_scale
from synth_data.representations import HELP, known_feature
from synth_data.synthetic import SyntheticSet
from synth_data.task import TASKS, task_named

log = logging.getLogger(__name__)

app = command_line("Look into synthetic sets of speech emotion features, and check them.")
corpora_app = command_line("List the known corpora, their licences and protocols.")
app.add_typer(corpora_app, name="corpora")

SetFolder = Annotated[Path, typer.Argument(metavar="SET", help="The folder of a synthetic set.")]


def main() -> None:
    """The entry point."""
    run(app)


@app.callback()
def _common(verbose: Verbose = False, quiet: Quiet = False, version: Version = False) -> None:  # noqa: ARG001
    set_up_logging(verbose, quiet)


@app.command()
def inspect(folder: SetFolder, json: Json = False) -> None:
    """Say what is in a set and how it was made."""
    synthetic = SyntheticSet.load(folder)
    if json:
        print_json(summary(synthetic, set_folder.read(folder)[0]))
    else:
        print(printable(describe(synthetic)))


@app.command("import")
def import_tensors(
    file: Annotated[Path, typer.Argument(help="A .safetensors or .npz file.")],
    folder: Annotated[Path, typer.Argument(metavar="SET", help="The folder to write.")],
    dataset: Annotated[str, typer.Option(help="The corpus that the tensors were made from.")],
    data_root: DataRoot = None,
    fold: Annotated[
        int | None, typer.Option(min=1, help="Whose training side was used.  [default: all of it]")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Protocol of the fold; `synth-data corpora` lists them.")
    ] = None,
    feature: Annotated[str, typer.Option(help=f"Recipe: {HELP}.")] = "logmel64",
    emotions: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Names of the classes, in their order.  [default: the corpus']"
        ),
    ] = None,
    method: Annotated[str, typer.Option(help="What to call how they were made.")] = "other",
    task: Annotated[str, typer.Option(help=f"What they tell: {', '.join(TASKS)}.")] = "categorical",
    scale: RatingScale = None,
) -> None:
    """Make a set of the tensors of another program, to be judged.

    The file holds `features` [n, mel, frame], and `targets` [n, emotion] or `labels` [n]. With
    dimensions its `targets` are [n, emotion + dimension], or [n, dimension], from -1 to 1.
    """
    spec = known_feature(feature)
    corpus = known_corpus(dataset)
    real = load(
        *(corpus, data_root, spec),
        task=task_named(task),
        scale=None if scale is None else parse_scale(scale),
        progress=sys.stderr.isatty(),
    )
    split = protocol_of(corpus, protocol, data_root)
    if fold is not None:
        real.fold(split, fold)  # so that one that does not exist is named
    names = tuple(name.strip() for name in emotions.split(",")) if emotions else real.emotions
    adopt(file, real, split, fold, names, method).save(folder)
    print(folder)


@app.command()
def prefix(
    folder: SetFolder,
    items: Annotated[int, typer.Option(help="Of each emotion, or cell of the label space.")],
    out: Annotated[Path, typer.Option(help="A new folder, for the smaller set.")],
) -> None:
    """Cut a smaller set out of a set: the first items of each emotion.

    A set that was made with `distill-data --nested` says for which sizes it was made.
    """
    _require_new(out, "a prefix")
    synthetic = SyntheticSet.load(folder)
    synthetic.prefix(items).save(out)
    if items not in synthetic.nested:
        made = ", ".join(map(str, synthetic.nested)) or "none"
        log.warning("%s was not made for this size; sizes that it was made for: %s", folder, made)
    print(out)


def _require_new(out: Path, what: str) -> None:
    """Raises `UserError` if something is there that would be replaced."""
    if out.exists():
        raise UserError(f"{out}: exists, and {what} replaces nothing: choose another folder")


@app.command()
def draw(
    folder: SetFolder,
    items: Annotated[int, typer.Option(help="Of each emotion, or cell of the label space.")],
    out: Annotated[Path, typer.Option(help="A new folder, for the drawn set.")],
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
) -> None:
    """Draw other items out of a set whose items a decoder makes, as many of each emotion."""
    _require_new(out, "a drawn set")
    SyntheticSet.load(folder).drawn(items, seed).save(out)
    print(out)


@app.command()
def verify(folder: SetFolder) -> None:
    """Check a set: every file, every tensor, and that they and the card agree."""
    SyntheticSet.load(folder)
    manifest, files = set_folder.read(folder)
    note = ""
    if (by := manifest.provenance.version) != package_version():
        note = f"; {CARD} was not compared: it is by distill-data {by}, which may word it otherwise"
    elif files[CARD] != card(manifest).encode():
        raise SetError(
            f"{folder}: {CARD} is not what distill-data {by} says of such a set: get a fresh copy, "
            f"and believe {MANIFEST} until then (`synth-data inspect`)"
        )
    print(f"OK: {len(files) + 1} files, digest {manifest.digest}{note}")


@corpora_app.callback(invoke_without_command=True)
@no_type_check  # typer hands over another class than the one it has us name
def corpora(context: typer.Context, json: Json = False) -> None:
    if context.invoked_subcommand is None:
        _list(json)
    elif json:
        raise UserError("--json stands too early: give it after 'corpora check'")


@corpora_app.command()
def check(
    name: Annotated[str, typer.Argument(help="The corpus.", metavar="NAME")],
    data_root: Annotated[
        Path | None,
        typer.Option(
            help="Its folder, or the table.  [default: $NAME_ROOT, or NAME in $SER_DATA_ROOT]"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Say what a copy of a corpus lacks, and what can be run on it; exit code 1 if it differs."""
    corpus = known_corpus(name)
    progress = bar("recordings") if sys.stderr.isatty() else SILENT
    found = corpus_check.check(corpus, find_root(corpus, data_root), progress)
    if json:
        print_json(_summary(found))
    else:
        print(printable(_describe(found)))
    if not found.complete:
        raise typer.Exit(1)


def _list(json: bool) -> None:
    if json:
        print_json([_facts(corpus) for corpus in CORPORA.values()])
    else:
        print("\n".join(_table(CORPORA.values())))


def _facts(corpus: Corpus) -> dict[str, Any]:
    return {
        "name": corpus.name,
        "title": corpus.title,
        "classes": list(corpus.emotions),
        "label_note": corpus.label_note,
        "dimensions": list(corpus.dimensions),
        "scale": list(corpus.scale) if corpus.dimensions and not corpus.scales else None,
        "proxies": corpus.proxies or None,
        "utterances": sum(corpus.counts.values()) or None,
        "speakers": corpus.speakers,
        "language": corpus.language,
        "access": corpus.access,
        "licence": corpus.licence,
        "derivatives": corpus.derivatives,
        "protocols": list(corpus.protocols),
        "url": corpus.url,
    }


def _table(corpora: Iterable[Corpus]) -> Iterator[str]:
    """Numbers in columns; below each corpus what is too long for one. A dash: the data decide."""
    yield f"{'name':<10} {'classes':>7} {'utterances':>10} {'speakers':>8}  access"
    for corpus in corpora:
        numbers = len(corpus.emotions), sum(corpus.counts.values()), corpus.speakers
        classes, utterances, speakers = (str(number or "-") for number in numbers)
        yield f"{corpus.name:<10} {classes:>7} {utterances:>10} {speakers:>8}  {corpus.access}"
        yield f"    {corpus.title}: {corpus.url}"
        if corpus.dimensions:
            yield f"    dimensions: {_dimensions(corpus)}"
        yield f"    protocols: {', '.join(corpus.protocols)}"
        yield f"    licence: {corpus.licence} (derivatives: {corpus.derivatives})"


def _dimensions(corpus: Corpus) -> str:
    """Which there are, on which scale, and whether anybody rated them."""
    low, high = corpus.scale
    scale = "as its columns say" if corpus.scales else f"{low:g} to {high:g}"
    named = f"{', '.join(corpus.dimensions)} ({scale})"
    return f"{named}: {corpus.proxies}" if corpus.proxies else named


def _summary(found: Check) -> dict[str, Any]:
    """A check of a corpus as plain JSON values."""
    facts = found.corpus
    return {
        "corpus": facts.name,
        "title": facts.title,
        "root": None if found.root is None else str(found.root),
        "complete": found.complete,
        "faults": list(found.faults),
        "remarks": list(found.remarks),
        "utterances": {
            "found": sum(found.counts.values()),
            "published": sum(facts.counts.values()) or None,
        },
        "emotions": {
            emotion: {
                "found": found.counts.get(emotion, 0),
                "published": facts.counts.get(emotion),
            }
            for emotion in sorted({*facts.counts, *found.counts})
        },
        "speakers": {"found": found.speakers, "published": facts.speakers},
        "dimensions": {
            "found": found.rated if isinstance(found.rated, int) else None,
            "published": facts.rated,
            "problem": found.rated if isinstance(found.rated, str) else None,
        },
        "seconds": {
            "total": sum(found.durations),
            "shortest": min(found.durations, default=None),
            "longest": max(found.durations, default=None),
        },
        "sample_rates": {str(rate): count for rate, count in sorted(found.sample_rates.items())},
        "protocols": {
            name: {"folds": ready, "problem": None}
            if isinstance(ready, int)
            else {"folds": None, "problem": ready}
            for name, ready in found.protocols.items()
        },
    }


def _describe(found: Check) -> str:
    """The same for people."""
    facts = found.corpus
    rows = [
        ("corpus", facts.title),
        ("found in", "this package" if found.root is None else str(found.root)),
        ("complete", "yes" if found.complete else "no"),
        *(("fault", fault) for fault in found.faults),
        *(("remark", remark) for remark in found.remarks),
    ]
    if found.counts:
        total = sum(found.counts.values())
        rows += [
            ("utterances", _of(total, sum(facts.counts.values()) or None)),
            *(
                ("", f"{emotion} {_of(found.counts.get(emotion, 0), facts.counts.get(emotion))}")
                for emotion in sorted({*facts.counts, *found.counts})
            ),
            ("speakers", _of(found.speakers, facts.speakers)),
        ]
    if isinstance(found.rated, int):
        rows.append(("dimensions", f"{_of(found.rated, facts.rated)}: {_dimensions(facts)}"))
    elif found.rated is not None:
        rows.append(("dimensions", f"cannot be told: {found.rated}"))
    if found.durations:
        shortest, longest = min(found.durations), max(found.durations)
        rates = ", ".join(f"{rate:,} Hz" for rate in sorted(found.sample_rates))
        hours = sum(found.durations) / 3600
        rows.append(("recordings", f"{hours:.2f} h, {shortest:.2f} to {longest:.2f} s, {rates}"))
    rows += [
        ("protocol", f"{name}: {f'folds: {ready}' if isinstance(ready, int) else ready}")
        for name, ready in found.protocols.items()
    ]
    return "\n".join(f"{label:<11} {text}" for label, text in rows)


def _of(found: int, published: int | None) -> str:
    return str(found) if published is None else f"{found} of {published}"
