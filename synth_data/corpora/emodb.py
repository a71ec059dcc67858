"""EmoDB, the Berlin Database of Emotional Speech: the 535 recordings of 2005.

A file name is the label: `03a01Fa` is speaker 03, sentence a01, emotion F (Freude), version a.
`erkennung.txt` beside the recordings holds listening-test results, not labels.
"""

import re
from pathlib import Path

from synth_data.corpora import proxies
from synth_data.corpora.facts import Corpus, Recordings
from synth_data.corpora.tree import complete, is_recording, locate, recordings
from synth_data.protocol import leave_one_out, speaker_dependent
from synth_data.task import DIMENSIONS
from synth_data.utterance import AudioFile, Utterance

_NAME = re.compile(r"(?P<speaker>\d\d)[ab]\d\d(?P<emotion>[WLEAFTN])[a-z]")
_EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "N": "neutral",
    "T": "sadness",
}
_WOMEN = ("08", "09", "13", "14", "16")
_MEN = ("03", "10", "11", "12", "15")
_GENDER = dict.fromkeys(_WOMEN, "female") | dict.fromkeys(_MEN, "male")


def _read(root: Path | None, allow_missing: bool) -> list[Utterance]:
    folder = locate(root, EMODB, _holds_speech)
    utterances, unlabelled = [], []
    for name, path in recordings(folder.iterdir()).items():
        parts = _NAME.fullmatch(name)
        if parts is None:
            unlabelled.append(path.name)
            continue
        emotion = _EMOTIONS[parts["emotion"]]
        utterances.append(
            Utterance(
                name=name,
                audio=AudioFile(path),
                emotion=emotion,
                speaker=parts["speaker"],
                gender=_GENDER.get(parts["speaker"]),
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
    return any(is_recording(path) and _NAME.fullmatch(path.stem) for path in folder.iterdir())


EMODB = Corpus(
    name="emodb",
    title="EmoDB (2005 release)",
    emotions=tuple(sorted(_EMOTIONS.values())),
    counts={
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "neutral": 79,
        "sadness": 62,
    },
    speakers=10,
    recordings=Recordings(sample_rate=16_000, shortest=1.23, longest=8.98, total=1_487.0),
    language="German",
    access="public",
    licence=(
        "free for research use (2005 release, 535 recordings); "
        "release 2.0, which adds 281 ambiguous ones, is under CC BY 4.0"
    ),
    derivatives="yes",
    url="http://emodb.bilderbar.info",
    citation=(
        "F. Burkhardt, A. Paeschke, M. Rolfes, W. Sendlmeier and B. Weiss, "
        '"A database of German emotional speech", Interspeech 2005'
    ),
    layout="  wav/03a01Fa.wav  (speaker, sentence, emotion, version; .wav or .flac)",
    protocols={p.name: p for p in (leave_one_out("speaker"), speaker_dependent())},
    read=_read,
    dimensions=DIMENSIONS,
    proxies=proxies.NOTE,
)
