"""A CSV file as a listing.

The header is `file,emotion,speaker` and, where known, `start,end,split,session,gender,valence,
activation,dominance,text`, in any order and in upper or lower case; `arousal` is another name of
`activation`. `file` is relative to the table's folder, or absolute;
`start` and `end` are in seconds. Where dimensions are told there may be no `emotion`.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from synth_data.corpora.listing import OPTIONAL, REQUIRED, Listing, column_of, no_speaker, twice
from synth_data.corpora.tree import few
from synth_data.errors import CorpusError, unknown_name


def read(table: Path, required: Sequence[str] = REQUIRED) -> Listing:
    """Reads the lines below the header.

    Args:
        table: the file.
        required: columns.

    Raises:
        CorpusError: it is not a CSV file in UTF-8, its header is not as above, or lines have
            more or fewer cells.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream, strict=True)
            named = next(lines, [])
            header = [column_of(name) for name in named]
            _check_header(table, named, header, required)
            rows = [(lines.line_num, cells) for cells in lines if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{table}: not a CSV file in UTF-8 ({error}); save it as one") from error
    uneven = [f"line {number}: {len(c)} cells" for number, c in rows if len(c) != len(header)]
    if uneven:
        raise CorpusError(
            f"{table}: the header has {len(header)} columns, which {len(uneven)} lines have not. "
            f"{few(uneven)}. Quote cells that hold commas"
        )
    return Listing(
        source=table,
        folder=table.parent,
        rows=[
            (f"line {number}", dict(zip(header, (cell.strip() for cell in cells), strict=True)))
            for number, cells in rows
        ],
    )


def _check_header(
    table: Path, named: list[str], header: list[str], required: Sequence[str]
) -> None:
    for name in header:
        if name not in REQUIRED + OPTIONAL:
            error = unknown_name("column", name, REQUIRED + OPTIONAL)
            raise CorpusError(f"{table}: {error}. Rename or remove it; commas separate columns")
    if problem := twice(named):
        raise CorpusError(f"{table}: {problem}")
    missing = [name for name in required if name not in header]
    if missing == ["speaker"]:
        raise no_speaker(table, "column", "Add one")
    if missing:
        raise CorpusError(
            f"{table}: missing columns: {', '.join(missing)}. Found: {few(header) or 'nothing'}. "
            f"The first line must name them"
        )
