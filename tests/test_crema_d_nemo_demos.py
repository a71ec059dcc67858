"""What is peculiar to CREMA-D, nEMO and DEMoS."""

from pathlib import Path

import pytest
from trees import crema_d_tree, demos_tree, nemo_tree, noise

from synth_data.corpora.crema_d import CREMA_D
from synth_data.corpora.demos import DEMOS
from synth_data.corpora.nemo import NEMO
from synth_data.errors import CorpusError
from synth_data.utterance import Utterance


def by_name(utterances: list[Utterance]) -> dict[str, Utterance]:
    return {utterance.name: utterance for utterance in utterances}


def test_published_counts_add_up() -> None:
    found = {c.name: sum(c.counts.values()) for c in (CREMA_D, NEMO, DEMOS)}
    assert found == {"crema-d": 7442, "nemo": 4481, "demos": 9365}


def test_crema_d_labels(tmp_path: Path) -> None:
    tree = crema_d_tree(tmp_path, actors=[1001, 1002])
    noise(tree / "AudioWAV" / "1002_ITH_SAD_X.wav")  # one such level occurs in the release
    noise(tree / "AudioWAV" / "1002_IEO_HAP_HI.wav")
    noise(tree / "AudioMP3" / "1002_IEO_HAP_HI.wav")
    found = by_name(CREMA_D.read(tree / "AudioWAV", False))
    assert found["1002_ITH_SAD_X"].emotion == "sadness"
    assert found["1002_IEO_HAP_HI"].emotion == "happiness"
    assert {(u.speaker, u.gender) for u in found.values()} == {
        ("1001", "female"),
        ("1002", "male"),
    }


def test_crema_d_without_demographics(tmp_path: Path) -> None:
    tree = crema_d_tree(tmp_path, actors=[1001])
    (tree / "VideoDemographics.csv").unlink()
    assert {u.gender for u in CREMA_D.read(tree, False)} == {None}


def test_crema_d_unlabelled_audio(tmp_path: Path) -> None:
    tree = crema_d_tree(tmp_path, actors=[1001])
    noise(tree / "AudioWAV" / "1001_DFA_JOY_XX.wav")
    with pytest.raises(CorpusError, match=r"without a label: 1 \(1001_DFA_JOY_XX.wav\)"):
        CREMA_D.read(tree, False)
    assert len(CREMA_D.read(tree, True)) == 2


def test_crema_d_split_of_audeering(tmp_path: Path) -> None:
    utterances = CREMA_D.read(crema_d_tree(tmp_path), False)
    (fold,) = CREMA_D.protocols["audeering-split"].folds(utterances)
    sides = [
        {utterances[row].speaker for row in side}
        for side in (fold.train, fold.validation, fold.test)
    ]
    assert [len(side) for side in sides] == [56, 18, 17]
    assert {"1001", "1057", "1081"} <= sides[0]
    assert {"1049", "1070", "1085"} <= sides[1]
    assert {"1048", "1074", "1091"} <= sides[2]


def test_nemo_takes_gender_and_text_from_its_table(tmp_path: Path) -> None:
    found = by_name(NEMO.read(nemo_tree(tmp_path), False))
    utterance = found["EB0_surprised_1"]
    assert (utterance.emotion, utterance.speaker, utterance.gender, utterance.text) == (
        "surprise",
        "EB0",
        "female",
        "Lubię czytać przed snem.",
    )
    assert found["WR0_anger_1"].gender == "male"


def test_nemo_without_its_table(tmp_path: Path) -> None:
    tree = nemo_tree(tmp_path, speakers=["EB0"])
    (tree / "data.tsv").unlink()
    assert {(u.gender, u.text) for u in NEMO.read(tree, False)} == {(None, None)}


def test_nemo_with_a_poorer_table(tmp_path: Path) -> None:
    tree = nemo_tree(tmp_path, speakers=["EB0"])
    (tree / "data.tsv").write_text("file_id\tgender\nEB0_anger_1.wav\tunknown\n")
    assert {u.gender for u in NEMO.read(tree, False)} == {None}


def test_nemo_incomplete(tmp_path: Path) -> None:
    tree = nemo_tree(tmp_path)
    (tree / "samples" / "KS0_fear_1.wav").unlink()
    noise(tree / "samples" / "KS0_envy_1.wav")
    with pytest.raises(
        CorpusError,
        match=r"labels without audio: 1 \(KS0_fear_1.wav\); audio without a label: 1 \(KS0_envy",
    ):
        NEMO.read(tree, False)
    assert len(NEMO.read(tree, True)) == 53


def test_demos_leaves_neutral_out(tmp_path: Path) -> None:
    tree = demos_tree(tmp_path)
    before = DEMOS.read(tree, False)
    assert "neutral" not in {u.emotion for u in before}
    noise(tree / "DEMOS" / "NP_f_01_neu00a.wav")
    noise(tree / "DEMOS" / "f_01_neu03b.wav")
    assert DEMOS.read(tree, False) == before


def test_demos_labels(tmp_path: Path) -> None:
    noise(tmp_path / "DEMOS" / "PR_m_23_tri00a.wav")
    noise(tmp_path / "DEMOS" / "NP_f_69_col12b.wav")
    found = by_name(DEMOS.read(tmp_path, False))
    assert {(u.emotion, u.speaker, u.gender) for u in found.values()} == {
        ("sadness", "23", "male"),
        ("guilt", "69", "female"),
    }


def test_demos_unlabelled_audio(tmp_path: Path) -> None:
    tree = demos_tree(tmp_path)
    noise(tree / "DEMOS" / "PR_x_23_tri00a.wav")
    with pytest.raises(CorpusError, match=r"without a label: 1 \(PR_x_23_tri00a.wav\)"):
        DEMOS.read(tree, False)
    assert len(DEMOS.read(tree, True)) == 136


def test_demos_splits(tmp_path: Path) -> None:
    utterances = DEMOS.read(demos_tree(tmp_path), False)
    (fold,) = DEMOS.protocols["speakers-40-30-30-by-gender"].folds(utterances)
    numbers = [
        {
            gender: len({utterances[i].speaker for i in side if utterances[i].gender == gender})
            for gender in ("female", "male")
        }
        for side in (fold.train, fold.validation, fold.test)
    ]
    assert [(n["female"], n["male"]) for n in numbers] == [(9, 18), (7, 18), (7, 9)]
    (above,) = DEMOS.protocols["speakers-above-57"].folds(utterances)
    assert {utterances[i].speaker for i in above.test} == {str(n) for n in range(58, 70)}


def test_demos_split_is_that_of_the_whole_corpus(tmp_path: Path) -> None:
    utterances = DEMOS.read(demos_tree(tmp_path, speakers=["01", "02"]), False)
    with pytest.raises(CorpusError, match=r"splits 23 female speakers, found: 2; complete"):
        DEMOS.protocols["speakers-40-30-30-by-gender"].folds(utterances)
