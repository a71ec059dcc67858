"""A user's own table of recordings."""

import shutil
from pathlib import Path

import pytest
from small_evaluation import session
from small_sets import small_set
from trees import noise

from distill.config import RunConfig
from evaluation.named_sets import NamedSet
from synth_data.corpora.table import TABLE
from synth_data.corpora.tree import IncompleteError
from synth_data.corpus import listing, load, protocol_line, protocol_of
from synth_data.corpus_check import check
from synth_data.errors import CorpusError
from synth_data.features import FeatureSpec

HEADER = "file,emotion,speaker"
SPEC = FeatureSpec(mels=8, frames=20)


@pytest.fixture(autouse=True)
def _no_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path_factory.mktemp("cache")))


def write(folder: Path, *lines: str, name: str = "table.csv") -> Path:
    """A table, and a recording for each file it names, no two of them the same."""
    for number, line in enumerate(lines[1:]):
        path = folder / line.split(",")[0]
        if not path.exists():
            noise(path, seed=number)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def test_reads_every_column(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        "text,end,start,file,speaker,emotion,session,gender,split,valence,activation,dominance",
    )
    noise(tmp_path / "wav" / "a.wav", seconds=1.0)
    with table.open("a") as stream:
        stream.write('"Ja, gut.",0.5,0.1,wav/a.wav,anna,joy,one,female,train,1,2.5,-3\n')
    (utterance,) = TABLE.read(table, False)
    assert utterance.name == "wav/a.wav[0.1-0.5]"
    assert utterance.audio.waveform(16_000).shape == (6400,)
    assert (utterance.emotion, utterance.speaker, utterance.session) == ("joy", "anna", "one")
    assert (utterance.gender, utterance.split, utterance.text) == ("female", "train", "Ja, gut.")
    assert (utterance.valence, utterance.activation, utterance.dominance) == (1.0, 2.5, -3.0)


def test_words_in_upper_or_lower_case_and_another_name_of_activation(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        "File,Emotion, SPEAKER,Gender,Split,Arousal",
        "a.wav,Joy,Anna,F,Train,1",
        "b.wav,Joy,bert,m,TEST,2",
        "c.wav,Joy,bert,Female,validation,2",
    )
    found = TABLE.read(table, False)
    assert [u.gender for u in found] == ["female", "male", "female"]
    assert [u.split for u in found] == ["train", "test", "validation"]
    assert [u.activation for u in found] == [1.0, 2.0, 2.0]
    assert (found[0].emotion, found[0].speaker) == ("Joy", "Anna")


def test_empty_optional_cells_are_unknown(tmp_path: Path) -> None:
    table = write(tmp_path, HEADER + ",start,end,session,gender,text", "a.wav,joy,anna,,,,,")
    (utterance,) = TABLE.read(table, False)
    assert utterance.name == "a.wav"
    assert (utterance.session, utterance.gender, utterance.text) == (None, None, None)


def test_parts_of_one_file_are_utterances(tmp_path: Path) -> None:
    table = write(tmp_path, HEADER + ",start,end", "a.wav,joy,anna,,0.1", "a.wav,joy,anna,0.1,")
    names = [utterance.name for utterance in TABLE.read(table, False)]
    assert names == ["a.wav[0.0-0.1]", "a.wav[0.1-]"]


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    noise(tmp_path / "ä.wav")
    table = tmp_path / "table.csv"
    table.write_bytes(f"{HEADER}\r\nä.wav,joy,anna\r\n\r\n".encode("utf-8-sig"))
    assert [utterance.name for utterance in TABLE.read(table, False)] == ["ä.wav"]


def test_folder_with_one_table(tmp_path: Path) -> None:
    write(tmp_path, HEADER, "a.wav,joy,anna", name="mine.csv")
    assert len(TABLE.read(tmp_path, False)) == 1


def test_folder_with_table_csv_among_others(tmp_path: Path) -> None:
    write(tmp_path, HEADER, "a.wav,joy,anna")
    (tmp_path / "other.csv").write_text("")
    assert len(TABLE.read(tmp_path, False)) == 1


