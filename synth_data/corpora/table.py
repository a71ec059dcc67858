"""Anybody's own recordings, listed in a CSV file.

The header is `file,emotion,speaker` and, where known, `start,end,split,session,gender,valence,
activation,dominance,text`, in any order. `file` is relative to the table's folder, or absolute;
`start` and `end` are in seconds. Emotions are those that occur.

The table is taken at its word about recordings elsewhere, but a recording in a folder of its own
tree from which it lists others was probably forgotten, and is reported.
"""

import csv
import math
from pathlib import Path

from synth_data.corpora.facts import Corpus
from synth_data.corpora.tree import complete, few, is_recording
from synth_data.errors import CorpusError, unknown_name
from synth_data.protocol import dealt, leave_one_out, listed_split, speaker_dependent
from synth_data.utterance import AudioFile, Utterance

LONGEST_EMOTION = 100  # characters: what the manifest of a set takes

_REQUIRED = ("file", "emotion", "speaker")
_OPTIONAL = (
    "start",
    "end",
    "split",
    "session",
    "gender",
    "valence",
    "activation",
    "dominance",
    "text",
)
_SPLITS = ("train", "validation", "test")
_GENDERS = ("female", "male")


def _read(root: Path | None, allow_missing: bool) -> list[Utterance]:
    table = _find(root)
    utterances = _utterances(table)
    listed = {path for path, _ in utterances}
    present = {path for path in listed if path.is_file()}
    return complete(
        [utterance for path, utterance in utterances if path in present],
        table,
        without_audio=[utterance.name for path, utterance in utterances if path not in present],
        without_label=_forgotten(table.parent.resolve(), listed),
        allow_missing=allow_missing,
    )


def _find(root: Path | None) -> Path:
    if root is None:
        raise CorpusError(f"a table needs its CSV file: give --data-root. {_WANT}")
    if root.is_file():
        return root
    if not root.is_dir():
        raise CorpusError(f"{root}: no such file or folder. {_WANT}")
    tables = sorted(path for path in root.glob("*.csv") if not path.name.startswith("._"))
    if root / "table.csv" in tables:
        return root / "table.csv"
    if len(tables) == 1:
        return tables[0]
    names = sorted(path.name for path in tables or root.iterdir())
    raise CorpusError(
        f"{root}: holds {len(tables)} CSV files, none of them table.csv. "
        f"Found there: {few(names) or 'nothing'}. {_WANT}"
    )


