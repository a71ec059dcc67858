"""Speech of one corpus under the emotions of another."""

from dataclasses import replace

import pytest
import torch
from fake_speech import EMOTIONS, fake_speech
from felt_speech import felt_speech

from synth_data.errors import CorpusError, UserError
from synth_data.label_map import LEFT_OUT, parse, relabelled

REAL = fake_speech((3, 4, 5))  # of anger, neutral, sadness


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("calm=neutral", {"calm": "neutral"}),
        (" calm = neutral , bored = ", {"calm": "neutral", "bored": LEFT_OUT}),
        ("calm=neutral,", {"calm": "neutral"}),
        ("a=b=c", {"a": "b=c"}),
        ("", {}),
    ],
)
def test_a_map_is_read(text, found):
    assert parse(text) == found


@pytest.mark.parametrize("text", ["calm", "=neutral", " =neutral", "calm=neutral,bored"])
def test_a_map_that_is_written_otherwise(text):
    with pytest.raises(UserError, match=f"written THEIRS=OURS,THEIRS=OURS.*found '{text}'"):
        parse(text)


def test_a_map_that_contradicts_itself():
    with pytest.raises(UserError, match="says twice what 'calm' is, neutral and left out: say it"):
        parse("calm=neutral,calm=")


def test_emotions_are_renamed_joined_and_left_out():
    ours = ("happiness", "low", "anger")
    found = relabelled(REAL, ours, {"neutral": "low", "sadness": "low"})
    assert found.emotions == ours
    assert [utterance.emotion for utterance in found.utterances] == [
        {"anger": "anger"}.get(utterance.emotion, "low") for utterance in REAL.utterances
    ]
    columns = [ours.index(utterance.emotion) for utterance in found.utterances]
    assert torch.equal(found.targets, torch.eye(3)[columns])
    assert torch.equal(found.features, REAL.features)
    assert found.targets.sum(dim=0).tolist() == [0, 9, 3]

    fewer = relabelled(REAL, ours, {"neutral": LEFT_OUT, "sadness": "low"})
    kept = [row for row, u in enumerate(REAL.utterances) if u.emotion != "neutral"]
    assert torch.equal(fewer.features, REAL.features[kept])
    assert [u.name for u in fewer.utterances] == [REAL.utterances[row].name for row in kept]


def test_emotions_of_the_same_name_need_not_be_named():
    turned = tuple(reversed(EMOTIONS))
    same = relabelled(REAL, turned, {})
    assert torch.equal(same.targets, REAL.targets.flip(1))
    assert same.utterances == REAL.utterances
    assert same.notes == ("label map: same names",)


def test_an_emotion_of_the_same_name_may_still_mean_another():
    found = relabelled(REAL, EMOTIONS, {"neutral": "sadness"})
    assert found.targets.sum(dim=0).tolist() == [3, 0, 9]


def test_the_map_is_noted():
    noted = replace(REAL, notes=("skipped 2",))
    found = relabelled(noted, ("anger", "low"), {"neutral": "low", "sadness": LEFT_OUT})
    assert found.notes == ("skipped 2", "label map: neutral->low, sadness->left out")


@pytest.mark.parametrize(
    ("ours", "label_map", "message"),
    [
        (EMOTIONS, {"angre": "anger"}, "unknown emotion of toy.* 'angre': did you mean 'anger'"),
        (EMOTIONS, {"anger": "sadnes"}, "unknown emotion of the set 'sadnes': did you mean 'sad"),
        (
            ("anger", "calm"),
            {},
            r"the set has no neutral, sadness: .*--label-map, such as neutral=anger, or neutral= "
            r"to leave them out\. The set's emotions: anger, calm",
        ),
    ],
)
def test_a_map_that_does_not_fit(ours, label_map, message):
    with pytest.raises(UserError, match=message):
        relabelled(REAL, ours, label_map)


def test_a_map_that_leaves_nothing():
    with pytest.raises(CorpusError, match="the label map leaves no utterance of toy"):
        relabelled(REAL, EMOTIONS, dict.fromkeys(EMOTIONS, LEFT_OUT))


def test_dimensions_need_no_map():
    real = felt_speech()
    assert torch.equal(relabelled(real, (), {}).targets, real.targets)
    fewer = relabelled(real, (), {}, ("activation",))
    assert fewer.task.columns == ("activation",)
    assert torch.equal(fewer.targets, real.targets[:, 1:2])
    with pytest.raises(UserError, match=r"emotion of .* 'anger'"):
        relabelled(real, (), {"anger": "rage"})


def test_of_both_the_emotions_are_mapped_and_who_has_none_stays():
    real = felt_speech(task="both")
    unknown = replace(real.utterances[0], emotion="frustration")
    targets = real.targets.clone()
    targets[0, :3] = torch.nan
    real = replace(real, utterances=(unknown, *real.utterances[1:]), targets=targets)
    ours = ("calm", "rage")
    found = relabelled(real, ours, {"anger": "rage", "neutral": "calm", "sadness": ""})
    assert found.task.columns == (*ours, "valence", "activation", "dominance")
    assert found.targets[0, :2].isnan().all()
    kept = [row for row, u in enumerate(real.utterances) if u.emotion != "sadness"]
    assert torch.equal(found.targets[:, 2:], real.targets[kept, 3:])
    for utterance, row in zip(found.utterances[1:], found.targets[1:], strict=True):
        assert row[:2].tolist() == [utterance.emotion == name for name in ours]


def test_a_dimension_that_is_not_told_is_named():
    with pytest.raises(UserError, match="does not tell dominance, which the set does"):
        relabelled(
            relabelled(felt_speech(), (), {}, ("valence", "activation")),
            *((), {}, ("valence", "dominance")),
        )


def test_an_utterance_without_an_emotion_is_not_left_out_with_an_emotion_that_is():
    real = felt_speech((4, 4, 4), task="both", unknown=(0, 5))
    nameless = replace(
        real,
        utterances=tuple(
            replace(u, emotion="") if row in (0, 5) else u for row, u in enumerate(real.utterances)
        ),
    )
    first, *others = real.emotions
    mapped = relabelled(nameless, tuple(others), {first: LEFT_OUT})
    kept = sum(u.emotion == "" or u.emotion in others for u in nameless.utterances)
    assert len(mapped) == kept
    assert int(mapped.targets[:, : len(others)].isnan().all(dim=1).sum()) == 2
