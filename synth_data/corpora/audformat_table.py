"""A table of an audformat database as a listing.

The table is the one with a column `emotion`. Speakers are in its column `speaker`, or in that of
another table that lists whole files; their gender is in a column `gender` likewise, or among the
labels of the scheme of the speakers. Rows without an emotion are left out. A column `arousal` is
taken for `activation`.
"""

import importlib
import logging
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from synth_data.corpora.listing import GENDERS, OPTIONAL, OTHER_NAMES, Listing, no_speaker, twice
from synth_data.errors import CorpusError

logger = logging.getLogger(__name__)

HEADER = "db.yaml"

_CARRIED = tuple(name for name in OPTIONAL if name not in ("start", "end", "gender"))


def read(folder: Path, name: str | None) -> Listing:
    """Reads a table of the database in `folder`.

    Args:
        folder: with `db.yaml` and the tables beside it.
        name: of the table; if None, the only one with emotions.

    Raises:
        CorpusError: audformat is not installed, the database cannot be read, several tables or
            none hold emotions, or no table tells the speakers.
    """
    database = _database(folder)
    name = _table_name(folder, database, name)
    columns = _columns(folder, database, name)
    index = database[name].df.index
    files = index.get_level_values("file").tolist()
    times = _times(index) if "start" in index.names else [{}] * len(files)
    if "speaker" not in columns:
        raise no_speaker(folder / name, "column", "Add it, or a table of files that has it")
    rows = []
    for number, (file, part) in enumerate(zip(files, times, strict=True)):
        cells = {column: values[number] for column, values in columns.items()}
        if cells["emotion"]:
            rows.append((f"row {number + 1}", {"file": file, **part, **cells}))
    notes: tuple[str, ...] = ()
    if left := len(files) - len(rows):
        notes = (f"rows without an emotion left out: {left}",)
        logger.warning("%s: %s", folder / name, notes[0])
    return Listing(folder / f"db.{name}", folder, rows, notes)


def _database(folder: Path) -> Any:
    with TemporaryDirectory() as place:
        try:
            return _load(folder, Path(place))
        except ImportError as error:
            raise CorpusError(
                f"{folder}: holds an audformat database, which needs a package that is not "
                f'installed ({error.name}): pip install "distill-data[audformat]"'
            ) from error
        except Exception as error:  # audformat lets those of YAML, pandas and Arrow through
            told = str(error).replace(place, str(folder))
            raise CorpusError(
                f"{folder}: not an audformat database that can be read ({told}); mend it, or list "
                f"the recordings in a CSV file. Pickled tables are passed over"
            ) from error


def _load(folder: Path, copy: Path) -> Any:
    """The database, from a copy without what could run code when it is opened.

    Audformat prefers pickled tables, and reads its header in a way that can name any function.
    """
    audformat, yaml = (importlib.import_module(name) for name in ("audformat", "yaml"))
    header = (folder / HEADER).read_bytes()
    yaml.safe_load(header)
    (copy / HEADER).write_bytes(header)
    for table in (*folder.glob("db.*.csv"), *folder.glob("db.*.parquet")):
        shutil.copy(table, copy)
    with warnings.catch_warnings():  # of what audformat itself uses of pandas
        warnings.simplefilter("ignore")
        return audformat.Database.load(str(copy), load_data=True)


def _table_name(folder: Path, database: Any, name: str | None) -> str:
    with_emotions = [table for table in database.tables if "emotion" in database[table].columns]
    if name is None and len(with_emotions) == 1:
        return str(with_emotions[0])
    if name in with_emotions:
        return str(name)
    found = ", ".join(with_emotions) or f"none (tables: {', '.join(database.tables) or 'none'})"
    asked = "" if name is None else f"table '{name}' was asked for, "
    raise CorpusError(
        f"{folder}: {asked}tables with a column 'emotion': {found}. Give one of them as "
        f"{folder}/db.TABLE.csv"
    )


def _columns(folder: Path, database: Any, name: str) -> dict[str, list[str]]:
    """The cells of the table's rows, by column."""
    table = database[name]
    carried = [column for column in table.columns if OTHER_NAMES.get(column, column) in _CARRIED]
    if problem := twice(carried):
        raise CorpusError(f"{folder / name}: {problem}")
    columns = {OTHER_NAMES.get(column, column): _texts(table[column].get()) for column in carried}
    meanings = _meanings(database, table["emotion"].scheme_id)
    columns["emotion"] = [meanings.get(label, label) for label in _texts(table["emotion"].get())]
    others = [database[t] for t in database.tables if t != name and database[t].is_filewise]
    for source in (table, *others):
        if "speaker" in source.columns:
            columns["speaker"] = _for_rows(table, source, source["speaker"].get())
            if "gender" in _labels_tell(database, source["speaker"].scheme_id):
                genders = source["speaker"].get(map="gender")
                columns["gender"] = _genders(_for_rows(table, source, genders))
            break
    for source in (table, *others):
        if "gender" in source.columns:
            columns["gender"] = _genders(_for_rows(table, source, source["gender"].get()))
            break
    return columns


def _for_rows(table: Any, source: Any, values: Any) -> list[str]:
    """A column of `source` for each row of `table`: its own, or by file."""
    if source is table:
        return _texts(values)
    by_file = dict(zip(values.index.get_level_values("file"), _texts(values), strict=True))
    return [by_file.get(file, "") for file in table.df.index.get_level_values("file")]


def _texts(values: Any) -> list[str]:
    """A pandas series as text; empty where there is no value."""
    return [str(value) for value in values.astype("object").where(values.notna(), "")]


def _genders(values: list[str]) -> list[str]:
    return [GENDERS.get(value.casefold(), "") for value in values]


def _meanings(database: Any, scheme: str | None) -> Mapping[str, str]:
    """What labels stand for, where it is told: {"W": "anger"} or {"W": {"name": "anger"}}."""
    labels = database.schemes[scheme].labels if scheme in database.schemes else None
    if not isinstance(labels, dict):
        return {}
    found = {
        str(label): meaning.get("name", label) if isinstance(meaning, dict) else meaning
        for label, meaning in labels.items()
    }
    return {label: str(meaning) for label, meaning in found.items() if meaning}


def _labels_tell(database: Any, scheme: str | None) -> set[str]:
    """What the labels of a scheme tell, such as the gender of each speaker."""
    labels = database.schemes[scheme].labels if scheme in database.schemes else None
    if isinstance(labels, str):  # a table of its own lists them
        return set(database.misc_tables[labels].columns)
    if isinstance(labels, dict):
        return {key for told in labels.values() if isinstance(told, dict) for key in told}
    return set()


def _times(index: Any) -> list[dict[str, str]]:
    """Start and end of each segment in seconds, as text; neither where it is the whole file."""
    starts = index.get_level_values("start").total_seconds()
    ends = index.get_level_values("end").total_seconds()
    whole = (starts == 0) & ends.isna()
    return [
        {} if is_whole else {"start": str(start), "end": "" if to_the_end else str(end)}
        for start, end, to_the_end, is_whole in zip(starts, ends, ends.isna(), whole, strict=True)
    ]
