"""Real items that a run sets beside a set."""

import pytest
import torch

from distill.candidate import Parameterisation
from distill.rivals import stored_small
from evaluation.baselines import BASELINES, STORED_SMALL
from synth_data.representations import known_feature


@pytest.mark.parametrize(
    ("how", "names"),
    [
        ({}, ()),
        ({"slices": 4, "numbers": "int8"}, ("compressed-int8",)),
        ({"numbers": "float16"}, ("compressed-int8",)),
        (
            {"slices": 16, "numbers": "int8", "frames": "cosines"},
            ("compressed-int8", "cosines-int8"),
        ),
        ({"slices": 8, "frames": "cosines"}, ("compressed-int8", "cosines-int8")),
        ({"decoder": "generator", "numbers": "float16"}, ("compressed-int8",)),
    ],
)
def test_a_set_stands_beside_real_items_that_are_stored_as_small(how, names):
    ours = Parameterisation(**how)
    found = stored_small(ours.build_decoder() or ours.codec)
    assert found == names
    assert set(found) <= set(BASELINES)


def test_a_real_item_beside_cosines_takes_no_more_bytes_than_one_of_the_set():
    """In the coarsest way, or a set would lead over what nobody would ship."""
    spec = known_feature("logmel64")
    for numbers in ("float32", "float16", "int8"):
        ours = Parameterisation(slices=16, numbers=numbers, frames="cosines")
        *_, theirs = STORED_SMALL[stored_small(ours.codec)[-1]]
        assert _bytes(theirs, spec) <= _bytes(ours.codec, spec)


def _bytes(codec, spec) -> int:
    return sum(tensor.nbytes for tensor in codec.encode(torch.zeros(1, *spec.shape)).values())
