"""The published corpora: their trees, labels, speakers and errors."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from trees import (
    Turn,
    crema_d_tree,
    demos_tree,
    emodb_as_turns,
    emodb_tree,
    iemocap_tree,
    nemo_tree,
    noise,
    ravdess_tree,
)

from synth_data.corpora.crema_d import CREMA_D
from synth_data.corpora.demos import DEMOS
from synth_data.corpora.emodb import EMODB
from synth_data.corpora.facts import Corpus
from synth_data.corpora.iemocap import IEMOCAP
from synth_data.corpora.nemo import NEMO
from synth_data.corpora.ravdess import RAVDESS
from synth_data.errors import CorpusError
from synth_data.utterance import AudioFile, Utterance

PUBLISHED = [EMODB, RAVDESS, IEMOCAP, CREMA_D, NEMO, DEMOS]
TREES = {
    EMODB.name: emodb_tree,
    RAVDESS.name: ravdess_tree,
    CREMA_D.name: crema_d_tree,
    NEMO.name: nemo_tree,
    DEMOS.name: demos_tree,
}

# Five dialogues of the release have names of their own form.
ODD_DIALOGS = [
    "Ses03M_impro05a",
    "Ses03M_impro05b",
    "Ses03M_impro08a",
    "Ses03M_impro08b",
    "Ses05M_script01_1b",
]


def build(corpus: Corpus, root: Path) -> Path:
    if corpus.name in TREES:
        return TREES[corpus.name](root)
    source = noise(root.parent / "source.wav")
    turns = [
        Turn(f"Ses0{session}{side}_impro01", letter, emotion, source)
        for session in range(1, 6)
        for side in "FM"
        for letter in "FM"
        for emotion in ("ang", "hap", "exc", "neu", "sad", "fru")
    ]
    return iemocap_tree(root, turns)


def counts(utterances: Sequence[Utterance]) -> Counter[str]:
    return Counter(utterance.emotion for utterance in utterances)


@pytest.mark.parametrize("corpus", PUBLISHED, ids=lambda corpus: corpus.name)
class TestEvery:
    def test_reads_its_layout(self, corpus: Corpus, tmp_path: Path) -> None:
        utterances = corpus.read(build(corpus, tmp_path / "tree"), False)
        assert {u.emotion for u in utterances} == set(corpus.emotions) == set(corpus.counts)
        assert len({u.speaker for u in utterances}) == corpus.speakers
        assert {u.gender for u in utterances} == {"female", "male"}
        assert len({u.name for u in utterances}) == len(utterances)
        assert all(u.audio.waveform(16_000).numel() for u in utterances[:3])

    def test_protocols_keep_speakers_apart(self, corpus: Corpus, tmp_path: Path) -> None:
        utterances = corpus.read(build(corpus, tmp_path / "tree"), False)
        assert next(iter(corpus.protocols.values())).speaker_independent
        for name, protocol in corpus.protocols.items():
            assert name == protocol.name
            folds = protocol.folds(utterances)
            everything = list(range(len(utterances)))
            tested = sorted(i for fold in folds for i in fold.test)
            assert tested == everything or len(folds) == 1
            for fold in folds:
                sides = (fold.train, fold.validation, fold.test)
                assert all(sides)
                assert sorted(i for side in sides for i in side) == everything
                if protocol.speaker_independent:
                    speakers = [{utterances[i].speaker for i in side} for side in sides]
                    assert sum(map(len, speakers)) == len(set.union(*speakers))

    def test_finds_the_tree_one_level_down(self, corpus: Corpus, tmp_path: Path) -> None:
        tree = build(corpus, tmp_path / "outer" / "tree")
        inside = corpus.read(tmp_path / "outer", False)
        assert inside == corpus.read(tree, False)

    def test_two_trees_are_ambiguous(self, corpus: Corpus, tmp_path: Path) -> None:
        build(corpus, tmp_path / "a")
        build(corpus, tmp_path / "b")
        with pytest.raises(CorpusError, match=r"several trees of .*/a.*/b.*; give one"):
            corpus.read(tmp_path, False)

    def test_no_root(self, corpus: Corpus) -> None:
        with pytest.raises(CorpusError, match="give --data-root") as error:
            corpus.read(None, False)
        assert corpus.url in str(error.value)

    def test_absent_root(self, corpus: Corpus, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match=r"nowhere: no such folder. Looked for:"):
            corpus.read(tmp_path / "nowhere", False)

    def test_wrong_tree(self, corpus: Corpus, tmp_path: Path) -> None:
        for name in "gfedcba":
            noise(tmp_path / f"{name}.wav")
        with pytest.raises(CorpusError, match=r"Found there: a.wav, .*e.wav and 2 more") as error:
            corpus.read(tmp_path, False)
        assert corpus.layout in str(error.value)
        assert corpus.url in str(error.value)

    def test_empty_folder(self, corpus: Corpus, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match="Found there: nothing"):
            corpus.read(tmp_path, False)


@pytest.mark.corpus
def test_emodb_of_real_speech(data_root: Path) -> None:
    utterances = EMODB.read(data_root / "emodb", False)
    assert len(utterances) == 535
    assert counts(utterances) == EMODB.counts
    assert len({u.speaker for u in utterances}) == EMODB.speakers
    assert EMODB.read(data_root / "emodb" / "wav", False) == utterances


@pytest.mark.corpus
def test_ravdess_of_real_speech(data_root: Path) -> None:
    utterances = RAVDESS.read(data_root / "ravdess", False)
    assert len(utterances) == 1440
    assert counts(utterances) == RAVDESS.counts
    assert len({u.speaker for u in utterances}) == RAVDESS.speakers
    folds = RAVDESS.protocols["six-actor-folds"].folds(utterances)
    assert [len(fold.test) for fold in folds] == [240] * 6


@pytest.mark.corpus
def test_iemocap_layout_of_real_speech(data_root: Path, tmp_path: Path) -> None:
    emodb = EMODB.read(data_root / "emodb", False)
    tree = iemocap_tree(tmp_path / "IEMOCAP_full_release", emodb_as_turns(emodb))
    utterances = IEMOCAP.read(tree, False)
    assert counts(utterances) == {"anger": 127, "happiness": 71, "neutral": 79, "sadness": 62}
    assert len({u.speaker for u in utterances}) == 10
    assert len(IEMOCAP.protocols["leave-one-session-out"].folds(utterances)) == 5
    kept = {u.audio.digest() for u in emodb if u.emotion in IEMOCAP.emotions}
    assert {u.audio.digest() for u in utterances} == kept


def test_emodb_ignores_what_is_not_audio(tmp_path: Path) -> None:
    tree = emodb_tree(tmp_path, speakers=["03", "08"])
    (tree / "erkennung.txt").write_text("1 03a01Wz.wav 65,00")
    (tree / "wav" / "._03a01Wa.wav").write_bytes(b"Mac OS X")
    (tree / "lablaut").mkdir()
    (tree / "lablaut" / "03a01Wa.lablaut").write_text("signal 03a01Wa")
    utterances = EMODB.read(tree, False)
    assert len(utterances) == 14
    assert {(u.speaker, u.gender) for u in utterances} == {("03", "male"), ("08", "female")}


def test_emodb_unlabelled_audio(tmp_path: Path) -> None:
    tree = emodb_tree(tmp_path)
    for name in ("song", "03a01Xa"):
        noise(tree / "wav" / f"{name}.wav")
    with pytest.raises(
        CorpusError, match=r"audio without a label: 2 \(03a01Xa.wav, song.wav\).*--allow-missing"
    ):
        EMODB.read(tree, False)
    assert len(EMODB.read(tree, True)) == 70


def test_one_name_twice(tmp_path: Path) -> None:
    tree = emodb_tree(tmp_path)
    noise(tree / "wav" / "03a01Fa.flac")
    with pytest.raises(CorpusError, match=r"two recordings with one name; remove one"):
        EMODB.read(tree, False)


def test_ravdess_leaves_song_and_film_out(tmp_path: Path) -> None:
    tree = ravdess_tree(tmp_path / "Audio_Speech_Actors_01-24")
    noise(tree / "Actor_01" / "03-02-03-01-01-01-01.wav")
    noise(tree / "Actor_01" / "02-01-03-01-01-01-01.wav")
    noise(tree / "Actor_01" / "01-01-03-01-01-01-01.wav")
    noise(tmp_path / "Audio_Song_Actors_01-24" / "Actor_01" / "03-02-04-01-01-01-01.wav")
    (tree / "Actor_02" / "._03-01-01-01-01-01-02.wav").write_bytes(b"Mac OS X")
    utterances = RAVDESS.read(tmp_path, False)
    assert len(utterances) == 24 * 8
    assert {u.gender for u in utterances if u.speaker == "07"} == {"male"}


def test_ravdess_prefers_the_shallow_copy(tmp_path: Path) -> None:
    tree = ravdess_tree(tmp_path)
    ravdess_tree(tmp_path / "audio_speech_actors_01-24", actors=[1])
    assert len(RAVDESS.read(tree, False)) == 24 * 8


def test_ravdess_unlabelled_audio(tmp_path: Path) -> None:
    tree = ravdess_tree(tmp_path)
    noise(tree / "Actor_01" / "03-01-09-01-01-01-01.wav")
    with pytest.raises(CorpusError, match=r"label: 1 \(Actor_01/03-01-09-01-01-01-01.wav\)"):
        RAVDESS.read(tree, False)
    assert len(RAVDESS.read(tree, True)) == 24 * 8


@pytest.fixture
def turn(tmp_path: Path) -> Turn:
    return Turn("Ses01F_impro01", "F", "ang", noise(tmp_path / "source.wav"))


def test_iemocap_speaker_is_who_speaks(tmp_path: Path, turn: Turn) -> None:
    turns = [turn, replace(turn, letter="M"), replace(turn, dialog="Ses01M_impro01")]
    utterances = {u.name: u for u in IEMOCAP.read(iemocap_tree(tmp_path / "tree", turns), False)}
    assert {name: (u.speaker, u.gender, u.session) for name, u in utterances.items()} == {
        "Ses01F_impro01_F000": ("Ses01F", "female", "Ses01"),
        "Ses01F_impro01_M000": ("Ses01M", "male", "Ses01"),
        "Ses01M_impro01_F000": ("Ses01F", "female", "Ses01"),
    }


def test_iemocap_keeps_dimensions_and_transcripts(tmp_path: Path, turn: Turn) -> None:
    turn = replace(turn, valence=1.5, activation=4.0, dominance=4.5, text="Where's my form?")
    (utterance,) = IEMOCAP.read(iemocap_tree(tmp_path / "tree", [turn]), False)
    assert (utterance.valence, utterance.activation, utterance.dominance) == (1.5, 4.0, 4.5)
    assert utterance.text == "Where's my form?"


def test_iemocap_merges_excitement_and_drops_other_labels(tmp_path: Path, turn: Turn) -> None:
    labels = ["ang", "hap", "exc", "neu", "sad", "fru", "fea", "sur", "dis", "oth", "xxx"]
    turns = [replace(turn, emotion=label) for label in labels]
    utterances = IEMOCAP.read(iemocap_tree(tmp_path / "tree", turns), False)
    assert counts(utterances) == {"anger": 1, "happiness": 2, "neutral": 1, "sadness": 1}


def test_iemocap_odd_dialogs(tmp_path: Path, turn: Turn) -> None:
    turns = [
        replace(turn, dialog=dialog, letter=letter) for dialog in ODD_DIALOGS for letter in "FM"
    ]
    utterances = IEMOCAP.read(iemocap_tree(tmp_path / "tree", turns, copy=True), False)
    assert len(utterances) == 10
    assert {u.speaker for u in utterances} == {"Ses03F", "Ses03M", "Ses05F", "Ses05M"}


def test_iemocap_ignores_macos_companions_and_annotators(tmp_path: Path, turn: Turn) -> None:
    tree = iemocap_tree(tmp_path / "tree", [turn])
    dialog = tree / "Session1" / "dialog"
    label = "[1.0 - 2.0]\tSes01F_impro01_F009\tang\t[1.0, 1.0, 1.0]\n"
    for path in (
        dialog / "EmoEvaluation" / "._Ses01F_impro01.txt",
        dialog / "EmoEvaluation" / "Attribute" / "Ses01F_impro01_e2_atr.txt",
        dialog / "transcriptions" / "._Ses01F_impro01.txt",
    ):
        path.write_bytes(b"\x00\xb0" + label.encode() if "._" in path.name else label.encode())
    wav = tree / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    (wav / "._Ses01F_impro01_F000.wav").write_bytes(b"Mac OS X")
    assert len(IEMOCAP.read(tree, False)) == 1


def test_iemocap_labels_without_audio(tmp_path: Path, turn: Turn) -> None:
    silent = replace(turn, audio=None)
    tree = iemocap_tree(tmp_path / "tree", [turn, silent, replace(silent, emotion="fru")])
    with pytest.raises(
        CorpusError,
        match=r"labels without audio: 1 \(Session1/sentences/wav/Ses01F_impro01/"
        r"Ses01F_impro01_F001.wav\).*--allow-missing",
    ):
        IEMOCAP.read(tree, False)
    assert [u.name for u in IEMOCAP.read(tree, True)] == ["Ses01F_impro01_F000"]


def test_iemocap_audio_without_labels(tmp_path: Path, turn: Turn) -> None:
    tree = iemocap_tree(tmp_path / "tree", [turn, replace(turn, emotion="xxx")])
    noise(tree / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_M007.wav")
    with pytest.raises(CorpusError, match=r"audio without a label: 1 \(.*Ses01F_impro01_M007.wav"):
        IEMOCAP.read(tree, False)
    assert len(IEMOCAP.read(tree, True)) == 1


def test_iemocap_does_not_cut_whole_dialogues(tmp_path: Path, turn: Turn) -> None:
    tree = iemocap_tree(tmp_path / "tree", [replace(turn, audio=None)])
    noise(tree / "Session1" / "dialog" / "wav" / "Ses01F_impro01.wav")
    with pytest.raises(CorpusError, match=r"no label has its audio.*labels without audio: 1"):
        IEMOCAP.read(tree, True)


@pytest.mark.parametrize(
    "line",
    [
        "[1.0 - 2.0]\tSes01F_impro01_F001\tang",
        "[1.0 - 2.0]\tSes09F_impro01_F001\tang\t[1.0, 1.0, 1.0]",
    ],
)
def test_iemocap_damaged_label(tmp_path: Path, turn: Turn, line: str) -> None:
    tree = iemocap_tree(tmp_path / "tree", [turn])
    labels = tree / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    labels.write_text(f"{line}\n")
    with pytest.raises(CorpusError, match=r"Ses01F_impro01.txt, line 1: .* restore the file"):
        IEMOCAP.read(tree, False)


def test_utterances_point_into_the_tree(tmp_path: Path) -> None:
    tree = emodb_tree(tmp_path)
    assert {u.audio for u in EMODB.read(tree, False)} == {
        AudioFile(path) for path in (tree / "wav").iterdir()
    }
