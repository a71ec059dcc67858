"""Fitted transforms: the values do what they were fitted for."""

import pytest
import torch
from fake_speech import fake_speech

from distill.disentangle.adversarial import Adversarial
from synth_data.curator import Curator
from synth_data.errors import SetError
from synth_data.transforms import (
    TRANSFORMS,
    EraseFrames,
    EraseStatistics,
    MatchSpeakers,
    SpeakerNormalise,
    Standardise,
    Transform,
    stack,
    unstack,
)

MELS = 16


def square(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A mean and a matrix that is symmetric and positive."""
    draws = torch.Generator().manual_seed(0)
    root = torch.randn(size, size, generator=draws) / size**0.5
    return torch.randn(size, generator=draws), root @ root.T


@pytest.fixture(scope="module")
def one_of_each() -> dict[str, Transform]:
    made: list[Transform] = [
        Standardise(torch.full((MELS,), 0.3), torch.full((MELS,), 2.0)),
        EraseFrames(*square(MELS)),
        EraseStatistics(*square(2 * MELS)),
        MatchSpeakers(*square(MELS)),
        SpeakerNormalise(),
        Adversarial(content=3, voice=4, width=16, steps=2).fit(Curator(fake_speech())),
    ]
    return {transform.name: transform for transform in made}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_plain_code_of_the_card_does_the_same(name, one_of_each):
    item = fake_speech().features[0]
    tensors = {f"transform.0.{k}": v for k, v in one_of_each[name].tensors().items()}
    names = {"torch": torch, "features": item, "tensors": tensors}
    exec(TRANSFORMS[name].snippet("transform.0."), names)
    expected = one_of_each[name](item[None])[0]
    assert torch.allclose(names["features"], expected, atol=1e-4)
    assert not torch.allclose(item, expected, atol=1e-2)


def test_the_plain_code_of_an_encoder_without_content_does_the_same():
    item = fake_speech().features[0]
    made = Adversarial(voice=4, width=16, steps=2).fit(Curator(fake_speech()))
    names = {"torch": torch, "features": item, "tensors": made.tensors()}
    exec(made.snippet(""), names)
    assert torch.allclose(names["features"], made(item[None])[0], atol=1e-4)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_other_tensors_are_refused(name, one_of_each):
    tensors = one_of_each[name].tensors()
    with pytest.raises(SetError, match=f"{name} (needs|has)"):
        TRANSFORMS[name].of({**tensors, "more": torch.zeros(1)})


@pytest.mark.parametrize("kind", [EraseFrames, EraseStatistics, MatchSpeakers])
def test_a_mean_and_a_matrix_that_do_not_fit_are_refused(kind):
    mean, matrix = square(2 * MELS)
    for values, message in (
        ((mean, matrix[1:]), "a vector and a square matrix"),
        ((mean.double(), matrix), "float32 values; found torch.float64"),
        ((mean, matrix * torch.inf), "finite values"),
    ):
        with pytest.raises(SetError, match=message):
            kind(*values)
    bands = MELS if kind is EraseStatistics else 2 * MELS
    with pytest.raises(SetError, match=f"fitted on {bands} mel bands; found features with 3"):
        kind(mean, matrix)(torch.zeros(1, 3, 4))
    with pytest.raises(SetError, match="as many means as deviations; found 3"):
        EraseStatistics(*square(3))


def test_standardised_training_speech_has_mean_0_and_deviation_1():
    features = 3 + 5 * torch.randn(40, 4, 50, generator=torch.Generator().manual_seed(0))
    transform = Standardise(features.mean(dim=(0, 2)), features.std(dim=(0, 2)))
    result = transform(features)
    assert torch.allclose(result.mean(dim=(0, 2)), torch.zeros(4), atol=1e-5)
    assert torch.allclose(result.std(dim=(0, 2)), torch.ones(4), atol=1e-5)
    assert not torch.allclose(features.mean(dim=(0, 2)), torch.zeros(4), atol=1)


def test_a_band_that_never_varied_stays_small():
    transform = Standardise(torch.ones(2), torch.tensor([0.0, 1.0]))
    assert transform(torch.ones(1, 2, 3)).abs().max() == 0
    assert transform(torch.full((1, 2, 3), 1.001)).abs().max() < 1.01


def test_other_features_are_refused():
    with pytest.raises(SetError, match="fitted on 2 mel bands; found features with 3"):
        Standardise(torch.zeros(2), torch.ones(2))(torch.zeros(1, 3, 4))


def test_values_that_could_not_be_stored_are_refused():
    with pytest.raises(SetError, match=r"float32 .*; found torch.float32 and torch.float64"):
        Standardise(torch.zeros(2), torch.ones(2).double())


def test_order_survives_storage():
    first = Standardise(torch.ones(2), torch.ones(2))
    second = Standardise(torch.zeros(2), torch.full((2,), 2.0))
    features = torch.randn(1, 2, 3)
    a, b = unstack(("standardise", "standardise"), stack((first, second)))
    assert torch.equal(b(a(features)), second(first(features)))
    assert not torch.equal(b(a(features)), first(second(features)))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_table_has_each_under_its_own_name(name):
    assert TRANSFORMS[name].name == name


@pytest.mark.parametrize("deviation", [[0.0, 2.0], [1e-4, 0.5]])
def test_inverse_gives_back_what_was_transformed(deviation):
    transform = Standardise(torch.tensor([3.0, -8.0]), torch.tensor(deviation))
    features = torch.randn(5, 2, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(transform.inverse(transform(features)), features)
    assert not torch.allclose(transform(features), features, atol=0.1)


def test_the_inverse_refuses_other_features_too():
    with pytest.raises(SetError, match="fitted on 2 mel bands; found features with 3"):
        Standardise(torch.zeros(2), torch.ones(2)).inverse(torch.zeros(1, 3, 4))
