"""The command `synth-data`: look into synthetic sets, check them, list the known corpora."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from synth_data import set_folder
from synth_data.console import (
    Quiet,
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
from synth_data.inspection import describe, summary
from synth_data.synthetic import SyntheticSet

app = command_line("Look into synthetic sets of speech emotion features, and check them.")

SetFolder = Annotated[Path, typer.Argument(metavar="SET", help="The folder of a synthetic set.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


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


@app.command()
def verify(folder: SetFolder) -> None:
    """Check a set: every file, every tensor, and that they agree."""
    SyntheticSet.load(folder)
    manifest, files = set_folder.read(folder)
    print(f"OK: {len(files) + 1} files, digest {manifest.digest}")


@app.command()
def corpora(json: Json = False) -> None:
    """List the known corpora: classes, utterances, speakers, access, licence, protocols."""
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
        yield f"    protocols: {', '.join(corpus.protocols)}"
        yield f"    licence: {corpus.licence} (derivatives: {corpus.derivatives})"