def test_folder_with_several_tables(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write(tmp_path, HEADER, name=name)
    with pytest.raises(CorpusError, match=r"holds 2 tables, none .*: a.csv, b.csv. Looked for:"):
        TABLE.read(tmp_path, False)


def test_folder_without_table(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"holds 0 tables.*Found there: nothing"):
        TABLE.read(tmp_path, False)


def test_no_root() -> None:
    with pytest.raises(CorpusError, match="give --data-root"):
        TABLE.read(None, False)


def test_absent_root(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"absent.csv: no such file or folder. Looked for:"):
        TABLE.read(tmp_path / "absent.csv", False)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("file,emotoin,speaker", r"unknown column 'emotoin': did you mean 'emotion'\?"),
        (HEADER + ",age", r"unknown column 'age'. Known: file, emotion, speaker, start"),
        ("file;emotion;speaker", r"unknown column 'file;emotion;speaker'.*commas separate"),
        (HEADER + ",file", r"the column 'file' occurs twice; remove one"),
        (HEADER + ",File", r"the column 'file' occurs twice, the other time as 'File'; remove"),
        (HEADER + ",activation,arousal", r"'activation' occurs twice, the other time as 'arousal'"),
        ("speaker", r"missing columns: file, emotion. Found: speaker"),
        ("file,emotion", r"no speaker column.*speaker-dependent.*--fold none and --protocol"),
        ("", r"missing columns: file, emotion, speaker. Found: nothing"),
    ],
)
def test_wrong_header(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        TABLE.read(write(tmp_path, header), False)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (",joy,anna,,,,,", "line 3: empty file"),
        ("b.wav,,anna,,,,,", "line 3: empty emotion"),
        ("b.wav,joy, ,,,,,", "line 3: empty speaker"),
        ("b.wav,joy,anna,early,,,,", "line 3: start 'early' is not a number"),
        ("b.wav,joy,anna,,inf,,,", "line 3: end 'inf' is not a number"),
        ("b.wav,joy,anna,2,1,,,", r"line 3: the segment from 2.0 s to 1.0 s is empty"),
        ("b.wav,joy,anna,1,1,,,", r"line 3: the segment from 1.0 s to 1.0 s is empty"),
        ("b.wav,joy,anna,-1,,,,", r"line 3: the segment from -1.0 s .* starts below 0"),
        ("b.wav,joy,anna,,,dev,,", r"line 3: split 'dev' is not train, validation, test or empty"),
        ("b.wav,joy,anna,,,train,,", "line 2: no split, though others have one"),
        ("b.wav,joy,anna,,,,x,", "line 3: gender 'x' is not female, male, f, m or empty"),
        ("b.wav,joy,anna,,,,,good", "line 3: valence 'good' is not a number"),
        ("./a.wav,joy,anna,0,,,,", "line 3: the recording of line 2 again"),
        ("x" * 5_000 + ",joy,anna,,,,,", "line 3: no file can be called so: File name too long"),
        (".\\b.wav,joy,anna,,,,,", r"line 3: file .* no separators here, write \./b\.wav"),
    ],
)
def test_wrong_line(tmp_path: Path, cells: str, message: str) -> None:
    table = write(tmp_path, HEADER + ",start,end,split,gender,valence", "a.wav,joy,anna,,,,,")
    noise(tmp_path / "b.wav")
    with table.open("a") as stream:
        stream.write(cells + "\n")
    with pytest.raises(CorpusError, match=rf"lines that cannot be used: 1\. {message}"):
        TABLE.read(table, False)


