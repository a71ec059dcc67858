"""An audformat database as a user's table."""

import logging
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from trees import noise

from synth_data.corpora.table import TABLE
from synth_data.errors import CorpusError
from synth_data.utterance import Utterance

with warnings.catch_warnings():  # of what audformat itself uses of pandas
    warnings.simplefilter("ignore")
    audformat = pytest.importorskip("audformat")
    pandas = pytest.importorskip("pandas")

FILES = ["a.wav", "b.wav"]


def add(database: Any, table: str, column: str, values: list[object], index: Any = None) -> None:
    """Adds a column to a table, which is made first where there is none."""
    if table not in database:
        database[table] = audformat.Table(
            audformat.filewise_index(FILES) if index is None else index
        )
    scheme = column if column in database.schemes else None
    database[table][column] = audformat.Column(scheme_id=scheme)
    database[table][column].set(values)


def saved(database: Any, folder: Path) -> Path:
    database.save(str(folder), storage_format="csv")
    for file in FILES:
        noise(folder / file, seconds=1.0)
    return folder


@pytest.fixture
def database() -> Any:
    """Emotions and speakers in one table, without schemes."""
    made = audformat.Database("mine")
    add(made, "emotion", "emotion", ["joy", "rage"])
    add(made, "emotion", "speaker", ["anna", "bert"])
    return made


def labels(utterances: list[Utterance]) -> list[tuple[str, str, str | None]]:
    return [(u.emotion, u.speaker, u.gender) for u in utterances]


@pytest.mark.parametrize("named", [".", "db.emotion.csv"])
def test_one_table(tmp_path: Path, database: Any, named: str) -> None:
    utterances = TABLE.read(saved(database, tmp_path) / named, False)
    assert labels(utterances) == [("joy", "anna", None), ("rage", "bert", None)]
    assert [u.name for u in utterances] == FILES
    assert utterances[0].audio.waveform(16_000).numel() == 16_000


def test_other_columns(tmp_path: Path, database: Any) -> None:
    add(database, "emotion", "gender", ["Female", "other"])
    add(database, "emotion", "valence", [0.5, None])
    add(database, "emotion", "arousal", [0.25, 0.75])
    add(database, "emotion", "split", ["train", "test"])
    add(database, "emotion", "nonsense", ["x", "y"])
    first, second = TABLE.read(saved(database, tmp_path), False)
    assert (first.gender, first.valence, first.split) == ("female", 0.5, "train")
    assert (second.gender, second.valence, second.split) == (None, None, "test")
    assert (first.activation, second.activation) == (0.25, 0.75)
    add(database, "emotion", "activation", [0.25, 0.75])
    with pytest.raises(CorpusError, match=r"'activation' occurs twice, the other .* 'arousal'"):
        TABLE.read(saved(database, tmp_path), False)


def test_segments_and_speakers_of_whole_files(tmp_path: Path) -> None:
    made = audformat.Database("mine")
    made.schemes["emotion"] = audformat.Scheme("str", labels={"J": {"name": "joy"}, "R": {}})
    told = {"anna": {"gender": "female"}, "bert": {"gender": "male"}}
    made.schemes["speaker"] = audformat.Scheme("str", labels=told)
    index = audformat.segmented_index(["b.wav", "a.wav", "a.wav"], [0, 0, 0.5], [None, 0.5, 0.75])
    add(made, "emotion", "emotion", ["J", "R", "J"], index)
    add(made, "files", "speaker", ["anna", "bert"])
    utterances = TABLE.read(saved(made, tmp_path), False)
    assert {u.name: (u.emotion, u.speaker, u.gender) for u in utterances} == {
        "b.wav": ("joy", "bert", "male"),
        "a.wav[0.0-0.5]": ("R", "anna", "female"),
        "a.wav[0.5-0.75]": ("joy", "anna", "female"),
    }
    assert [u.audio.waveform(16_000).numel() for u in utterances] == [16_000, 8_000, 4_000]


def test_gender_in_a_table_of_speakers(tmp_path: Path) -> None:
    made = audformat.Database("mine")
    made["people"] = audformat.MiscTable(pandas.Index(["anna", "bert"], name="speaker"))
    made["people"]["gender"] = audformat.Column()
    made["people"]["gender"].set(["female", "male"])
    made.schemes["speaker"] = audformat.Scheme("str", labels="people")
    made.schemes["emotion"] = audformat.Scheme("str", labels={"J": "joy", "R": "rage"})
    add(made, "emotion", "emotion", ["J", "R"])
    add(made, "files", "speaker", ["anna", "bert"])
    assert labels(TABLE.read(saved(made, tmp_path), False)) == [
        ("joy", "anna", "female"),
        ("rage", "bert", "male"),
    ]


