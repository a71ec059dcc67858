"""Fitted transforms: the values do what they were fitted for."""

import pytest
import torch

from synth_data.errors import SetError
from synth_data.transforms import TRANSFORMS, Standardise, stack, unstack


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
