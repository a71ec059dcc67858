"""MSP-Podcast: spontaneous English speech from podcasts, rated on seven-point scales.

Labels are those that raters agreed on, `Labels/labels_consensus.csv` (up to release 1.8
`labels_concensus.csv`), or the JSON file beside it; archives that unpacked into a folder of their
own, `Labels/Labels/`, are understood. Classes are the four in use; where dimensions are told every
rated utterance is in. Releases grow, so no counts are published here.

Who speaks in a part of the corpus is not known (`Unknown`). Such an utterance stays on the side
that the corpus puts it on, and counts as one of a speaker of its own: never are all of them one
person, who would then be on all sides. It may be somebody's of another side, which nobody can say
but the makers of the corpus, who split it; and since one person may have many, no guarantee about
speakers is given where there are any.

The labels of the third test are withheld: its recordings have none, or a line that tells nothing,
and are left out. The first two tests share their training side and are folds of their own, so that
each has its rows in a report. Should a release have a speaker on two sides, those utterances of
theirs that are furthest from being tested are left out, and counted in a warning and with every
number.
"""

import csv
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from synth_data.corpora.facts import Corpus
from synth_data.corpora.tree import complete, few, locate, recordings
from synth_data.errors import CorpusError
from synth_data.protocol import listed_tests
from synth_data.task import DIMENSIONS
from synth_data.utterance import UNKNOWN, AudioFile, Utterance

logger = logging.getLogger(__name__)

_CLASSES = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}
_OTHERS = {  # of which dimensions alone are told
    "C": "contempt",
    "D": "disgust",
    "F": "fear",
    "O": "other",
    "U": "surprise",
    "X": "no agreement",
}
_SPLITS = {
    "Train": "train",
    "Development": "validation",
    "Validation": "validation",
    "Test1": "test1",
    "Test2": "test2",
}
_TESTS = ("test1", "test2")
_WITHHELD = "Test3"
_UNLISTED = re.compile(r"MSP-PODCAST_test3_\d+", re.IGNORECASE)  # its names, where it has no lines
_FILES = (
    *("labels_consensus.csv", "labels_concensus.csv"),
    *("labels_consensus.json", "labels_concensus.json"),
)
_VALUES = {"valence": "EmoVal", "activation": "EmoAct", "dominance": "EmoDom"}
_COLUMNS = ("EmoClass", *_VALUES.values(), "SpkrID", "Gender", "Split_Set")
_NOBODY = ("", "unknown")


def _read(root: Path | None, allow_missing: bool, *, rated: bool = False) -> list[Utterance]:
    """The utterances of the four classes; or, `rated`, all with labels."""
    folder = locate(root, MSP_PODCAST, lambda path: _labels_of(path) is not None)
    source = _labels_of(folder)
    assert source is not None  # or the folder would not have been found
    rows = _rows(source)
    audio = recordings(_in(folder, "Audio*", "*"))
    texts = {path.stem: path for path in _in(folder, "Transcripts", "*.txt")}
    withheld = {name for name, row in rows.items() if row["Split_Set"] == _WITHHELD}
    withheld |= {name for name in audio.keys() - rows.keys() if _UNLISTED.fullmatch(name)}
    notes = []
    if withheld:
        notes = [f"recordings whose labels are withheld left out: {len(withheld)}"]
        logger.info("%s: %s", source, notes[0])
    bad, utterances, without_audio = [], [], []
    for name, row in rows.items():
        if name in withheld:
            continue
        try:
            utterance = _utterance(name, row, f"{source}, {name}")
        except ValueError as problem:
            bad.append(f"{name}: {problem}")
            continue
        if not rated and utterance.emotion not in _CLASSES.values():
            continue
        if name not in audio:
            without_audio.append(f"Audios/{name}.wav")
            continue
        text = texts[name].read_text("utf-8", errors="replace").strip() if name in texts else None
        utterances.append(replace(utterance, audio=AudioFile(audio[name]), text=text))
    if bad:
        raise CorpusError(
            f"{source}: labels that cannot be used: {len(bad)} ({few(bad)}); restore the file from "
            f"the release"
        )
    kept = _apart(utterances)
    if left := len(utterances) - len(kept):
        notes.append(f"utterances of speakers on another side left out: {left}")
        logger.warning("%s: %s", source, notes[-1])
    return complete(
        kept,
        folder,
        without_audio=without_audio,
        without_label=[
            path.name for name, path in audio.items() if name not in rows and name not in withheld
        ],
        allow_missing=allow_missing,
        looked_in=folder / "Audios",
        notes=notes,
    )


