"""CREMA-D: 91 actors, twelve sentences, six emotions.

A file name is the label: `1001_DFA_ANG_XX` is actor, sentence, the emotion the actor was asked
for, and its level (LO, MD, HI, XX: unspecified). The crowd's votes on what is heard are not read.

As published, `1040_ITH_SAD_X` has a level of one letter, and `1076_MTI_SAD_XX` is silent, so that
the corpus is only read on request to skip bad recordings.
"""

import csv
import re
from pathlib import Path

from synth_data.corpora.facts import Corpus, Recordings
from synth_data.corpora.tree import beside, complete, holding, locate, recordings
from synth_data.protocol import dealt, speaker_dependent, speaker_split
from synth_data.utterance import AudioFile, Utterance

_NAME = re.compile(
    r"(?P<actor>\d{4})_[A-Z]{3}_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?:LO|MD|HI|XX?)"
)
_EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
# The speaker-independent split that audEERING publishes; all others train.
_VALIDATION = (1049, *range(1053, 1056), 1058, 1059, *range(1061, 1069), 1070, 1075, 1080, 1085)
_TEST = (1048, 1069, 1071, 1074, *range(1076, 1080), *range(1082, 1085), *range(1086, 1092))


def _read(root: Path | None, allow_missing: bool) -> list[Utterance]:
    folder = locate(root, CREMA_D, holding(_NAME))
    genders = _genders(beside(folder, "VideoDemographics.csv"))
    utterances, unlabelled = [], []
    for name, path in recordings(folder.iterdir()).items():
        parts = _NAME.fullmatch(name)
        if parts is None:
            unlabelled.append(path.name)
            continue
        utterances.append(
            Utterance(
                name=name,
                audio=AudioFile(path),
                emotion=_EMOTIONS[parts["emotion"]],
                speaker=parts["actor"],
                gender=genders.get(parts["actor"]),
            )
        )
    return complete(
        utterances,
        folder,
        without_audio=[],
        without_label=unlabelled,
        allow_missing=allow_missing,
    )


def _genders(table: Path | None) -> dict[str, str]:
    if table is None:
        return {}
    words = {"Female": "female", "Male": "male"}
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        rows = [
            (row.get("ActorID"), words.get(row.get("Sex", ""))) for row in csv.DictReader(stream)
        ]
    return {actor: gender for actor, gender in rows if actor and gender}


CREMA_D = Corpus(
    name="crema-d",
    title="CREMA-D",
    emotions=tuple(sorted(_EMOTIONS.values())),
    counts={e: 1087 if e == "neutral" else 1271 for e in sorted(_EMOTIONS.values())},
    speakers=91,
    recordings=Recordings(sample_rate=16_000, shortest=1.27, longest=5.01, total=18_924.0),
    language="English",
    access="public",
    licence="Open Database License 1.0 (ODbL)",
    derivatives="share-alike",
    url="https://github.com/CheyneyComputerScience/CREMA-D (with git lfs)",
    citation=(
        "H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova and R. Verma, "
        '"CREMA-D: crowd-sourced emotional multimodal actors dataset", '
        "IEEE Transactions on Affective Computing 5(4), 2014"
    ),
    layout=(
        "  AudioWAV/1001_DFA_ANG_XX.wav  (actor, sentence, emotion, level; .wav or .flac)\n"
        "  VideoDemographics.csv  (optional: the actors' gender)"
    ),
    protocols={
        p.name: p
        for p in (
            dealt(),
            speaker_split("audeering-split", [*map(str, _TEST)], [*map(str, _VALIDATION)]),
            speaker_dependent(),
        )
    },
    read=_read,
)
