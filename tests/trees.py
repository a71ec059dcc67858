"""Builds corpus trees in their published layouts, from noise or from given recordings."""

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy
import soundfile

from synth_data.utterance import AudioFile, Utterance

EMODB_SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")
NEMO_SPEAKERS = ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")
DEMOS_SPEAKERS = tuple(f"{number:02}" for number in range(1, 70) if number != 35)

_HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
_ANNOTATOR = (
    "C-E2:\tNeutral;\t()\n"
    "C-F1:\tNeutral;\t(curious)\n"
    "A-E3:\tval 3; act 2; dom  2;\t()\n"
    "A-F1:\tval 3; act 2; dom  1;\t()\n"
)


@dataclass(frozen=True)
class Turn:
    """A turn of an IEMOCAP dialogue.

    Attributes:
        dialog: such as "Ses01F_impro01".
        letter: who speaks, "F" or "M".
        emotion: IEMOCAP's three letters: ang, hap, exc, neu, sad, fru, xxx, ...
        audio: the recording to place in the tree; None leaves the turn without one.
        valence: 1 to 5, like `activation` and `dominance`.
        text: its transcript.
    """

    dialog: str
    letter: str
    emotion: str
    audio: Path | None
    valence: float = 2.5
    activation: float = 3.0
    dominance: float = 3.5
    text: str = "Excuse me."


def noise(path: Path, seed: int = 0, seconds: float = 0.2, sample_rate: int = 16_000) -> Path:
    """Writes white noise, its folder included; the suffix says the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = numpy.random.default_rng(seed).normal(0, 0.1, round(seconds * sample_rate))
    soundfile.write(path, samples.clip(-1, 1), sample_rate)
    return path


def emodb_tree(root: Path, speakers: Iterable[str] = EMODB_SPEAKERS, per_emotion: int = 1) -> Path:
    """EmoDB's layout in noise: every emotion of every speaker."""
    seeds = count()
    for speaker in speakers:
        for emotion in "WLEAFNT":
            for version in "abcdefgh"[:per_emotion]:
                noise(root / "wav" / f"{speaker}a01{emotion}{version}.wav", next(seeds))
    return root


def ravdess_tree(root: Path, actors: Iterable[int] = range(1, 25)) -> Path:
    """RAVDESS' layout in noise: every emotion of every actor, once."""
    seeds = count()
    for actor in actors:
        for emotion in range(1, 9):
            name = f"03-01-{emotion:02}-01-01-01-{actor:02}.wav"
            noise(root / f"Actor_{actor:02}" / name, next(seeds))
    return root


def crema_d_tree(root: Path, actors: Iterable[int] = range(1001, 1092)) -> Path:
    """CREMA-D's layout in noise: two emotions of every actor, and what is published of them."""
    rows = ['"ActorID","Age","Sex","Race","Ethnicity"']
    emotions = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
    for seed, actor in enumerate(actors):
        rows.append(f'{actor},51,"{("Male", "Female")[actor % 2]}","Caucasian","Not Hispanic"')
        for emotion in (emotions[actor % 6], emotions[(actor + 1) % 6]):
            noise(root / "AudioWAV" / f"{actor}_DFA_{emotion}_XX.wav", seed)
    (root / "VideoDemographics.csv").write_text("\n".join(rows) + "\n")
    return root


