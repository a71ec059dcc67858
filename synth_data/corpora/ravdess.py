"""RAVDESS, the speech part: 24 actors, two sentences, eight emotions.

A file name is the label: `03-01-05-01-02-01-07` is modality (03: audio only), channel (01: speech,
02: song), emotion, intensity, statement, repetition, actor. Song and film with sound, which
repeats the audio-only recordings, are left out.
"""

import re
from pathlib import Path

from synth_data.corpora import proxies
from synth_data.corpora.facts import Corpus, Recordings
from synth_data.corpora.tree import complete, is_recording, locate, recordings
from synth_data.protocol import grouped, leave_one_out, speaker_dependent
from synth_data.task import DIMENSIONS
from synth_data.utterance import AudioFile, Utterance

_NAME = re.compile(
    r"(?P<modality>0[1-3])-(?P<channel>0[12])-(?P<emotion>0[1-8])-0[12]-0[12]-0[12]"
    r"-(?P<actor>0[1-9]|1\d|2[0-4])"
)
_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
# EmoBox's folds of four whole actors.
_FOLDS = (
    ("01", "11", "20", "21"),
    ("04", "10", "12", "14"),
    ("08", "09", "19", "23"),
    ("03", "05", "07", "24"),
    ("02", "15", "16", "18"),
    ("06", "13", "17", "22"),
)


def _read(root: Path | None, allow_missing: bool) -> list[Utterance]:
    folder = locate(root, RAVDESS, _holds_speech)
    utterances, unlabelled = [], []
    for name, path in recordings(folder.glob("Actor_*/*")).items():
        parts = _NAME.fullmatch(name)
        if parts is None:
            unlabelled.append(f"{path.parent.name}/{path.name}")
            continue
        if parts["modality"] != "03" or parts["channel"] != "01":
            continue
        emotion = _EMOTIONS[parts["emotion"]]
        utterances.append(
            Utterance(
                name=name,
                audio=AudioFile(path),
                emotion=emotion,
                speaker=parts["actor"],
                gender="male" if int(parts["actor"]) % 2 else "female",
                **proxies.values_of(emotion),
            )
        )
    return complete(
        utterances,
        folder,
        without_audio=[],
        without_label=unlabelled,
        allow_missing=allow_missing,
    )


def _holds_speech(folder: Path) -> bool:
    return any(is_recording(path) for path in folder.glob("Actor_*/03-01-*"))


RAVDESS = Corpus(
    name="ravdess",
    title="RAVDESS (speech)",
    emotions=tuple(sorted(_EMOTIONS.values())),
    counts={e: 96 if e == "neutral" else 192 for e in sorted(_EMOTIONS.values())},
    speakers=24,
    recordings=Recordings(sample_rate=48_000, shortest=2.94, longest=5.27, total=5_329.0),
    language="English",
    access="public",
    licence="CC BY-NC-SA 4.0 (commercial licences are sold by its authors)",
    derivatives="non-commercial share-alike",
    url="https://zenodo.org/record/1188976 (Audio_Speech_Actors_01-24.zip)",
    citation=(
        'S. R. Livingstone and F. A. Russo, "The Ryerson Audio-Visual Database of Emotional '
        'Speech and Song (RAVDESS)", PLoS ONE 13(5): e0196391, 2018'
    ),
    layout="  Actor_01/03-01-05-01-02-01-01.wav ... Actor_24/  (.wav or .flac)",
    protocols={
        p.name: p
        for p in (
            grouped("six-actor-folds", _FOLDS),
            leave_one_out("speaker"),
            speaker_dependent(),
        )
    },
    read=_read,
    dimensions=DIMENSIONS,
    proxies=proxies.NOTE,
)
