"""Tensors that another program made become a set, or a clear error."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_speech import EMOTIONS, SPEC, fake_speech
from safetensors.torch import save_file

from evaluation.evaluate import evaluate
from evaluation.options import Options
from evaluation.students import RECIPES
from synth_data.adoption import adopt
from synth_data.errors import SetError
from synth_data.inspection import describe
from synth_data.protocol import leave_one_out
from synth_data.synthetic import SyntheticSet

REAL = fake_speech((6, 5, 4))
PROTOCOL = leave_one_out("speaker")


def adopted(file: Path, **changes: Any) -> SyntheticSet:
    named: dict[str, Any] = {"fold": None, "emotions": EMOTIONS, "method": "theirs"}
    return adopt(file, REAL, PROTOCOL, **(named | changes))


def stored(folder: Path, **changes: Any) -> Path:
    tensors = {"features": REAL.features[:6], "labels": torch.tensor([0, 0, 1, 1, 2, 2])}
    kept = {name: tensor for name, tensor in (tensors | changes).items() if tensor is not None}
    save_file(kept, folder / "theirs.safetensors")
    return folder / "theirs.safetensors"


def test_tensors_become_a_set_that_can_be_stored_and_judged(tmp_path):
    adopted(stored(tmp_path)).save(tmp_path / "set")
    synthetic = SyntheticSet.load(tmp_path / "set")
    assert synthetic.per_class == dict.fromkeys(EMOTIONS, 2)
    assert synthetic.provenance.objective == "theirs"
    assert synthetic.provenance.per_class == 2
    options = Options(students=("linear",), baselines=("random",), seeds=1, recipes=RECIPES)
    everybody = replace(REAL, fold_number=None)  # as the set is said to be from
    sides = everybody, fake_speech(seed=1), fake_speech(seed=2)
    result = evaluate(synthetic, *sides, options=options)
    assert {run.set for run in result.runs} == {"full", "random", "distilled"}


def test_the_card_claims_nothing_that_nobody_knows(tmp_path):
    """Neither does what `synth-data inspect` says, nor the card of a part of the set."""
    made = adopted(stored(tmp_path))
    for name, each in (("whole", made), ("part", made.prefix(1))):
        each.save(tmp_path / name)
        card = (tmp_path / name / "README.md").read_text()
        assert "tensors that another program made" in card
        assert "They may be features of real recordings." in card
        assert "nothing is known of the privacy" in card
        for untold in ("istilled", "synthetic feature", "seed 0", "--resume", "learned"):
            assert untold not in card
        assert "seed 0" not in describe(each)


def test_classes_are_brought_into_the_order_of_the_corpus(tmp_path):
    synthetic = adopted(stored(tmp_path), emotions=EMOTIONS[::-1])
    assert synthetic.targets.argmax(dim=1).tolist() == [2, 2, 1, 1, 0, 0]


def test_soft_targets_and_npz(tmp_path):
    targets = torch.full((6, 3), 1 / 3)
    np.savez(tmp_path / "theirs.npz", features=REAL.features[:6].numpy(), targets=targets.numpy())
    assert torch.equal(adopted(tmp_path / "theirs.npz").targets, targets)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": None}, "has no 'features'; found labels"),
        ({"labels": None}, "has no 'labels'; found features: it needs 'features', and 'targets'"),
        ({"labels": torch.tensor([0, 1, 2, 3, 0, 0])}, "class indices from 0 to 2, one per item"),
        ({"labels": torch.ones(6)}, "found torch.float32 of shape"),
        ({"features": torch.zeros(6, SPEC.mels + 1, SPEC.frames)}, "or transpose them"),
        ({"features": torch.zeros(6, *SPEC.shape, dtype=torch.complex64)}, "must be real numbers"),
        ({"features": torch.full((6, *SPEC.shape), torch.nan)}, "not finite"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes, message):
    with pytest.raises(SetError, match=message):
        adopted(stored(tmp_path, **changes))


def test_other_emotions_are_refused(tmp_path):
    with pytest.raises(SetError, match="name them as the corpus does"):
        adopted(stored(tmp_path), emotions=("a", "b", "c"))


@pytest.mark.parametrize("name", ["theirs.safetensors", "theirs.npz"])
@pytest.mark.parametrize("content", [b"nothing of the kind", b"PK\x03\x04 and no more"])
def test_a_file_that_is_none(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SetError, match="cannot be read"):
        adopted(tmp_path / name)


def test_labels_of_any_integers_and_uneven_classes(tmp_path):
    labels = torch.tensor([0, 0, 0, 1, 2], dtype=torch.uint16)
    synthetic = adopted(stored(tmp_path, features=REAL.features[:5], labels=labels))
    assert list(synthetic.per_class.values()) == [3, 1, 1]
    assert synthetic.provenance.per_class == 2  # so that no rival of its size is smaller
