"""Re-rendered speech: what the voice and the codes decide, and that bad tensors are refused."""

import pytest
import torch
from fake_speech import fake_speech

from distill.disentangle.adversarial import Adversarial
from synth_data.curator import Curator
from synth_data.errors import SetError
from synth_data.transforms import ReRender

SMALL = Adversarial(codes=3, voice=4, width=16, steps=3)


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


def test_several_codes_for_an_utterance_keep_its_time():
    curator = Curator(fake_speech((20, 20, 20)))
    features = fake_speech().features
    for every, codes in ((0, 1), (8, 2), (16, 1)):
        settings = Adversarial(codes=3, voice=4, width=16, steps=3, every=every)
        assert settings.branches(curator).codes(features).shape == (len(features), 3, codes)


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
        ({"every": torch.tensor([0.5])}, "whole number of steps"),
        ({"code.bias": torch.full((3,), torch.nan)}, "code.bias has others"),
        ({"more": torch.zeros(1)}, "found .*more"),
    ):
        with pytest.raises(SetError, match=message):
            ReRender.of({**tensors, **change})
    with pytest.raises(SetError, match="needs the tensors every and voice"):
        ReRender.of({})
    with pytest.raises(SetError, match="fitted on 16 mel bands; found features with 5"):
        transform(torch.zeros(1, 5, 16))
    with pytest.raises(SetError, match="needs 8 frames or more; found 7"):
        transform(torch.zeros(1, 16, 7))