def nemo_tree(root: Path, speakers: Iterable[str] = NEMO_SPEAKERS) -> Path:
    """The layout of nEMO in noise: every emotion of every speaker, and their table."""
    rows = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    seeds = count()
    for speaker in speakers:
        gender = "female" if speaker in ("EB0", "IC0", "KD0", "MK0") else "male"
        for emotion in ("anger", "fear", "happiness", "neutral", "sadness", "surprised"):
            name = f"{speaker}_{emotion}_1.wav"
            noise(root / "samples" / name, next(seeds))
            text = "Lubię czytać przed snem."
            rows.append(f"{name}\t{emotion}\t{text}\t{text}\t        {speaker}\t{gender}\t23")
    (root / "data.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


def demos_tree(root: Path, speakers: Iterable[str] = DEMOS_SPEAKERS) -> Path:
    """DEMoS' layout in noise: two emotions of every speaker, and a neutral recording of some.

    The first 23 speakers are women.
    """
    emotions = ("col", "dis", "gio", "pau", "rab", "sor", "tri")
    for seed, speaker in enumerate(speakers):
        who = f"{'f' if seed < 23 else 'm'}_{speaker}"
        for kind, take in (("PR", seed), ("NP", seed + 1)):
            noise(root / "DEMOS" / f"{kind}_{who}_{emotions[take % 7]}00a.wav", seed)
        if seed % 5 == 0:
            noise(root / "NEU" / f"{who}_neu01a.wav", seed)
    return root


def iemocap_tree(root: Path, turns: Sequence[Turn], copy: bool = False) -> Path:
    """IEMOCAP's layout, with its sub-folders of single annotators and stray transcript lines.

    Turns of one dialogue and letter are numbered in the order given.

    Args:
        root: becomes `IEMOCAP_full_release`.
        turns: of all dialogues.
        copy: whether recordings are copied, or linked to.
    """
    numbers: Counter[tuple[str, str]] = Counter()
    dialogs: defaultdict[str, list[tuple[str, Turn]]] = defaultdict(list)
    for turn in turns:
        number = numbers[turn.dialog, turn.letter]
        numbers[turn.dialog, turn.letter] += 1
        dialogs[turn.dialog].append((f"{turn.dialog}_{turn.letter}{number:03}", turn))
    for dialog, named in dialogs.items():
        session = root / f"Session{dialog[4]}"
        _labels(session / "dialog" / "EmoEvaluation", dialog, named)
        _transcripts(session / "dialog" / "transcriptions" / f"{dialog}.txt", named)
        for name, turn in named:
            if turn.audio is not None:
                place = session / "sentences" / "wav" / dialog / f"{name}{turn.audio.suffix}"
                _place(turn.audio.resolve(), place, copy)
    return root


def emodb_as_turns(utterances: Sequence[Utterance]) -> list[Turn]:
    """EmoDB's four emotions that IEMOCAP has too, as turns of ten IEMOCAP speakers.

    The k-th woman and the k-th man of EmoDB become the two speakers of session k, so no speaker
    is in two sessions. Both speak in both dialogues of their session. Happiness is labelled
    `hap` and `exc` in turn.
    """
    letters = ("hap", "exc")
    raw = {"anger": "ang", "neutral": "neu", "sadness": "sad"}
    ranks = {
        speaker: rank
        for gender in ("female", "male")
        for rank, speaker in enumerate(
            sorted({u.speaker for u in utterances if u.gender == gender}), 1
        )
    }
    turns = []
    for i, utterance in enumerate(utterances):
        emotion = letters[i % 2] if utterance.emotion == "happiness" else raw.get(utterance.emotion)
        if emotion is None:
            continue
        assert isinstance(utterance.audio, AudioFile)
        turns.append(
            Turn(
                dialog=f"Ses0{ranks[utterance.speaker]}{'FM'[i // 2 % 2]}_impro01",
                letter="F" if utterance.gender == "female" else "M",
                emotion=emotion,
                audio=utterance.audio.path,
            )
        )
    return turns


@dataclass(frozen=True)
class Segment:
    """A segment of MSP-Podcast.

    Attributes:
        name: such as "MSP-PODCAST_0001_0008".
        emotion: one letter of EmoClass.
        speaker: a number, or "Unknown".
        split: as the corpus writes it.
        audio: the recording to place in the tree; None leaves the segment without one.
        valence: 1 to 7, like `activation` and `dominance`; as text it stands in the labels as is.
        gender: as the corpus writes it.
        text: its transcript; None leaves it without one.
    """

    name: str
    emotion: str
    speaker: str
    split: str
    audio: Path | None
    valence: float | str = 4.0
    activation: float | str = 4.2
    dominance: float | str = 4.4
    gender: str = "Female"
    text: str | None = "And that was it."


def msp_podcast_tree(
    root: Path, segments: Sequence[Segment], labels: str = "labels_consensus.csv"
) -> Path:
    """MSP-Podcast's layout, with the labels of the third test withheld: as lines or without any.

    Args:
        root: becomes `MSP-PODCAST-Publish`.
        segments: of all sides; those of the third test that are named as in releases from 1.12 on,
            `MSP-PODCAST_test3_0001`, have no line.
        labels: name of their file; `.json` in place of `.csv` is written as that.
    """
    columns = ("EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")
    rows = {}
    for segment in segments:
        known = segment.split != "Test3"
        told = (segment.emotion, segment.activation, segment.valence, segment.dominance)
        who = (segment.speaker, segment.gender)
        cells = (*(told if known else 4 * ("",)), *(who if known else 2 * ("",)), segment.split)
        if "_test3_" not in segment.name:
            rows[f"{segment.name}.wav"] = cells
        if segment.audio is not None:
            _place(segment.audio, root / "Audios" / f"{segment.name}.wav", copy=True)
        if segment.text is not None:
            (root / "Transcripts").mkdir(parents=True, exist_ok=True)
            (root / "Transcripts" / f"{segment.name}.txt").write_text(segment.text + "\n")
    (root / "Labels").mkdir(parents=True, exist_ok=True)
    if labels.endswith(".json"):
        named = {name: dict(zip(columns, cells, strict=True)) for name, cells in rows.items()}
        content = json.dumps(named)
    else:
        lines = [("FileName", *columns), *((name, *cells) for name, cells in rows.items())]
        content = "".join(",".join(map(str, line)) + "\n" for line in lines)
    (root / "Labels" / labels).write_text(content)
    return root


def emodb_as_segments(utterances: Sequence[Utterance]) -> list[Segment]:
    """EmoDB as MSP-Podcast: six speakers to train, one to validate, and one for each test.

    Every fifth utterance of training is of an unknown speaker. Values are the proxies of the
    emotions, on seven points, with a spread.
    """
    letters = {"anger": "A", "happiness": "H", "neutral": "N", "sadness": "S", "fear": "F"}
    sides = ("Development", "Test1", "Test2", "Test3")
    speakers = sorted({utterance.speaker for utterance in utterances})
    spread = numpy.random.default_rng(0)
    segments = []
    for i, utterance in enumerate(utterances):
        assert isinstance(utterance.audio, AudioFile)
        place = speakers.index(utterance.speaker)
        side = sides[place] if place < len(sides) else "Train"
        centre = (utterance.valence, utterance.activation, utterance.dominance)
        values = [
            float(numpy.clip(4 + 3 * value + spread.normal(0, 0.5), 1, 7).round(3))
            for value in centre
            if value is not None
        ]
        segments.append(
            Segment(
                name=f"MSP-PODCAST_{place:04}_{i:04}",
                emotion=letters.get(utterance.emotion, "X"),
                speaker="Unknown" if side == "Train" and i % 5 == 0 else str(place + 1),
                split=side,
                audio=utterance.audio.path,
                valence=values[0],
                activation=values[1],
                dominance=values[2],
                gender=(utterance.gender or "unknown").capitalize(),
            )
        )
    return segments


def _labels(folder: Path, dialog: str, named: Sequence[tuple[str, Turn]]) -> None:
    blocks = [
        f"[{6 + i}.2901 - {7 + i}.2357]\t{name}\t{turn.emotion}\t"
        f"[{turn.valence:.4f}, {turn.activation:.4f}, {turn.dominance:.4f}]\n{_ANNOTATOR}"
        for i, (name, turn) in enumerate(named)
    ]
    for sub_folder in ("Attribute", "Categorical", "Self-evaluation"):
        (folder / sub_folder).mkdir(parents=True, exist_ok=True)
    (folder / f"{dialog}.txt").write_text("\n".join([_HEADER + "\n", *blocks]))
    single = "".join(f"{name} :Neutral state; ()\n" for name, _ in named)
    (folder / "Categorical" / f"{dialog}_e2_cat.txt").write_text(single)


def _transcripts(path: Path, named: Sequence[tuple[str, Turn]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{name} [{6 + i:03}.2901-{7 + i:03}.2357]: {turn.text}"
        for i, (name, turn) in enumerate(named)
    ]
    path.write_text("\n".join(["F: [laughs]", *lines, "M: Right."]) + "\n")


def _place(source: Path, place: Path, copy: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if copy:
        shutil.copy(source, place)
    else:
        place.symlink_to(source)


def without_length(path: Path) -> Path:
    """The FLAC with a header as of one that was written to a pipe: 0 samples, which is unknown."""
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # of STREAMINFO, the last 36 bits before the checksum
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return path
