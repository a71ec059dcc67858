"""MSP-Podcast in its layout: labels of every release, unknown speakers, two tests, and errors."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from trees import Segment, emodb_as_segments, msp_podcast_tree, noise

from synth_data.account import Account
from synth_data.corpora.emodb import EMODB
from synth_data.corpora.facts import Corpus
from synth_data.corpora.msp_podcast import MSP_PODCAST
from synth_data.corpus import listing, load, protocol_line, protocol_of
from synth_data.curator import Curator
from synth_data.errors import CorpusError, UserError
from synth_data.features import FeatureSpec
from synth_data.gaussian import Gaussian
from synth_data.ledger import PrivacyBudget, Release
from synth_data.utterance import Utterance

SPEC = FeatureSpec(mels=8, frames=20)
SIDES = ("Train", "Train", "Development", "Test1", "Test2", "Test3")


@pytest.fixture(autouse=True)
def _no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def segments(tmp_path: Path) -> list[Segment]:
    """On every side each class, and two others; of training, half are of unknown speakers."""
    source = noise(tmp_path / "source.wav")
    return [
        Segment(
            name=f"MSP-PODCAST_{place:04}_{number:04}",
            emotion=emotion,
            speaker="Unknown" if side == "Train" and number % 2 else str(place),
            split=side,
            audio=source,
            valence=1.5 + 0.25 * number + 0.5 * place,
        )
        for place, side in enumerate(SIDES)
        for number, emotion in enumerate("AHNSUX")
    ]


def with_first(segments: Sequence[Segment], **changes: object) -> list[Segment]:
    return [replace(segments[0], **changes), *segments[1:]]


@pytest.mark.parametrize(
    "labels",
    ["labels_consensus.csv", "labels_concensus.csv", "labels_consensus.json"],
)
def test_reads_its_layout(tmp_path: Path, segments: list[Segment], labels: str) -> None:
    tree = msp_podcast_tree(tmp_path / "outer" / "tree", segments, labels)
    utterances = MSP_PODCAST.read(tree.parent, False)
    assert Counter(u.emotion for u in utterances) == dict.fromkeys(MSP_PODCAST.emotions, 5)
    first = utterances[0]
    assert (first.name, first.split, first.gender) == ("MSP-PODCAST_0000_0000", "train", "female")
    assert (first.valence, first.activation, first.dominance) == (1.5, 4.2, 4.4)
    assert first.text == "And that was it."
    assert first.place == f"{tree / 'Labels' / labels}, {first.name}"
    assert first.audio.waveform(16_000).numel()
    rated = MSP_PODCAST.read_rated(tree, False)
    assert len(rated) == 30
    assert {u.emotion for u in rated} == {*MSP_PODCAST.emotions, "surprise", "no agreement"}


@pytest.mark.parametrize("nested", [("Labels", "Audios", "Transcripts"), ("Audios",), ("Labels",)])
def test_archives_that_unpacked_into_a_folder_of_their_own(
    tmp_path: Path, segments: list[Segment], nested: tuple[str, ...]
) -> None:
    tree = msp_podcast_tree(tmp_path / "tree", segments)
    texts = [u.text for u in MSP_PODCAST.read(tree, False)]
    for part in nested:
        (tree / part).rename(tree / "moved")
        (tree / part).mkdir()
        (tree / "moved").rename(tree / part / part)
    utterances = MSP_PODCAST.read(tmp_path, False)
    assert [u.text for u in utterances] == texts
    assert utterances[0].audio.waveform(16_000).numel()


def test_recordings_that_are_elsewhere(tmp_path: Path, segments: list[Segment]) -> None:
    tree = msp_podcast_tree(tmp_path / "tree", segments)
    (tree / "Audios").rename(tree / "wav")
    with pytest.raises(CorpusError, match="no label has its audio") as refused:
        MSP_PODCAST.read(tree, False)
    assert f"Looked for them in {tree / 'Audios'}: move" in str(refused.value)
    assert "--allow-missing" not in str(refused.value)


def test_nobody_is_called_unknown(tmp_path: Path, segments: list[Segment]) -> None:
    tree = msp_podcast_tree(tmp_path / "tree", segments)
    utterances = MSP_PODCAST.read_rated(tree, False)
    unknown = [u for u in utterances if u.of_unknown_speaker]
    assert len({u.speaker for u in unknown}) == len(unknown) == 6
    real = load(MSP_PODCAST, tree, SPEC, task="dimensional")
    assert "6 utterances of unknown speakers (each a speaker of its own)" in real.notes
    assert "6 utterances of unknown speakers" in protocol_line(real, None, "own")


def test_unknown_speakers_cannot_be_protected_but_utterances_can(
    tmp_path: Path, segments: list[Segment]
) -> None:
    real = load(MSP_PODCAST, msp_podcast_tree(tmp_path / "tree", segments), SPEC)

    def ask(unit: str) -> torch.Tensor:
        account = Account(PrivacyBudget(1e6, 1e-5, unit), [Release("asked", 1.0)])
        door = Curator(real, Gaussian(account))
        return door.mean(lambda x, _: x.mean(dim=2), purpose="asked", per_class=False)

    with pytest.raises(UserError, match=r"of 4 utterances are unknown, .* give --unit utterance"):
        ask("speaker")
    assert ask("utterance").shape == (8,)
    exact = Curator(real).mean_of_speakers(lambda x, _: x, lambda one: one, purpose="asked")
    assert exact.shape == SPEC.shape


def test_each_test_is_a_fold_with_the_same_training_side(
    tmp_path: Path, segments: list[Segment]
) -> None:
    real = load(MSP_PODCAST, msp_podcast_tree(tmp_path / "tree", segments), SPEC, task="both")
    protocol = protocol_of(MSP_PODCAST, None)
    first, second = (real.fold(protocol, k) for k in (1, 2))
    for sides, test in ((first, "test1"), (second, "test2")):
        found = [{u.split for u in side.utterances} for side in sides]
        assert found == [{"train"}, {"validation"}, {test}]
        assert not set(sides[0].speakers) & set(sides[2].speakers)
    assert first[0].utterances == second[0].utterances
    assert "test1-and-test2, 2 folds · validation: as listed" in protocol_line(
        real, protocol, "own"
    )


def test_a_release_with_one_test_has_one_fold(tmp_path: Path, segments: list[Segment]) -> None:
    kept = [segment for segment in segments if segment.split != "Test2"]
    utterances = MSP_PODCAST.read(msp_podcast_tree(tmp_path / "tree", kept), False)
    assert len(protocol_of(MSP_PODCAST, None).folds(utterances)) == 1
    kept = [segment for segment in segments if segment.split != "Development"]
    utterances = MSP_PODCAST.read(msp_podcast_tree(tmp_path / "less", kept), False)
    with pytest.raises(CorpusError, match=r"found 8, 0 and 8 .of test1, test2.: complete the tree"):
        protocol_of(MSP_PODCAST, None).folds(utterances)


def test_who_is_tested_does_not_train(
    tmp_path: Path, segments: list[Segment], caplog: pytest.LogCaptureFixture
) -> None:
    """In the fixture's order of sides speakers are 0 to 5: 2 validates, 3 and 4 are tested."""
    first, second, third, *others = segments
    moved = [replace(first, speaker="3"), replace(second, speaker="2"), third]
    moved += [replace(s, speaker="4") if s.name.endswith("0002_0000") else s for s in others]
    utterances = MSP_PODCAST.read_rated(msp_podcast_tree(tmp_path / "tree", moved), False)
    left = {s.name for s in segments if s.split != "Test3"} - {u.name for u in utterances}
    assert left == {f"MSP-PODCAST_{end}" for end in ("0000_0000", "0000_0001", "0002_0000")}
    note = "utterances of speakers on another side left out: 3"
    assert note in caplog.text
    real = load(MSP_PODCAST, tmp_path / "tree", SPEC, task="dimensional")
    assert note in real.notes
    assert note in protocol_line(real, protocol_of(MSP_PODCAST, None), "own")
    for fold in protocol_of(MSP_PODCAST, None).folds(utterances):
        assert utterances[fold.train[0]].name == third.name