def test_rows_without_an_emotion(
    tmp_path: Path, database: Any, caplog: pytest.LogCaptureFixture
) -> None:
    database["emotion"]["emotion"].set(["joy", None])
    folder = saved(database, tmp_path)
    with pytest.raises(CorpusError, match=r"audio without a label: 1 \(b.wav\)"):
        TABLE.read(folder, False)
    with caplog.at_level(logging.WARNING):
        found = TABLE.read(folder, True)
    assert [u.name for u in found] == ["a.wav"]
    assert found.notes == (
        "audio without a label left out: 1",
        "rows without an emotion left out: 1",
    )
    assert "rows without an emotion left out: 1" in caplog.text


def test_several_tables_with_emotions(tmp_path: Path, database: Any) -> None:
    add(database, "heard", "emotion", ["rage", "rage"])
    folder = saved(database, tmp_path)
    with pytest.raises(
        CorpusError, match=r"column 'emotion': emotion, heard\. Give one of them as"
    ):
        TABLE.read(folder, False)
    heard = TABLE.read(folder / "db.heard.csv", False)
    assert labels(heard) == [("rage", "anna", None), ("rage", "bert", None)]


def test_table_without_emotions(tmp_path: Path, database: Any) -> None:
    add(database, "files", "age", [20, 30])
    folder = saved(database, tmp_path)
    with pytest.raises(
        CorpusError, match=r"table 'files' was asked for, tables with .*: emotion\."
    ):
        TABLE.read(folder / "db.files.csv", False)
    database.drop_tables("emotion")
    shutil.rmtree(folder)
    with pytest.raises(CorpusError, match=r"column 'emotion': none \(tables: files\)"):
        TABLE.read(saved(database, folder), False)


def test_no_speaker(tmp_path: Path) -> None:
    made = audformat.Database("mine")
    add(made, "emotion", "emotion", ["joy", "rage"])
    with pytest.raises(
        CorpusError, match=r"no speaker column, so .* Add it, or a table of files that has it: with"
    ):
        TABLE.read(saved(made, tmp_path), False)


@pytest.mark.parametrize(
    "header", ["a: [", "hello", "name: mine\ntables:\n  x: {type: filewise}\n"]
)
def test_damaged_database(tmp_path: Path, header: str) -> None:
    (tmp_path / "db.yaml").write_text(header)
    with pytest.raises(CorpusError, match="not an audformat database that can be read"):
        TABLE.read(tmp_path, False)


def test_a_header_runs_no_code(tmp_path: Path) -> None:
    (tmp_path / "db.yaml").write_text(f"name: !!python/object/apply:os.mkdir [{tmp_path}/ran]\n")
    with pytest.raises(CorpusError, match="could not determine a constructor"):
        TABLE.read(tmp_path, False)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(TypeError):  # audformat alone goes on after the trap has sprung
        audformat.Database.load(str(tmp_path))
    assert (tmp_path / "ran").exists(), "the trap does not work, so the test shows nothing"


def test_pickled_tables_are_not_opened(tmp_path: Path, database: Any) -> None:
    folder = saved(database, tmp_path)
    (folder / "db.emotion.pkl").write_bytes(b"not even a pickle")
    assert len(TABLE.read(folder, False)) == 2
    (folder / "db.emotion.csv").unlink()
    with pytest.raises(CorpusError, match=rf"'{folder}/db.emotion.*Pickled tables are passed over"):
        TABLE.read(folder, False)


def test_parquet(tmp_path: Path, database: Any) -> None:
    folder = saved(database, tmp_path)
    (folder / "db.emotion.csv").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        database.save(str(folder), storage_format="parquet")
    assert not (folder / "db.emotion.csv").exists()
    assert (
        len(TABLE.read(folder, False)) == len(TABLE.read(folder / "db.emotion.parquet", False)) == 2
    )


def test_audformat_is_not_installed(
    tmp_path: Path, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "audformat", None)
    with pytest.raises(
        CorpusError, match=r'\(audformat\): pip install "distill-data\[audformat\]"'
    ):
        TABLE.read(saved(database, tmp_path), False)
