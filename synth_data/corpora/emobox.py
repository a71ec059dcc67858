"""EmoBox's metadata as a listing: a file of JSON lines, one for each utterance.

A line has the keys `key`, `wav`, `emo` and some that say what the recording's header says too.
EmoBox tells no speaker. The key `speaker` can be added to each line, as can the other columns of a
table (`arousal` for `activation`), or a file `speakers.csv` can give the speaker of each `key`, in
the columns `key,speaker` and, where known, `gender,session`. `label_map.json` gives the labels
their names. Both are looked for beside the lines and in the folder above.

EmoBox's own maps do not always fit: for EmoDB it maps "Neutral", where the lines say "neutral".
"""

import csv
import json
import logging
from pathlib import Path
from typing import Any

from synth_data.corpora.listing import OPTIONAL, Listing, column_of, is_there, no_speaker, twice
from synth_data.corpora.tree import beside, few
from synth_data.errors import CorpusError, unknown_name

logger = logging.getLogger(__name__)

LABEL_MAP = "label_map.json"
SPEAKERS = "speakers.csv"

_OF_HEADER = ("dataset", "type", "sample_rate", "num_frame", "task", "length", "channel")
_KEYS = ("key", "wav", "emo", "speaker", *OPTIONAL, *_OF_HEADER)
_OF_SPEAKERS = ("speaker", "gender", "session")


def read(lines: Path) -> Listing:
    """Reads the lines, with the files beside them.

    Raises:
        CorpusError: one of the files is not what it should be, or nothing tells the speakers.
    """
    utterances = _utterances(lines)
    speakers = _speakers(beside(lines.parent, SPEAKERS))
    if not speakers and not any("speaker" in utterance for _, utterance in utterances):
        raise no_speaker(
            lines,
            "key",
            f'Add the key "speaker" to each line, or put a file {SPEAKERS} with the columns '
            f"key,speaker beside it",
        )
    labels = {utterance.get("emo", "") for _, utterance in utterances}
    names = _names(beside(lines.parent, LABEL_MAP), labels)
    rows = []
    for place, utterance in utterances:
        emotion = utterance.get("emo", "")
        own = {
            column: utterance[column] for column in ("speaker", *OPTIONAL) if column in utterance
        }
        added = speakers.get(utterance.get("key", ""), {})
        cells = {"file": utterance.get("wav", ""), "emotion": names.get(emotion, emotion)}
        rows.append((place, {"speaker": ""} | cells | added | own))
    return Listing(lines, _folder(lines, [cells["file"] for _, cells in rows]), rows)


def _utterances(lines: Path) -> list[tuple[str, dict[str, str]]]:
    """The objects with where they stand, their values as text."""
    found = []
    try:
        content = lines.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{lines}: not a text file in UTF-8 ({error}); save it as one") from error
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        utterance = _object(line)
        if utterance is None:
            raise CorpusError(
                f"{lines}, line {number}: not a JSON object that can be read; each line must be one"
            )
        if problem := twice(utterance):
            raise CorpusError(f"{lines}, line {number}: {problem}")
        utterance = {column_of(key): value for key, value in utterance.items()}
        for key in utterance:
            if key not in _KEYS:
                unknown = unknown_name("key", key, _KEYS)
                raise CorpusError(f"{lines}, line {number}: {unknown}. Rename or remove it")
        texts = {k: "" if v is None else str(v).strip() for k, v in utterance.items()}
        found.append((f"line {number}", texts))
    return found


def _speakers(table: Path | None) -> dict[str, dict[str, str]]:
    """What is told of each utterance's speaker, by its key; empty where there is no such file."""
    if table is None:
        return {}
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream, restval="", strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{table}: not a CSV file in UTF-8 ({error}); save it as one") from error
    if not rows or not {"key", "speaker"} <= rows[0].keys():
        found = few(rows[0]) if rows else "no lines below a header"
        raise CorpusError(f"{table}: needs the columns key,speaker. Found: {found}")
    return {
        row["key"].strip(): {name: row.get(name, "").strip() for name in _OF_SPEAKERS}
        for row in rows
    }


def _names(label_map: Path | None, labels: set[str]) -> dict[str, str]:
    """The emotions' names by label, as far as the map fits; what does not fit is said."""
    if label_map is None:
        return {}
    given = _object(label_map.read_text(encoding="utf-8", errors="replace"))
    if given is None or not all(isinstance(name, str) for name in given.values()):
        raise CorpusError(
            f'{label_map}: not a JSON object of names such as {{"sad": "Sad"}}; mend or remove it'
        )
    folded = {label.casefold(): label for label in given}
    names = {}
    for label in sorted(labels - {""}):
        near = label if label in given else folded.get(label.casefold())
        if near is None:
            logger.warning("%s: has no name for '%s', which is kept", label_map, label)
            continue
        if near != label:
            logger.warning("%s: '%s' is taken for its '%s'", label_map, label, near)
        names[label] = given[near]
    return names


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # also for a number or a nesting that Python does not take
        return None
    return found if isinstance(found, dict) else None


def _folder(lines: Path, files: list[str]) -> Path:
    """Where the paths start: beside the lines, or above, as `downloads/` is in EmoBox."""
    folder = lines.resolve().parent
    places = (folder, *folder.parents[:3])
    return next((p for p in places if any(is_there(p / file) for file in files if file)), folder)