def test_wrong_lines_are_counted(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(HEADER + "\n" + "a.wav,,anna\n" * 8)
    with pytest.raises(CorpusError, match=r"used: 8\. line 2: .*line 6: .* and 3 more\. Mend"):
        TABLE.read(table, False)


def test_uneven_lines(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(HEADER + "\na.wav,joy\na.wav,joy,anna,1\na.wav,joy,anna\n")
    with pytest.raises(CorpusError, match=r"has 3 columns.* 2 lines.*line 2: 2 cells, line 3: 4"):
        TABLE.read(table, False)


@pytest.mark.parametrize("content", [b"file,emotion,speaker\n\xff\xfe", b'file,"emotion\n'])
def test_not_a_csv_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(CorpusError, match="not a CSV file in UTF-8"):
        TABLE.read(tmp_path, False)


def test_header_alone(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no utterance has both audio and a label"):
        TABLE.read(write(tmp_path, HEADER), True)


def test_labels_without_audio(tmp_path: Path) -> None:
    table = write(tmp_path, HEADER, "a.wav,joy,anna", "b.wav,joy,anna")
    (tmp_path / "b.wav").unlink()
    with pytest.raises(CorpusError, match=r"labels without audio: 1 \(b.wav\).*--allow-missing"):
        TABLE.read(table, False)
    assert [utterance.name for utterance in TABLE.read(table, True)] == ["a.wav"]


def test_no_label_with_audio(tmp_path: Path) -> None:
    """Then the folder is another one, which no option makes good."""
    table = write(tmp_path, HEADER, "a.wav,joy,anna", "b.wav,joy,anna")
    (tmp_path / "wav").mkdir()
    for name in "ab":
        (tmp_path / f"{name}.wav").rename(tmp_path / "wav" / f"{name}.wav")
    for allow_missing in (False, True):
        with pytest.raises(IncompleteError, match="no label has its audio") as refused:
            TABLE.read(table, allow_missing)
        assert f"a.wav, b.wav). Looked for them in {tmp_path}: move" in str(refused.value)
        assert "--allow-missing" not in str(refused.value)


def test_what_was_left_out_stands_with_every_number(tmp_path: Path) -> None:
    lines = [f"wav/{s}{e}.wav,{e},{s}" for s in "abc" for e in ("joy", "rage")]
    table = write(tmp_path, HEADER, *lines)
    noise(tmp_path / "wav" / "forgotten.wav")
    (tmp_path / "wav" / "ajoy.wav").unlink()
    left_out = ("labels without audio left out: 1", "audio without a label left out: 1")
    for look in (load, listing):
        real = look(TABLE, table, SPEC, allow_missing=True)
        assert real.notes == left_out
    assert " · ".join(left_out) in protocol_line(real, protocol_of(TABLE, None, table), "own")


def test_audio_without_labels(tmp_path: Path) -> None:
    table = write(tmp_path, HEADER, "wav/a.wav,joy,anna")
    noise(tmp_path / "wav" / "b.wav")
    noise(tmp_path / "other" / "c.wav")
    with pytest.raises(CorpusError, match=r"audio without a label: 1 \(wav/b.wav\)"):
        TABLE.read(table, False)
    assert [utterance.name for utterance in TABLE.read(table, True)] == ["wav/a.wav"]


@pytest.mark.parametrize("suffix", [".mp3", ".ogg", ".opus", ".OGG"])
def test_compressed_audio_without_labels(tmp_path: Path, suffix: str) -> None:
    """But a compressed copy of a listed recording was not forgotten."""
    table = write(tmp_path, HEADER, "wav/a.wav,joy,anna")
    (tmp_path / "wav" / f"a{suffix}").write_bytes(b"a copy")
    assert len(TABLE.read(table, False)) == 1
    (tmp_path / "wav" / f"b{suffix}").write_bytes(b"another")
    (tmp_path / "wav" / f"._c{suffix}").write_bytes(b"Mac OS X")
    with pytest.raises(CorpusError, match=rf"audio without a label: 1 \(wav/b{suffix}\)"):
        TABLE.read(table, False)


def test_names_that_are_probably_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ("anna", "Anna", "Jürgen", "Ju\u0308rgen", "bert", "clara")
    lines = [f"{i}.wav,{'Joy' if i < 2 else 'joy'},{name}" for i, name in enumerate(names)]
    table = write(tmp_path, HEADER, *lines, "6.wav,rage,bert")
    real = load(TABLE, table, SPEC)
    what = "that differ only in case or Unicode form"
    assert real.notes == (
        rf"speakers {what}: 4 (Anna = anna, 'Ju\u0308rgen' = 'J\xfcrgen'; they count as different)",
        f"emotions {what}: 2 (Joy = joy; they count as different)",
    )
    assert all(note in caplog.text for note in real.notes)
    assert f"speakers {what}: 4 · emotions" in protocol_line(real, None, "own")
    assert check(TABLE, table).remarks == real.notes


def test_one_recording_under_two_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A copy with the same labels is none of these, and nor are two parts of one file."""
    sides = {"anna": "train", "bert": "train", "clara": "test"}
    lines = [f"{s}.wav,joy,{s},{side}," for s, side in sides.items()]
    table = write(tmp_path, HEADER + ",split,start", *lines)
    for copy, source in (("b", "anna"), ("c", "bert"), ("d", "clara"), ("e", "clara")):
        shutil.copy(tmp_path / f"{source}.wav", tmp_path / f"{copy}.wav")
    with table.open("a") as stream:
        stream.write("b.wav,joy,clara,test,\nc.wav,rage,bert,train,\nd.wav,joy,clara,test,\n")
        stream.write("e.wav,rage,clara,test,0.1\n")
    for _ in range(2):  # also where the features come from the cache
        real = load(TABLE, table, SPEC)
        assert real.notes == tuple(
            f"recordings that are under more than one {what}: 1 ({which})"
            for what, which in (
                *(("speaker", "anna.wav = b.wav"), ("emotion", "bert.wav = c.wav")),
                ("split", "anna.wav = b.wav"),
            )
        )
        assert all(note in caplog.text for note in real.notes)


def test_nobody_is_called_unknown(tmp_path: Path) -> None:
    lines = [f"{i}.wav,joy,{name}" for i, name in enumerate(("anna", "Unknown", "unknown"))]
    table = write(tmp_path, HEADER, *lines)
    utterances = TABLE.read(table, False)
    assert [u.of_unknown_speaker for u in utterances] == [False, True, True]
    assert len({u.speaker for u in utterances}) == 3
    real = load(TABLE, table, SPEC)
    assert real.notes == ("2 utterances of unknown speakers (each a speaker of its own)",)


def test_a_constant_speaker_may_be_called_unknown(tmp_path: Path) -> None:
    table = write(tmp_path, HEADER, "a.wav,joy,unknown", "b.wav,rage,unknown")
    assert {u.speaker for u in TABLE.read(table, False)} == {"unknown"}


def test_recordings_elsewhere_need_not_all_be_listed(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    noise(elsewhere / "b.wav")
    here.mkdir()
    table = write(here, HEADER, f"{noise(elsewhere / 'a.wav')},joy,anna")
    assert len(TABLE.read(table, False)) == 1


@pytest.mark.parametrize(
    ("splits", "usual"),
    [
        ("train train test Train", "listed-split"),
        ("train validation test test", "listed-split"),
        ("train train train train", "leave-one-speaker-out"),
        ("train validation train train", "leave-one-speaker-out"),
        (None, "leave-one-speaker-out"),
    ],
)
def test_a_split_of_train_and_test_is_the_default_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, splits: str | None, usual: str
) -> None:
    lines = [f"{s}.wav,joy,{s}" for s in "abcd"]
    if splits:
        lines = [f"{one},{side}" for one, side in zip(lines, splits.split(), strict=True)]
    table = write(tmp_path, HEADER + (",split" if splits else ""), *lines)
    assert protocol_of(TABLE, None, table).name == usual
    assert protocol_of(TABLE, "leave-one-session-out", table).name == "leave-one-session-out"
    resolved = RunConfig(dataset="table", data_root=table, epsilon=None).resolved()
    assert resolved.protocol == resolved.corpus_protocol.name == usual
    judged = session(NamedSet("mine", small_set(), 0.0), TABLE, table, label_map={})
    assert judged.protocol.name == usual
    other = RunConfig(dataset="table", data_root=table, protocol="leave-one-session-out")
    assert other.resolved().protocol == "leave-one-session-out"
    monkeypatch.setenv("TABLE_ROOT", str(table))
    assert protocol_of(TABLE, None).name == usual
    assert RunConfig(dataset="table").resolved().protocol == usual


def test_nothing_says_the_default_protocol_of_a_table_that_is_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SER_DATA_ROOT", raising=False)
    with pytest.raises(CorpusError, match=r"needs --data-root .root in Python.: a CSV"):
        protocol_of(TABLE, None)


def test_protocols(tmp_path: Path) -> None:
    lines = [f"{s}{e}.wav,{e},{s},room {s}" for s in "abcdef" for e in ("joy", "rage")]
    utterances = TABLE.read(write(tmp_path, HEADER + ",session", *lines), False)
    folds = {n: len(p.folds(utterances)) for n, p in TABLE.protocols.items() if n != "listed-split"}
    assert folds == {
        "leave-one-speaker-out": 6,
        "leave-one-session-out": 6,
        "speaker-independent-5-fold": 5,
        "speaker-hash-5-fold": 5,
        "speaker-dependent-5-fold": 5,
    }