def _labels_of(folder: Path) -> Path | None:
    """The file with the labels; None where there is none."""
    return next((path for name in _FILES for path in _in(folder, "Labels", name)), None)


def _in(folder: Path, part: str, name: str) -> list[Path]:
    """The files of a part of the corpus, in its folder or in one of that name inside it."""
    places = (f"{part}/{name}", f"{part}/{part}/{name}")
    return sorted(path for place in places for path in folder.glob(place) if path.is_file())


def _rows(source: Path) -> dict[str, Mapping[str, str]]:
    """What is said of each recording, by its name without a suffix."""
    try:
        text = source.read_text("utf-8-sig")
        if source.suffix == ".json":
            listed = [{"FileName": name, **row} for name, row in json.loads(text).items()]
        else:
            listed = list(csv.DictReader(text.splitlines(), strict=True))
    except (ValueError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise CorpusError(
            f"{source}: not a file of labels ({error}); restore it from the release"
        ) from error
    rows: dict[str, Mapping[str, str]] = {}
    for row in listed:
        missing = [name for name in ("FileName", *_COLUMNS) if row.get(name) is None]
        if missing:
            raise CorpusError(
                f"{source}: {row.get('FileName') or 'the first line'} lacks {', '.join(missing)}; "
                f"restore the file from the release"
            )
        name = Path(str(row["FileName"])).stem
        if name in rows:
            raise CorpusError(f"{source}: {name} has labels twice; remove one")
        rows[name] = {column: str(row[column]).strip() for column in _COLUMNS}
    return rows


def _utterance(name: str, row: Mapping[str, str], place: str) -> Utterance:
    """What the labels say, before the recording is looked for; ValueError says what is wrong."""
    emotions = _CLASSES | _OTHERS
    for column, known in (("EmoClass", emotions), ("Split_Set", _SPLITS)):
        if row[column] not in known:
            raise ValueError(f"{column} '{row[column]}' is none of {', '.join(known)}")
    values = {dimension: _value(column, row[column]) for dimension, column in _VALUES.items()}
    gender = row["Gender"].lower()
    return Utterance(
        name=name,
        audio=AudioFile(Path(f"{name}.wav")),
        emotion=emotions[row["EmoClass"]],
        speaker=UNKNOWN + name if row["SpkrID"].lower() in _NOBODY else row["SpkrID"],
        gender=gender if gender in ("female", "male") else None,
        split=_SPLITS[row["Split_Set"]],
        valence=values["valence"],
        activation=values["activation"],
        dominance=values["dominance"],
        place=place,
    )


def _apart(utterances: list[Utterance]) -> list[Utterance]:
    """Without those that train or validate, of speakers who are tested, or validate, as well."""
    tested = {u.speaker for u in utterances if u.split in _TESTS}
    validating = {u.speaker for u in utterances if u.split == "validation"}
    others = {"train": tested | validating, "validation": tested}
    return [u for u in utterances if u.speaker not in others.get(u.split or "", ())]


def _value(column: str, cell: str) -> float | None:
    if cell.lower() in ("", "nan", "none"):
        return None
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"{column} '{cell}' is not a number") from None


MSP_PODCAST = Corpus(
    name="msp-podcast",
    title="MSP-Podcast",
    emotions=tuple(sorted(_CLASSES.values())),
    language="English",
    access="on request",
    licence="agreement with the University of Texas at Dallas",
    derivatives="agreement decides",
    url="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
    citation=(
        'R. Lotfian and C. Busso, "Building naturalistic emotionally balanced speech corpus by '
        'retrieving emotional speech from existing podcast recordings", IEEE Transactions on '
        "Affective Computing 10(4), 2019"
    ),
    layout=(
        "  Audios/MSP-PODCAST_0001_0008.wav  (.wav or .flac)\n"
        "  Labels/labels_consensus.csv  (or labels_concensus.csv, or .json)\n"
        "  Transcripts/MSP-PODCAST_0001_0008.txt  (optional)"
    ),
    dimensions=DIMENSIONS,
    scale=(1.0, 7.0),
    protocols={p.name: p for p in (listed_tests("test1-and-test2", _TESTS),)},
    read=_read,
    read_rated=partial(_read, rated=True),
)
