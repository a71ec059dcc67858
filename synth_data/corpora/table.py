"""Anybody's own recordings, listed in a table: a CSV file, EmoBox's JSON lines, or audformat.

Emotions are those that occur, and so are dimensions, which are all on one scale; where they are
told an utterance may have no emotion. A speaker called "unknown" is nobody in particular: each such
utterance counts as one of a speaker of its own, unless all are, who then are the constant speaker
of a table that knows none. The table is taken at its word about recordings elsewhere,
but a recording in a folder of its own tree from which it lists others was probably forgotten, and
is reported.
"""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from synth_data.corpora import audformat_table, csv_table, emobox, twins
from synth_data.corpora.facts import Corpus
from synth_data.corpora.listing import GENDERS, REQUIRED, Listing, is_there
from synth_data.corpora.tree import complete, few, is_companion, is_recording
from synth_data.errors import CorpusError
from synth_data.protocol import dealt, hashed, leave_one_out, listed_split, speaker_dependent
from synth_data.task import DIMENSIONS
from synth_data.utterance import UNKNOWN, AudioFile, Utterance

logger = logging.getLogger(__name__)

LONGEST_EMOTION = 100  # characters: what the manifest of a set takes
NOBODY = "unknown"

_SPLITS = {side: side for side in ("train", "validation", "test")}
_COMPRESSED = (".mp3", ".ogg", ".opus")  # may also be copies of what is listed
_AUDFORMAT = re.compile(r"db\.(?P<table>.+)\.(?:csv|parquet)")


def _read(root: Path | None, allow_missing: bool, *, rated: bool = False) -> list[Utterance]:
    """The rows; if `rated`, an emotion is not asked for."""
    required = tuple(name for name in REQUIRED if not (rated and name == "emotion"))
    listing = _listing(root, required)
    utterances = _utterances(listing, required)
    listed = {path for path, _ in utterances}
    notes = twins.of_names([utterance for _, utterance in utterances])
    for note in notes:
        logger.warning("%s: %s", listing.source, note)
    present = {path for path in listed if is_there(path)}
    return complete(
        [utterance for path, utterance in utterances if path in present],
        listing.source,
        without_audio=[utterance.name for path, utterance in utterances if path not in present],
        without_label=_forgotten(listing.folder.resolve(), listed),
        allow_missing=allow_missing,
        looked_in=listing.folder,
        notes=(*listing.notes, *notes),
    )


def _listed_protocol(root: Path | None) -> str | None:
    """That of the column `split`, where it says of all rows who trains and who is tested."""
    rows = _listing(root, ("file", "speaker")).rows
    splits = {row.get("split", "").casefold() for _, row in rows}
    return listed_split().name if {"train", "test"} <= splits and "" not in splits else None


def _listing(root: Path | None, required: Sequence[str]) -> Listing:
    """The rows of what the user named: a table, or a folder that holds one."""
    if root is None:
        raise CorpusError(f"a table needs its file: give --data-root. {_WANT}")
    if not root.exists():
        raise CorpusError(f"{root}: no such file or folder. {_WANT}")
    if root.is_dir():
        if (root / audformat_table.HEADER).is_file():
            return audformat_table.read(root, None)
        root = _only_table(root)
    named = _AUDFORMAT.fullmatch(root.name)
    if named and (root.parent / audformat_table.HEADER).is_file():
        return audformat_table.read(root.parent, named["table"])
    return emobox.read(root) if root.suffix == ".jsonl" else csv_table.read(root, required)


def _only_table(folder: Path) -> Path:
    if (folder / "table.csv").is_file():
        return folder / "table.csv"
    tables = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in (".csv", ".jsonl")
        and path.name != emobox.SPEAKERS
        and not is_companion(path)
    )
    if len(tables) == 1:
        return tables[0]
    names = sorted(path.name for path in tables or folder.iterdir())
    raise CorpusError(
        f"{folder}: holds {len(tables)} tables, none of them table.csv. "
        f"Found there: {few(names) or 'nothing'}. {_WANT}"
    )


def _utterances(listing: Listing, required: Sequence[str]) -> list[tuple[Path, Utterance]]:
    """The rows as utterances, each with the path of its recording."""
    seen: dict[tuple[Path, float, float | None], str] = {}
    utterances, bad = [], []
    unsplit: list[str] = []
    for place, row in listing.rows:
        try:
            for column in required:
                if not row[column]:
                    raise ValueError(f"empty {column}")
            path, utterance, segment = _utterance(row, listing.folder, f"{listing.source}, {place}")
            first = seen.setdefault((path, *segment), place)
            if first != place:
                raise ValueError(f"the recording of {first} again")
        except ValueError as problem:
            bad.append(f"{place}: {problem}")
            continue
        utterances.append((path, utterance))
        if utterance.split is None:
            unsplit.append(f"{place}: no split, though others have one")
    if len(unsplit) < len(utterances):
        bad += unsplit
    if not all(utterance.speaker.casefold() == NOBODY for _, utterance in utterances):
        utterances = [(path, _nobody_told(utterance)) for path, utterance in utterances]
    if bad:
        raise CorpusError(
            f"{listing.source}: lines that cannot be used: {len(bad)}. {few(bad)}. "
            f"Mend or remove them"
        )
    return utterances


