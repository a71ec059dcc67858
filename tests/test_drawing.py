"""Items that are drawn by a set's decoder."""

from typing import Any

import pytest
import torch
from small_sets import SPEC, provenance, small_set

from synth_data.codecs import Packed
from synth_data.decoder import Decoder
from synth_data.drawing import between
from synth_data.errors import SetError
from synth_data.guarantee import Guarantee
from synth_data.ledger import PrivacyBudget, Release
from synth_data.randomness import generator
from synth_data.schedule import NativeSchedule
from synth_data.synthetic import SyntheticSet

DECODER = Decoder(code=4, width=6)
CLASSES = torch.arange(3).repeat_interleave(4)
SOFT = 0.8 * torch.eye(3)[CLASSES] + 0.2 / 3


def a_set(classes: torch.Tensor = CLASSES, **changes: Any) -> SyntheticSet:
    """Four codes for each of three emotions, and a decoder."""
    draws = torch.Generator().manual_seed(1)
    weights = DECODER.draw(*SPEC.shape, 3, draws)
    codes = torch.randn(len(classes), 4, generator=draws)
    packed = Packed(DECODER, DECODER.encode(weights, codes, classes))
    settings = {
        "features": packed.features(SPEC.frames),
        "packed": packed,
        "targets": 0.8 * torch.eye(3)[classes] + 0.2 / 3,
        "provenance": provenance(estimate="UAR 0.61", fold=None),
    }
    return small_set(**settings | changes)


def test_as_many_items_of_each_emotion_as_asked_for_by_the_same_decoder(tmp_path):
    own = a_set()
    drawn = own.drawn(30, seed=0)
    assert drawn.per_class == {"anger": 30, "neutral": 30, "sadness": 30}
    assert drawn.packed is not None
    assert own.packed is not None
    kept = {name for name in own.packed.stored if name.startswith("decoder.")}
    assert kept
    for name in kept:
        assert torch.equal(drawn.packed.stored[name], own.packed.stored[name])
    drawn.save(tmp_path / "drawn")
    loaded = SyntheticSet.load(tmp_path / "drawn")
    assert torch.equal(loaded.features, drawn.features)
    assert loaded.provenance == drawn.provenance


def test_equal_seeds_draw_equal_items_and_others_do_not():
    own = a_set()
    one, again, other = (own.drawn(5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.features, again.features)
    assert torch.equal(one.targets, again.targets)
    assert not torch.equal(one.features, other.features)
    assert "with seed 1 by the decoder of a set of 12 items" in other.provenance.notes[-1]


def test_uneven_classes_are_drawn_evenly():
    drawn = a_set(torch.tensor([0] * 7 + [1] * 3 + [2] * 2)).drawn(4, seed=0)
    assert drawn.per_class == {"anger": 4, "neutral": 4, "sadness": 4}


def test_codes_lie_between_two_of_their_class_and_labels_with_them():
    """With two codes that differ in direction, and labels that tell them apart."""
    codes = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [5.0, 3.0], [5.0, 1.0]])
    targets = torch.tensor([[1.0, 0.0], [0.6, 0.4], [0.0, 1.0], [0.2, 0.8]])
    classes = torch.tensor([0, 0, 1, 1])
    new, said, own = between(codes, targets, classes, 500, generator(0, "test"))
    assert own.tolist() == [0] * 500 + [1] * 500
    first, second = new[:500], new[500:]
    assert (first[:, 1] == 0).all()
    assert (second[:, 0] == 5).all()
    # c - m and c' - m are opposite here, so that the roots' difference tells the weight.
    weight = (said[:500, 0] - 0.6) / 0.4
    expected = weight.sqrt() - (1 - weight).sqrt()
    torch.testing.assert_close(first[:, 0], expected, atol=1e-4, rtol=0)
    assert ((weight >= 0) & (weight <= 1)).all()
    assert weight.std() > 0.2


def test_the_spread_of_a_class_is_kept():
    codes = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    new, _, _ = between(
        codes, torch.ones(400, 1), torch.zeros(400).long(), 4000, generator(0, "test")
    )
    torch.testing.assert_close(new.mean(dim=0), codes.mean(dim=0), atol=0.05, rtol=0)
    torch.testing.assert_close(new.std(dim=0), codes.std(dim=0), atol=0.05, rtol=0)


def test_what_is_said_of_a_set_is_said_of_what_it_draws():
    guarantee = Guarantee(PrivacyBudget(8.0, 1e-4), (Release("a", 4.0),))
    private = provenance(corpus_digest=None, training_utterances=None, estimate="UAR 0.61")
    schedule = NativeSchedule(torch.ones(1), 0.0, 1)
    own = a_set(guarantee=guarantee, provenance=private, schedule=schedule, nested=(1, 2))
    drawn = own.drawn(9, seed=0)
    assert drawn.guarantee == guarantee
    assert drawn.provenance.notes[:-1] == own.provenance.notes
    assert drawn.schedule is None  # which is for certain items
    assert drawn.nested == ()
    assert drawn.provenance.estimate is None


def test_a_set_without_a_decoder_draws_nothing():
    with pytest.raises(SetError, match=r'this set stores its items: make one with `decoder = "g'):
        small_set().drawn(5, seed=0)


@pytest.mark.parametrize("count", [0, -1, 10**9])
def test_impossible_numbers_of_items(count):
    with pytest.raises(SetError, match=rf"from 1 to [\d,]+ items of each emotion .*found {count}$"):
        a_set().drawn(count, seed=0)


def test_an_emotion_with_one_item_has_nothing_between():
    with pytest.raises(SetError, match=r"between 2 of an emotion, and one emotion .* has 1: make"):
        a_set(torch.tensor([0, 0, 1, 2, 2])).drawn(5, seed=0)


def test_the_card_says_that_more_can_be_drawn(tmp_path):
    a_set().save(tmp_path / "set")
    small_set().save(tmp_path / "plain")
    drawing = "`synth-data draw SET --items 100 --out FOLDER`"
    assert drawing in (tmp_path / "set" / "README.md").read_text()
    assert drawing not in (tmp_path / "plain" / "README.md").read_text()
