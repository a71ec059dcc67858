"""IEMOCAP in its own layout, with the four-class set of 5531 utterances.

Labels are the consensus lines of `dialog/EmoEvaluation/<dialog>.txt`; its sub-folders hold single
annotators. Excitement counts as happiness; turns with any other label are not in the set. Where
dimensions are told all 10,039 turns are, which have them all.

The speaker is the letter of a turn's last token: `Ses01F_impro01_M012` is spoken by the man of
session 1. The F of the prefix only says who wore the motion-capture markers, and taking it for the
speaker, as several public readers do, is wrong for half of the corpus.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from synth_data.corpora.facts import Corpus, Recordings
from synth_data.corpora.tree import complete, is_companion, locate, recordings
from synth_data.errors import CorpusError
from synth_data.protocol import leave_one_out
from synth_data.task import DIMENSIONS
from synth_data.utterance import AudioFile, Utterance

_LABEL = re.compile(
    r"\[\s*[\d.]+\s*-\s*[\d.]+\s*\]\s+(?P<turn>\w+)\s+(?P<emotion>\w+)\s+"
    r"\[\s*(?P<valence>[\d.]+),\s*(?P<activation>[\d.]+),\s*(?P<dominance>[\d.]+)\s*\]\s*"
)
_TRANSCRIPT = re.compile(r"(?P<turn>Ses\w+)\s+\[[\d.\s-]+\]:\s*(?P<text>.*)")
_TURN = re.compile(r"(?P<session>Ses0[1-5])[FM]_\w+_(?P<letter>[FM])[\dX]{2}\d")
_EMOTIONS = {
    "ang": "anger",
    "exc": "happiness",
    "hap": "happiness",
    "neu": "neutral",
    "sad": "sadness",
}
_OTHERS = {  # of which dimensions alone are told
    "dis": "disgust",
    "fea": "fear",
    "fru": "frustration",
    "oth": "other",
    "sur": "surprise",
    "xxx": "no agreement",
}
_SCALE = (1.0, 5.0)
_STEP = 0.5


@dataclass(frozen=True)
class _Label:
    session: str
    letter: str
    emotion: str
    valence: float
    activation: float
    dominance: float
    place: str


def _read(root: Path | None, allow_missing: bool, *, rated: bool = False) -> list[Utterance]:
    """The turns of the four classes; or, `rated`, all."""
    folder = locate(root, IEMOCAP, lambda path: any(path.glob("Session[1-5]/dialog/EmoEvaluation")))
    labels: dict[str, _Label] = {}
    texts: dict[str, str] = {}
    for path in _dialogs(folder, "EmoEvaluation"):
        labels |= _labels(path)
    for path in _dialogs(folder, "transcriptions"):
        texts |= _texts(path)
    audio = recordings(folder.glob("Session[1-5]/sentences/wav/*/*"))
    wanted = {turn: label for turn, label in labels.items() if rated or label.emotion in _EMOTIONS}
    return complete(
        [
            _utterance(turn, label, audio[turn], texts.get(turn))
            for turn, label in wanted.items()
            if turn in audio
        ],
        folder,
        without_audio=[_place(turn) for turn in wanted if turn not in audio],
        without_label=[
            str(p.relative_to(folder)) for turn, p in audio.items() if turn not in labels
        ],
        allow_missing=allow_missing,
    )


def _dialogs(folder: Path, kind: str) -> Iterable[Path]:
    return sorted(
        path for path in folder.glob(f"Session[1-5]/dialog/{kind}/*.txt") if not is_companion(path)
    )


def _labels(path: Path) -> dict[str, _Label]:
    labels = {}
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        if not line.startswith("["):
            continue
        parts = _LABEL.fullmatch(line)
        turn = _TURN.fullmatch(parts["turn"]) if parts else None
        if parts is None or turn is None:
            raise CorpusError(
                f"{path}, line {number}: '{line}' is not "
                f"'[start - end] turn emotion [valence, activation, dominance]'; "
                f"restore the file from the release"
            )
        labels[parts["turn"]] = _Label(
            session=turn["session"],
            letter=turn["letter"],
            emotion=parts["emotion"],
            valence=_on_scale(parts["valence"]),
            activation=_on_scale(parts["activation"]),
            dominance=_on_scale(parts["dominance"]),
            place=f"{path}, line {number}",
        )
    return labels


def _on_scale(text: str) -> float:
    """A mean rating; one that is up to half a point off the scale is taken for its end.

    We recall a few such in the release (5.5, 0.5), which we do not have. What is further off is
    left as it is, to be refused where it is used.
    """
    value, (low, high) = float(text), _SCALE
    return min(max(value, low), high) if low - _STEP <= value <= high + _STEP else value


def _texts(path: Path) -> dict[str, str]:
    lines = path.read_text("utf-8", errors="replace").splitlines()
    matches = [_TRANSCRIPT.fullmatch(line) for line in lines]  # others are stray remarks
    return {parts["turn"]: parts["text"].strip() for parts in matches if parts}


def _utterance(turn: str, label: _Label, path: Path, text: str | None) -> Utterance:
    return Utterance(
        name=turn,
        audio=AudioFile(path),
        emotion=(_EMOTIONS | _OTHERS).get(label.emotion, label.emotion),
        speaker=label.session + label.letter,
        session=label.session,
        gender={"F": "female", "M": "male"}[label.letter],
        valence=label.valence,
        activation=label.activation,
        dominance=label.dominance,
        text=text,
        place=label.place,
    )


def _place(turn: str) -> str:
    dialog = turn.rsplit("_", 1)[0]
    return f"Session{turn[4]}/sentences/wav/{dialog}/{turn}.wav"


IEMOCAP = Corpus(
    name="iemocap",
    title="IEMOCAP",
    emotions=tuple(sorted(set(_EMOTIONS.values()))),
    label_note="exc->hap",
    counts={"anger": 1103, "happiness": 1636, "neutral": 1708, "sadness": 1084},
    speakers=10,
    recordings=Recordings(sample_rate=16_000, shortest=0.585, longest=34.1, total=25_160.0),
    language="English",
    access="on request",
    licence="signed release form of the University of Southern California",
    derivatives="agreement decides",
    url="https://sail.usc.edu/iemocap/iemocap_release.htm",
    citation=(
        "C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, S. Lee and "
        'S. S. Narayanan, "IEMOCAP: interactive emotional dyadic motion capture database", '
        "Language Resources and Evaluation 42(4), 2008"
    ),
    layout=(
        "  Session1/ ... Session5/, in each\n"
        "    dialog/EmoEvaluation/Ses01F_impro01.txt\n"
        "    dialog/transcriptions/Ses01F_impro01.txt  (optional)\n"
        "    sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav  (.wav or .flac)"
    ),
    dimensions=DIMENSIONS,
    scale=_SCALE,
    rated=10_039,
    protocols={p.name: p for p in (leave_one_out("session"), leave_one_out("speaker"))},
    read=_read,
    read_rated=partial(_read, rated=True),
)
