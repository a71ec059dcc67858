"""Re-rendered speech: what the voice and the codes decide, and that bad tensors are refused."""

from dataclasses import replace

import pytest
import torch
from fake_speech import SPEC, fake_speech

from distill.disentangle.adversarial import Adversarial
from synth_data.curator import Curator
from synth_data.errors import SetError
from synth_data.transforms import ReRender

SMALL = Adversarial(sharpness=1.0, content=3, voice=4, width=16, steps=3)


@pytest.fixture(scope="module")
def transform() -> ReRender:
    made = SMALL.fit(Curator(fake_speech((20, 20, 20))))
    assert isinstance(made, ReRender)
    return made


def test_it_says_the_same_whatever_is_beside(transform):
    features = fake_speech().features
    together = transform(features)
    assert together.shape == features.shape
    for row in range(3):
        assert torch.allclose(
            transform(features[row : row + 1]), together[row : row + 1], atol=1e-5
        )
    assert together.std(dim=0).max() > 1e-4  # and something of each utterance


def test_content_keeps_the_time_and_emotions_are_of_the_whole():
    branches = SMALL.branches(Curator(fake_speech((20, 20, 20))))
    features = fake_speech().features
    emotion, content = branches.codes(features)
    assert emotion.shape == (len(features), 3)
    assert torch.allclose(emotion.sum(dim=1), torch.ones(len(features)))
    assert content.shape == (len(features), 3, SPEC.frames // 8)
    assert content.abs().max() < 1
    without = replace(SMALL, content=0).branches(Curator(fake_speech((20, 20, 20))))
    assert without.codes(features)[1].shape == (len(features), 0, SPEC.frames // 8)


def test_sharper_emotions_tell_less():
    """By default there are hardly more utterances than emotions, whatever was said."""
    curator, features = Curator(fake_speech((20, 20, 20))), fake_speech((20, 20, 20)).features
    alone = replace(SMALL, content=0, steps=40)
    spread = []
    for sharpness in (1.0, Adversarial().sharpness):
        said = replace(alone, sharpness=sharpness).fit(curator)(features)
        spread.append(len({tuple(row.tolist()) for row in said.mean(dim=2).round(decimals=3)}))
    assert spread[0] > 20
    assert spread[1] <= 10


def test_the_branches_and_the_average_voice_make_what_is_applied(transform):
    real = fake_speech((20, 20, 20))
    branches = SMALL.branches(Curator(real))
    voice = branches.voices(real.features).mean(dim=0).expand(len(real), -1)
    said = branches.speech(branches.codes(real.features), voice, real.spec.frames)
    assert torch.allclose(said, transform(real.features), atol=1e-5)
    other = branches.speech(branches.codes(real.features), voice + 0.5, real.spec.frames)
    assert not torch.allclose(other, said, atol=1e-3)


def test_tensors_that_do_not_fit_are_refused(transform):
    tensors = transform.tensors()
    assert torch.equal(
        ReRender.of(tensors)(fake_speech().features), transform(fake_speech().features)
    )
    for change, message in (
        ({"voice": torch.zeros(9)}, "do not fit each other"),
        ({"sharpness": torch.tensor([0.0])}, "one sharpness above 0"),
        ({"emotion.bias": torch.full((3,), torch.nan)}, "emotion.bias has others"),
        ({"more": torch.zeros(1)}, "found .*more"),
    ):
        with pytest.raises(SetError, match=message):
            ReRender.of({**tensors, **change})
    with pytest.raises(SetError, match="needs the tensors sharpness and voice"):
        ReRender.of({})
    with pytest.raises(SetError, match="fitted on 16 mel bands; found features with 5"):
        transform(torch.zeros(1, 5, 16))
    with pytest.raises(SetError, match="needs 8 frames or more; found 7"):
        transform(torch.zeros(1, 16, 7))
