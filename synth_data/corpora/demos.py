"""DEMoS: 68 Italian students in induced moods, seven emotions.

A file name is the label: `PR_m_23_tri00a` is prototypical (PR) or not (NP), gender, speaker, and
emotion with take. The 332 neutral recordings, which lie in a folder of their own, are left out, as
in published work on the seven emotions.

The published distillation paper trains on 27 speakers, validates on 25 and tests on 16, 9 + 18,
7 + 18 and 7 + 9 women and men. Who they are depended on the state of the interpreter that drew
them, and is lost: `speakers-40-30-30-by-gender` has the same numbers of speakers, but others.
"""

import re
from pathlib import Path

from synth_data.corpora.facts import Corpus
from synth_data.corpora.tree import complete, holding, locate, recordings
from synth_data.protocol import dealt, gender_split, speaker_dependent, speaker_split
from synth_data.utterance import AudioFile, Utterance

_NAME = re.compile(
    r"(?:PR|NP)_(?P<gender>[fm])_(?P<speaker>\d\d)_(?P<emotion>col|dis|gio|pau|rab|sor|tri)\w+"
)
_NEUTRAL = re.compile(r"(?:\w+_)?[fm]_\d\d_neu\w*")
_EMOTIONS = {
    "col": "guilt",
    "dis": "disgust",
    "gio": "happiness",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}


def _read(root: Path | None, allow_missing: bool) -> list[Utterance]:
    folder = locate(root, DEMOS, holding(_NAME))
    utterances, unlabelled = [], []
    for name, path in recordings(folder.iterdir()).items():
        if _NEUTRAL.fullmatch(name):
            continue
        parts = _NAME.fullmatch(name)
        if parts is None:
            unlabelled.append(path.name)
            continue
        utterances.append(
            Utterance(
                name=name,
                audio=AudioFile(path),
                emotion=_EMOTIONS[parts["emotion"]],
                speaker=parts["speaker"],
                gender={"f": "female", "m": "male"}[parts["gender"]],
            )
        )
    return complete(
        utterances,
        folder,
        without_audio=[],
        without_label=unlabelled,
        allow_missing=allow_missing,
    )


DEMOS = Corpus(
    name="demos",
    title="DEMoS",
    emotions=tuple(sorted(_EMOTIONS.values())),
    label_note="neutral left out",
    counts={
        "anger": 1477,
        "disgust": 1678,
        "fear": 1156,
        "guilt": 1129,
        "happiness": 1395,
        "sadness": 1530,
        "surprise": 1000,
    },
    speakers=68,
    language="Italian",
    access="on request",
    licence="end-user licence agreement, signed by a professor",
    derivatives="agreement decides",
    url="https://zenodo.org/records/2544829",
    citation=(
        "E. Parada-Cabaleiro, G. Costantini, A. Batliner, M. Schmitt and B. W. Schuller, "
        '"DEMoS: an Italian emotional speech corpus", '
        "Language Resources and Evaluation 54(2), 2020"
    ),
    layout=(
        "  DEMOS/PR_m_23_tri00a.wav  (prototypical or not, gender, speaker, emotion and take; "
        ".wav or .flac)"
    ),
    protocols={
        p.name: p
        for p in (
            gender_split("speakers-40-30-30-by-gender", {"female": (9, 7, 7), "male": (18, 18, 9)}),
            dealt(),
            speaker_split("speakers-above-57", [str(speaker) for speaker in range(58, 70)]),
            speaker_dependent(),
        )
    },
    read=_read,
)