def _utterances(table: Path) -> list[tuple[Path, Utterance]]:
    """The rows as utterances, each with the path of its recording."""
    seen: dict[tuple[Path, float, float | None], int] = {}
    utterances, bad = [], []
    unsplit: list[str] = []
    for number, row in _rows(table):
        try:
            path, utterance, segment = _utterance(row, table.parent)
            first = seen.setdefault((path, *segment), number)
            if first != number:
                raise ValueError(f"the recording of line {first} again")
        except ValueError as problem:
            bad.append(f"line {number}: {problem}")
            continue
        utterances.append((path, utterance))
        if utterance.split is None:
            unsplit.append(f"line {number}: no split, though others have one")
    if len(unsplit) < len(utterances):
        bad += unsplit
    if bad:
        raise CorpusError(
            f"{table}: lines that cannot be used: {len(bad)}. {few(bad)}. Mend or remove them"
        )
    return utterances


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """The lines below the header, with their numbers."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(lines, [])]
            _check_header(table, header)
            rows = [(lines.line_num, cells) for cells in lines if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{table}: not a CSV file in UTF-8 ({error}); save it as one") from error
    uneven = [f"line {number}: {len(c)} cells" for number, c in rows if len(c) != len(header)]
    if uneven:
        raise CorpusError(
            f"{table}: the header has {len(header)} columns, which {len(uneven)} lines have not. "
            f"{few(uneven)}. Quote cells that hold commas"
        )
    return [
        (number, dict(zip(header, (cell.strip() for cell in cells), strict=True)))
        for number, cells in rows
    ]


def _check_header(table: Path, header: list[str]) -> None:
    for name in header:
        if name not in _REQUIRED + _OPTIONAL:
            error = unknown_name("column", name, _REQUIRED + _OPTIONAL)
            raise CorpusError(f"{table}: {error}. Rename or remove it; commas separate columns")
        if header.count(name) > 1:
            raise CorpusError(f"{table}: the column '{name}' occurs twice; remove one")
    missing = [name for name in _REQUIRED if name not in header]
    if missing == ["speaker"]:
        raise CorpusError(
            f"{table}: there is no speaker column, so every number would be speaker-dependent. "
            f"Add one: with one constant speaker only --fold none and --protocol "
            f"{_SPEAKER_DEPENDENT.name} are possible"
        )
    if missing:
        raise CorpusError(
            f"{table}: missing columns: {', '.join(missing)}. Found: {few(header) or 'nothing'}. "
            f"The first line must name them"
        )


def _utterance(
    row: dict[str, str], folder: Path
) -> tuple[Path, Utterance, tuple[float, float | None]]:
    """One row's recording, utterance and segment in seconds; ValueError says what is wrong."""
    for column in _REQUIRED:
        if not row[column]:
            raise ValueError(f"empty {column}")
    if not row["emotion"].isprintable() or len(row["emotion"]) > LONGEST_EMOTION:
        raise ValueError(f"emotion is not a printable name of up to {LONGEST_EMOTION} characters")
    for column, words in (("split", _SPLITS), ("gender", _GENDERS)):
        if row.get(column, "") not in ("", *words):
            raise ValueError(f"{column} '{row[column]}' is not {', '.join(words)} or empty")
    numbers = {
        column: _number(column, row.get(column, ""))
        for column in ("start", "end", "valence", "activation", "dominance")
    }
    start, end = numbers["start"], numbers["end"]
    first = start or 0.0
    if first < 0 or (end is not None and first >= end):
        raise ValueError(f"the segment from {first} s to {end} s is empty or starts below 0")
    whole = start is None and end is None
    path = (folder / row["file"]).resolve()
    utterance = Utterance(
        name=row["file"] if whole else f"{row['file']}[{first}-{'' if end is None else end}]",
        audio=AudioFile(path, start, end),
        emotion=row["emotion"],
        speaker=row["speaker"],
        session=row.get("session") or None,
        gender=row.get("gender") or None,
        split=row.get("split") or None,
        valence=numbers["valence"],
        activation=numbers["activation"],
        dominance=numbers["dominance"],
        text=row.get("text") or None,
    )
    return path, utterance, (first, end)


def _number(column: str, cell: str) -> float | None:
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{column} '{cell}' is not a number")
    return value


def _forgotten(folder: Path, listed: set[Path]) -> list[str]:
    """The unlisted recordings beside listed ones, below the table's folder."""
    beside = {path.parent for path in listed if path.is_relative_to(folder)}
    return sorted(
        str(path.relative_to(folder))
        for place in beside
        if place.is_dir()
        for path in place.iterdir()
        if is_recording(path) and path.resolve() not in listed
    )


_LAYOUT = (
    "  a CSV file, or a folder with one CSV file or with table.csv:\n"
    "    file,emotion,speaker[,start,end,split,session,gender,valence,activation,dominance,text]\n"
    "    wav/0001.wav,anger,anna"
)
_WANT = f"Looked for:\n{_LAYOUT}"
_SPEAKER_DEPENDENT = speaker_dependent()

TABLE = Corpus(
    name="table",
    title="own recordings, listed in a table",
    emotions=(),
    language="as recorded",
    access="own",
    licence="the owner's",
    derivatives="owner decides",
    url="your own files",
    citation="the owner's",
    layout=_LAYOUT,
    protocols={
        p.name: p
        for p in (
            leave_one_out("speaker"),
            leave_one_out("session"),
            dealt(),
            listed_split(),
            _SPEAKER_DEPENDENT,
        )
    },
    read=_read,
)
