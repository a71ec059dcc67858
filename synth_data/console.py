"""What all commands have in common: results on stdout, everything else on stderr.

Exit codes: 0 done, 1 a defect of this package (with its traceback) or a check that found
something, 2 wrong usage or an error that the user can mend, 130 interrupted, by Ctrl-C or by a
scheduler that asks the process to end (SIGTERM).
"""

import io
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from safetensors import SafetensorError

from synth_data.errors import UserError
from synth_data.provenance import package_version

log = logging.getLogger(__name__)


def _print_version(wanted: bool) -> bool:
    if wanted:
        print(f"distill-data {package_version()}")
        raise typer.Exit
    return wanted


Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log details and tracebacks.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Log errors only.")]
Version = Annotated[
    bool,
    typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(help="Its folder (a CSV for table); else $<DATASET>_ROOT or $SER_DATA_ROOT."),
]
RatingScale = Annotated[
    str | None,
    typer.Option(
        metavar="LOWEST,HIGHEST",
        help="Lowest and highest rating, such as 1,7, where the corpus states none.",
    ),
]
DimensionWeights = Annotated[
    str | None,
    typer.Option(
        metavar="V,A,D",
        help="Of each dimension in what is learned, such as 2,1,1.  [default: all alike]",
    ),
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Go on without missing audio, labels or values.")
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out unusable recordings.")]


def command_line(about: str) -> typer.Typer:
    """An empty command line in the style of all, with plain text for help and errors."""
    return typer.Typer(
        help=about,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def run(app: typer.Typer) -> None:
    """Runs a command line and leaves the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a character still gets the rest
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Else the processes that it started would go on without it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except UserError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        log.debug("where it was raised:", exc_info=error)
        sys.exit(2)
    except (OSError, SafetensorError) as error:  # the latter for a full disk as well
        print(
            f"error: {printable(str(error))}: check the path, its rights and the disk",
            file=sys.stderr,
        )
        log.debug("where it was raised:", exc_info=error)
        sys.exit(2)
    except SystemExit as leaving:
        if leaving.code == 130:  # what typer makes of Ctrl-C
            print("interrupted", file=sys.stderr)
        raise


def set_up_logging(verbose: bool = False, quiet: bool = False) -> None:
    """Sends log records to stderr, from warnings up; verbose: all; quiet: errors only.

    Raises:
        UserError: both are asked for.
    """
    if verbose and quiet:
        raise UserError("--verbose and --quiet contradict each other: give one of them")
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.WARNING
    logging.getLogger().setLevel(level)


def print_json(value: object) -> None:
    """Prints a value of plain JSON types; numbers that are not finite raise `ValueError`."""
    print(json.dumps(value, indent=2, allow_nan=False))


def printable(text: str) -> str:
    r"""The text with control characters spelt out, so that no foreign file steers a terminal.

    >>> print(printable("red: \x1b[31m"))
    red: \x1b[31m
    """
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
