"""EmoBox's JSON lines as a user's table."""

import json
import logging
from pathlib import Path

import pytest
from trees import noise

from synth_data.corpora.table import TABLE
from synth_data.errors import CorpusError
from synth_data.utterance import Utterance


def line(name: str, emotion: str = "sad", **more: object) -> dict[str, object]:
    """As EmoBox writes it."""
    return {
        "key": f"mine-{name}",
        "dataset": "mine",
        "wav": f"downloads/mine/{name}.wav",
        "type": "raw",
        "sample_rate": 16000,
        "num_frame": 3200.0,
        "task": "category",
        "length": 0.2,
        "emo": emotion,
        "channel": 1,
        **more,
    }


def emobox(root: Path, *lines: dict[str, object] | str) -> Path:
    """EmoBox's tree: the recordings in `downloads/`, the lines in `data/mine/`."""
    path = root / "data" / "mine" / "mine.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines) + "\n")
    for found in lines:
        if isinstance(found, dict) and 0 < len(str(found["wav"] or "")) < 200:
            noise(root / str(found["wav"]))
    return path


def labels(utterances: list[Utterance]) -> list[tuple[str, str, str | None]]:
    return [(u.emotion, u.speaker, u.gender) for u in utterances]


@pytest.mark.parametrize("named", ["mine.jsonl", "."])
def test_speaker_in_each_line(tmp_path: Path, named: str) -> None:
    path = emobox(
        tmp_path,
        line("a", speaker="anna", gender="female", valence=2.5, session=None),
        "",
        line("b", "happy", speaker=7, start=0.1, arousal=3),
    )
    utterances = TABLE.read(path.parent / named, False)
    assert labels(utterances) == [("sad", "anna", "female"), ("happy", "7", None)]
    assert (utterances[0].valence, utterances[0].session) == (2.5, None)
    assert utterances[1].activation == 3.0
    assert [u.audio.waveform(16_000).numel() for u in utterances] == [3200, 1600]
    assert utterances[1].name == "downloads/mine/b.wav[0.1-]"


def test_speakers_beside_the_lines(tmp_path: Path) -> None:
    path = emobox(tmp_path, line("a"), line("b", speaker="clara"))
    speakers = path.parent / "speakers.csv"
    speakers.write_text("key,speaker,gender\nmine-a,anna,female\nmine-b,bert,male\n")
    assert labels(TABLE.read(path.parent, False)) == [
        ("sad", "anna", "female"),
        ("sad", "clara", "male"),
    ]
    speakers.rename(path.parents[1] / "speakers.csv")
    assert len(TABLE.read(path, False)) == 2


def test_speaker_missing_beside_the_lines(tmp_path: Path) -> None:
    path = emobox(tmp_path, line("a"), line("b"))
    (path.parent / "speakers.csv").write_text("key,speaker\nmine-a,anna\n")
    with pytest.raises(CorpusError, match=r"cannot be used: 1\. line 2: empty speaker"):
        TABLE.read(path, False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("key;speaker\na;b\n", r"needs the columns key,speaker\. Found: key;speaker"),
        ("key,speaker\n", r"needs the columns key,speaker\. Found: no lines below a header"),
        ('key,"speaker\n', "speakers.csv: not a CSV file in UTF-8"),
    ],
)
def test_wrong_speakers_beside_the_lines(tmp_path: Path, content: str, message: str) -> None:
    path = emobox(tmp_path, line("a"))
    (path.parent / "speakers.csv").write_text(content)
    with pytest.raises(CorpusError, match=message):
        TABLE.read(path, False)


def test_no_speaker(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError,
        match=r"no speaker key, so every number would be speaker-dependent\. Add the key "
        r'"speaker" to each line, or put a file speakers.csv .*--fold none and --protocol',
    ):
        TABLE.read(emobox(tmp_path, line("a")), False)


def test_label_map(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    emotions = ("sad", "neutral", "boredem")
    path = emobox(tmp_path, *(line(e, e, speaker="anna") for e in emotions))
    (path.parent / "label_map.json").write_text('{"sad": "Sadness", "Neutral": "Neutral"}')
    with caplog.at_level(logging.WARNING):
        utterances = TABLE.read(path, False)
    assert [u.emotion for u in utterances] == ["Sadness", "Neutral", "boredem"]
    told = [record.getMessage().partition(": ")[2] for record in caplog.records]
    assert told == [
        "has no name for 'boredem', which is kept",
        "'neutral' is taken for its 'Neutral'",
    ]


@pytest.mark.parametrize("content", ["[]", '{"sad": 1}', "{"])
def test_wrong_label_map(tmp_path: Path, content: str) -> None:
    path = emobox(tmp_path, line("a", speaker="anna"))
    (path.parent / "label_map.json").write_text(content)
    with pytest.raises(CorpusError, match=r"label_map.json: not a JSON object of names"):
        TABLE.read(path, False)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("{", "line 2: not a JSON object that can be read; each line must be one"),
        ("[1]", "line 2: not a JSON object"),
        ('{"speaker": ' + "9" * 5_000 + "}", "line 2: not a JSON object that can be read"),
        ("[" * 100_000, "line 2: not a JSON object that can be read"),
        (line("x" * 5_000, speaker="anna"), "line 2: no file can be called so"),
        (
            line("b", speaker="anna", arousal=1, activation=1),
            "line 2: the column 'activation' occurs twice, the other time as 'arousal'",
        ),
        (line("b", speeker="anna"), r"line 2: unknown key 'speeker': did you mean 'speaker'\?"),
        (line("b", "", speaker="anna"), r"cannot be used: 1\. line 2: empty emotion"),
        (line("b", wav=None, speaker="anna"), r"cannot be used: 1\. line 2: empty file"),
        (line("a", speaker="anna"), r"line 2: the recording of line 1 again"),
    ],
)
def test_wrong_line(tmp_path: Path, added: dict[str, object] | str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        TABLE.read(emobox(tmp_path, line("a", speaker="anna"), added), False)


def test_not_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(CorpusError, match="not a text file in UTF-8"):
        TABLE.read(tmp_path, False)


def test_recordings_that_are_not_there(tmp_path: Path) -> None:
    path = emobox(tmp_path, line("a", speaker="anna"), line("b", speaker="anna"))
    (tmp_path / "downloads" / "mine" / "b.wav").unlink()
    noise(tmp_path / "downloads" / "mine" / "c.wav")
    with pytest.raises(
        CorpusError,
        match=r"without audio: 1 \(downloads/mine/b.wav\); .*label: 1 \(downloads/mine/c",
    ):
        TABLE.read(path, False)
    assert len(TABLE.read(path, True)) == 1
