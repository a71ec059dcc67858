"""nEMO: nine Polish actors, ninety sentences, six emotions.

A file name is the label: `EB0_anger_1` is speaker, emotion, sentence. `data.tsv` beside the folder
of recordings adds gender and text; where it is there, it also tells which recordings are missing.
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from synth_data.corpora.facts import Corpus, Recordings
from synth_data.corpora.tree import beside, complete, holding, locate, recordings
from synth_data.protocol import leave_one_out, speaker_dependent
from synth_data.utterance import AudioFile, Utterance

_NAME = re.compile(
    r"(?P<speaker>[A-Z]{2}\d)_(?P<emotion>anger|fear|happiness|neutral|sadness|surprised)_\d+"
)


def _read(root: Path | None, allow_missing: bool) -> list[Utterance]:
    folder = locate(root, NEMO, holding(_NAME))
    rows = _rows(beside(folder, "data.tsv"))
    audio = recordings(folder.iterdir())
    utterances, unlabelled = [], []
    for name, path in audio.items():
        parts = _NAME.fullmatch(name)
        if parts is None:
            unlabelled.append(path.name)
            continue
        row = rows.get(name, {})
        utterances.append(
            Utterance(
                name=name,
                audio=AudioFile(path),
                emotion=parts["emotion"].replace("surprised", "surprise"),
                speaker=parts["speaker"],
                gender=row["gender"] if row.get("gender") in ("female", "male") else None,
                text=row.get("raw_text") or None,
            )
        )
    return complete(
        utterances,
        folder,
        without_audio=[f"{name}.wav" for name in sorted(rows) if name not in audio],
        without_label=unlabelled,
        allow_missing=allow_missing,
    )


def _rows(table: Path | None) -> dict[str, Mapping[str, str]]:
    """The lines of `data.tsv` by the name of their recording."""
    if table is None:
        return {}
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        lines = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {Path(line["file_id"]).stem: line for line in lines if line.get("file_id")}


NEMO = Corpus(
    name="nemo",
    title="nEMO",
    emotions=("anger", "fear", "happiness", "neutral", "sadness", "surprise"),
    counts={
        "anger": 749,
        "fear": 736,
        "happiness": 749,
        "neutral": 809,
        "sadness": 769,
        "surprise": 669,
    },
    speakers=9,
    recordings=Recordings(sample_rate=24_000, shortest=0.9, longest=5.7, total=11_061.0),
    language="Polish",
    access="public",
    licence="CC BY-NC-SA 4.0",
    derivatives="non-commercial share-alike",
    url="https://github.com/amu-cai/nEMO",
    citation='I. Christop, "nEMO: dataset of emotional speech in Polish", LREC-COLING 2024',
    layout=(
        "  samples/EB0_anger_1.wav  (speaker, emotion, sentence; .wav or .flac)\n"
        "  data.tsv  (optional: gender and text)"
    ),
    protocols={p.name: p for p in (leave_one_out("speaker"), speaker_dependent())},
    read=_read,
)