def _utterance(
    row: Mapping[str, str], folder: Path, place: str
) -> tuple[Path, Utterance, tuple[float, float | None]]:
    """One row's recording, utterance and segment in seconds; ValueError says what is wrong."""
    emotion = row.get("emotion", "")
    if not emotion.isprintable() or len(emotion) > LONGEST_EMOTION:
        raise ValueError(f"emotion is not a printable name of up to {LONGEST_EMOTION} characters")
    split, gender = (
        _word(column, row.get(column, ""), words)
        for column, words in (("split", _SPLITS), ("gender", GENDERS))
    )
    numbers = {
        column: _number(column, row.get(column, ""))
        for column in ("start", "end", "valence", "activation", "dominance")
    }
    start, end = numbers["start"], numbers["end"]
    first = start or 0.0
    if first < 0 or (end is not None and first >= end):
        raise ValueError(f"the segment from {first} s to {end} s is empty or starts below 0")
    whole = start is None and end is None
    path = _path(folder, row["file"])
    utterance = Utterance(
        name=row["file"] if whole else f"{row['file']}[{first}-{'' if end is None else end}]",
        audio=AudioFile(path, start, end),
        emotion=emotion,
        speaker=row["speaker"],
        session=row.get("session") or None,
        gender=gender,
        split=split,
        valence=numbers["valence"],
        activation=numbers["activation"],
        dominance=numbers["dominance"],
        text=row.get("text") or None,
        place=place,
    )
    return path, utterance, (first, end)


def _nobody_told(utterance: Utterance) -> Utterance:
    """The utterance; if its speaker is called unknown, as one of a speaker of its own."""
    if utterance.speaker.casefold() != NOBODY:
        return utterance
    return replace(utterance, speaker=UNKNOWN + utterance.name)


def _path(folder: Path, file: str) -> Path:
    """Of a recording, which need not be there; ValueError says why it could not be."""
    path = (folder / file).resolve()
    try:
        there = path.is_file()
    except OSError as error:
        raise ValueError(f"no file can be called so: {error.strerror}") from error
    forward = file.replace("\\", "/")
    if not there and forward != file and is_there(folder / forward):
        raise ValueError(f"file '{file}': backslashes are no separators here, write {forward}")
    return path


def _word(column: str, cell: str, words: Mapping[str, str]) -> str | None:
    """What a cell stands for, in upper or lower case."""
    if not cell:
        return None
    if cell.casefold() not in words:
        raise ValueError(f"{column} '{cell}' is not {', '.join(words)} or empty")
    return words[cell.casefold()]


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
    """The unlisted recordings beside listed ones, below the table's folder.

    Not what is compressed of a listed one: a copy has its name.
    """
    beside = {path.parent for path in listed if path.is_relative_to(folder)}
    named = {path.with_suffix("") for path in listed}

    def forgotten(path: Path) -> bool:
        if path.suffix.lower() in _COMPRESSED and not is_companion(path):
            return path.resolve().with_suffix("") not in named
        return is_recording(path) and path.resolve() not in listed

    return sorted(
        str(path.relative_to(folder))
        for place in beside
        if place.is_dir()
        for path in place.iterdir()
        if forgotten(path)
    )


_LAYOUT = (
    "  a CSV file, or a folder with one or with table.csv:\n"
    "    file,emotion,speaker[,start,end,split,session,gender,valence,activation,dominance,text]\n"
    "    wav/0001.wav,anger,anna\n"
    "  EmoBox's JSON lines, with a speaker in each line or in speakers.csv beside them:\n"
    '    {"key": "0001", "wav": "wav/0001.wav", "emo": "anger", "speaker": "anna"}\n'
    "  an audformat database, or one of its tables:\n"
    "    db.yaml, db.emotion.csv, db.files.csv"
)
_WANT = f"Looked for:\n{_LAYOUT}"

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
            hashed(),
            listed_split(),
            speaker_dependent(),
        )
    },
    read=_read,
    read_rated=partial(_read, rated=True),
    listed_protocol=_listed_protocol,
    dimensions=DIMENSIONS,
    scales=((0.0, 1.0), (-1.0, 1.0), (1.0, 5.0), (1.0, 7.0), (1.0, 9.0)),
)
