"""A set is as large as it says, so that its rivals are."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_sets import SPEC, forge, provenance, small_set

from distill.candidate import Parameterisation
from evaluation.named_sets import load_sets
from synth_data.errors import SetError
from synth_data.features import FEATURES
from synth_data.set_size import SetSize
from synth_data.synthetic import SyntheticSet

SHORT = FEATURES["logmel64-short"]
SHAPES = (FEATURES["logmel64"], SHORT, SPEC)


def saved(folder: Path, items: int, **changes: Any) -> Path:
    """A set with so many items of each emotion."""
    features = torch.randn(3 * items, *SPEC.shape, generator=torch.Generator().manual_seed(0))
    entries = {"features": features, "targets": torch.eye(3).repeat(items, 1)}
    small_set(**entries | changes, provenance=provenance(per_class=items)).save(folder)
    return folder


@pytest.mark.parametrize("asked", [1, 2, 13, 10**12])
def test_a_set_that_says_it_has_another_size_is_refused(tmp_path, asked):
    """27 whole items, beside real ones of another number."""
    folder = saved(tmp_path / "set", 27)
    assert load_sets([str(folder)])[0].ipc == 27
    forge(folder, lambda manifest: manifest["provenance"].update(per_class=asked))
    message = (
        f"made to be as large as {asked:,} items of each class as they are, and holds 27 of each "
        f"in the bytes of 27: .* Get a fresh copy, or make a set of its tensors by `synth-data imp"
    )
    with pytest.raises(SetError, match=message):
        load_sets([str(folder)])


@pytest.mark.parametrize("asked", [25, 27, 54])
def test_a_little_more_or_less_is_how_items_are_counted(tmp_path, asked):
    folder = saved(tmp_path / "set", 27)
    forge(folder, lambda manifest: manifest["provenance"].update(per_class=asked))
    assert SyntheticSet.load(folder).provenance.per_class == asked


@pytest.mark.parametrize("spec", SHAPES, ids=lambda spec: str(spec.shape))
@pytest.mark.parametrize("numbers", ["float32", "float16", "int8"])
@pytest.mark.parametrize(("slices", "frames"), [(1, "means"), (3, "means"), (16, "cosines")])
def test_what_distillation_makes_is_of_the_size_that_was_asked_for(spec, numbers, slices, frames):
    way = Parameterisation(slices=slices, numbers=numbers, frames=frames)
    for emotions in (2, 7):
        target = 4 * emotions
        item = float(way.bytes(1, spec, emotions) + target)
        whole = 4 * spec.mels * spec.frames + target
        for ipc in (1, 2, 3, 10, 49, 100):
            for real in (None, 20 * emotions):  # there may be few recordings to start from
                items = way.per_class(ipc, spec, emotions, real)
                size = SetSize(round(items * emotions * item), item, whole, float(items), emotions)
                assert size.ipc <= ipc
                size.require(ipc)
                if real is None:
                    assert size.ipc == ipc


@pytest.mark.parametrize("ipc", [1, 3, 10])
def test_what_a_decoder_makes_is_too(ipc):
    way = Parameterisation(decoder="generator", width=4, code=8)
    items, target = way.per_class(ipc, SHORT, 4), 16
    decoder = way.build_decoder()
    assert decoder is not None
    stored = way.bytes(4 * items, SHORT, 4) + 4 * items * target
    whole = 4 * SHORT.mels * SHORT.frames + target
    size = SetSize(stored, decoder.item_bytes + float(target), whole, float(items), 4)
    assert size.ipc <= ipc
    size.require(ipc)