def test_a_reader_that_lets_a_speaker_be_on_two_sides_is_refused(
    tmp_path: Path, segments: list[Segment]
) -> None:
    utterances = MSP_PODCAST.read(msp_podcast_tree(tmp_path / "tree", segments), False)
    utterances[0] = replace(utterances[0], speaker="3")
    with pytest.raises(CorpusError, match=r"speakers on two sides of one fold: 1 .3."):
        protocol_of(MSP_PODCAST, None).folds(utterances)


@pytest.mark.parametrize("listed", [True, False], ids=["with lines", "without lines"])
def test_withheld_labels_are_left_out(
    tmp_path: Path, segments: list[Segment], listed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Releases from 1.12 on have no line for the third test, and call its recordings otherwise."""
    if not listed:
        segments = [
            replace(s, name=f"MSP-PODCAST_test3_{i:04}") if s.split == "Test3" else s
            for i, s in enumerate(segments)
        ]
    tree = msp_podcast_tree(tmp_path / "tree", segments)
    with caplog.at_level(logging.INFO):
        found = MSP_PODCAST.read_rated(tree, False)
    assert {u.split for u in found} == {"train", "validation", "test1", "test2"}
    told = "recordings whose labels are withheld left out: 6"
    assert told in caplog.text
    real = listing(MSP_PODCAST, tree, SPEC, task="dimensional")
    assert told in real.notes
    alone = [replace(s, split="Test3") if s.split.startswith("Test") else s for s in segments]
    tree = msp_podcast_tree(tmp_path / "alone", alone)
    with pytest.raises(CorpusError, match="nothing is tested on a test whose labels are withheld"):
        protocol_of(MSP_PODCAST, None).folds(MSP_PODCAST.read_rated(tree, False))


def test_other_recordings_without_a_line_are_missed(
    tmp_path: Path, segments: list[Segment]
) -> None:
    tree = msp_podcast_tree(tmp_path / "tree", segments)
    noise(tree / "Audios" / "MSP-PODCAST_9999_0001.wav")
    with pytest.raises(CorpusError, match=r"without a label: 1 .MSP-PODCAST_9999_0001.wav"):
        MSP_PODCAST.read(tree, False)


def test_emotions_that_are_not_told_are_missing(tmp_path: Path, segments: list[Segment]) -> None:
    tree = msp_podcast_tree(tmp_path / "tree", segments)
    real = load(MSP_PODCAST, tree, SPEC, task="both")
    assert real.task.scale == (1.0, 7.0)
    for utterance, row in zip(real.utterances, real.targets, strict=True):
        known = utterance.emotion in MSP_PODCAST.emotions
        assert row[:4].isnan().all() != known
        assert row[4:].isfinite().all()
    assert "10 utterances without an emotion (they tell dimensions alone)" in real.notes
    assert len(load(MSP_PODCAST, tree, SPEC)) == 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valence": 7.5}, r"not on its scale from 1 to 7: 1 .*_0000_0000: valence 7.5"),
        ({"valence": "nan"}, r"without a value: 1 of 30 .*0000_0000: valence.*--allow-missing"),
        ({"valence": "high"}, r"cannot be used: 1 .*0000_0000: EmoVal 'high' is not a number"),
        ({"emotion": "Q"}, r"EmoClass 'Q' is none of A, H, N, S, C"),
        ({"split": "Test9"}, r"Split_Set 'Test9' is none of Train, Development"),
        ({"audio": None}, r"labels without audio: 1 .Audios/MSP-PODCAST_0000_0000.wav"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, segments: list[Segment], changes: dict[str, object], message: str
) -> None:
    tree = msp_podcast_tree(tmp_path / "tree", with_first(segments, **changes))
    with pytest.raises(CorpusError, match=f"(?s){message}"):
        load(MSP_PODCAST, tree, SPEC, task="dimensional")


def test_what_lacks_a_value_tells_what_else_is_known(
    tmp_path: Path, segments: list[Segment]
) -> None:
    tree = msp_podcast_tree(tmp_path / "tree", with_first(segments, dominance=""))
    real = load(MSP_PODCAST, tree, SPEC, task="dimensional", allow_missing=True)
    assert len(real) == 30
    assert int(real.targets.isnan().sum()) == 1
    assert any("1 utterances without a value of dominance" in note for note in real.notes)


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("csv", "FileName,EmoClass\na.wav,A\n", "a.wav lacks EmoVal, EmoAct, EmoDom, SpkrID"),
        ("csv", 'FileName\n"a', "not a file of labels"),
        ("json", "not json", "not a file of labels"),
        ("json", "[1, 2]", "not a file of labels"),
        ("json", "[" * 100_000, "not a file of labels"),
        ("json", '{"a.wav": {"EmoVal": ' + "9" * 5_000 + "}}", "not a file of labels"),
    ],
)
def test_a_file_of_labels_that_is_none(
    tmp_path: Path, segments: list[Segment], kind: str, content: str, message: str
) -> None:
    name = f"labels_consensus.{kind}"
    tree = msp_podcast_tree(tmp_path / "tree", segments, name)
    (tree / "Labels" / name).write_text(content)
    with pytest.raises(CorpusError, match=message):
        MSP_PODCAST.read(tree, False)


def test_labels_given_twice(tmp_path: Path, segments: list[Segment]) -> None:
    tree = msp_podcast_tree(tmp_path / "tree", segments)
    with (tree / "Labels" / "labels_consensus.csv").open("a") as stream:
        stream.write("MSP-PODCAST_0000_0000.wav,A,4,4,4,1,Male,Train\n")
    with pytest.raises(CorpusError, match="MSP-PODCAST_0000_0000 has labels twice"):
        MSP_PODCAST.read(tree, False)


def test_a_tree_that_is_none(tmp_path: Path) -> None:
    noise(tmp_path / "Audios" / "MSP-PODCAST_0001_0008.wav")
    with pytest.raises(CorpusError, match=r"not a tree of MSP-Podcast. Found there: Audios"):
        MSP_PODCAST.read(tmp_path, False)
    with pytest.raises(CorpusError, match="give --data-root"):
        MSP_PODCAST.read(None, False)


@pytest.mark.corpus
def test_real_recordings_end_to_end(data_root: Path, tmp_path: Path) -> None:
    """From the layout, with EmoDB's recordings in it, to folds with targets and means by cell."""
    emodb: list[Utterance] = EMODB.read(data_root / "emodb", False)
    tree = msp_podcast_tree(tmp_path / "MSP-PODCAST-Publish-1.11", emodb_as_segments(emodb))
    corpus: Corpus = MSP_PODCAST
    real = load(corpus, tree, SPEC, task="dimensional")
    withheld = sum(u.speaker == "10" for u in emodb)
    assert len(real) == 535 - withheld
    train, validation, test = real.fold(protocol_of(corpus, None), 2)
    assert (set(validation.speakers), set(test.speakers)) == ({"1"}, {"3"})
    assert train.targets.abs().max() <= 1
    door = Curator(train).narrowed()
    means = door.mean_targets()
    assert means.shape == (len(door.task.groups), 3)
    assert torch.equal(door.task.group_of(means), torch.arange(len(means)))
