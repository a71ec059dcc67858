"""Items that are drawn by a set's decoder."""

import pytest
import torch
from small_sets import provenance, set_of_codes, small_set

from synth_data.drawing import mixed
from synth_data.errors import SetError
from synth_data.guarantee import Guarantee
from synth_data.ledger import PrivacyBudget, Release
from synth_data.provenance import FROM_REAL
from synth_data.randomness import generator
from synth_data.schedule import NativeSchedule
from synth_data.synthetic import SyntheticSet


def test_as_many_items_of_each_emotion_as_asked_for_by_the_same_decoder(tmp_path):
    own = set_of_codes()
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
    own = set_of_codes()
    one, again, other = (own.drawn(5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.features, again.features)
    assert torch.equal(one.targets, again.targets)
    assert not torch.equal(one.features, other.features)
    assert "with seed 1 by the decoder of a set of 12 items" in other.provenance.notes[-1]


def test_uneven_classes_are_drawn_evenly():
    drawn = set_of_codes(torch.tensor([0] * 7 + [1] * 3 + [2] * 2)).drawn(4, seed=0)
    assert drawn.per_class == {"anger": 4, "neutral": 4, "sadness": 4}


def test_codes_and_labels_mix_two_of_their_class():
    """Two codes of each class, that differ in one direction, and labels that tell them apart."""
    codes = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [5.0, 3.0], [5.0, 1.0]])
    targets = torch.tensor([[1.0, 0.0], [0.6, 0.4], [0.0, 1.0], [0.2, 0.8]])
    classes = torch.tensor([0, 0, 1, 1])
    new, said, own = mixed(codes, targets, classes, 500, generator(0, "test"))
    assert own.tolist() == [0] * 500 + [1] * 500
    first, second = new[:500], new[500:]
    assert (first[:, 1] == 0).all()
    assert (second[:, 0] == 5).all()
    # c - m is 1 or -1 here. Where c and c' differ, the roots' difference tells the weight.
    weight = (said[:500, 0] - 0.6) / 0.4
    apart = first[:, 0].abs() < 1
    torch.testing.assert_close(
        first[apart, 0], (weight.sqrt() - (1 - weight).sqrt())[apart], atol=1e-4, rtol=0
    )
    assert 0.4 < float(apart.float().mean()) < 0.6
    assert ((weight[~apart] < 1e-6) | (weight[~apart] > 1 - 1e-6)).all()
    assert weight[apart].std() > 0.2


@pytest.mark.parametrize("count", [2, 3, 10, 100])
def test_the_mean_and_the_spread_of_a_class_are_kept(count):
    codes = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    new, _, _ = mixed(
        codes, torch.ones(count, 1), torch.zeros(count).long(), 40_000, generator(0, "test")
    )
    spread = codes.std(dim=0, correction=0)
    assert ((new.mean(dim=0) - codes.mean(dim=0)).abs() < 0.03 * spread).all()
    torch.testing.assert_close(new.std(dim=0), spread, atol=0, rtol=0.03)


def test_where_one_of_two_is_not_told_the_other_counts():
    """Rows of which one tells an emotion and one does not, in a set of both."""
    nothing = float("nan")
    targets = torch.tensor([[0.7, 0.3, 0.5], [nothing, nothing, -0.5]])
    _, said, _ = mixed(torch.eye(2), targets, torch.zeros(2).long(), 200, generator(0, "test"))
    told = ~said[:, 0].isnan()
    assert 0.6 < float(told.float().mean()) < 0.9
    torch.testing.assert_close(said[told][:, :2], targets[:1, :2].expand(int(told.sum()), 2))
    assert said[:, 2].isfinite().all()
    assert torch.equal(said[:, 0].isnan(), said[:, 1].isnan())


def test_what_is_said_of_a_set_is_said_of_what_it_draws(tmp_path):
    guarantee = Guarantee(PrivacyBudget(8.0, 1e-4), (Release("a", 4.0),))
    near = f"{FROM_REAL} and stays close to it"
    private = provenance(
        corpus_digest=None, training_utterances=None, estimate="UAR 0.61", notes=(near,)
    )
    schedule = NativeSchedule(torch.ones(1), 0.0, 1)
    own = set_of_codes(guarantee=guarantee, provenance=private, schedule=schedule, nested=(1, 2))
    own.drawn(9, seed=0).save(tmp_path / "drawn")
    drawn = SyntheticSet.load(tmp_path / "drawn")
    assert drawn.guarantee == guarantee
    first, last = drawn.provenance.notes
    assert first == f"of the set that it was drawn from: {near}"
    assert drawn.provenance.near_real
    assert "the native schedule of that set is for its own items, and is left out" in last
    assert drawn.schedule is None
    assert drawn.nested == ()
    assert drawn.provenance.estimate is None


def test_what_is_drawn_can_be_cut_and_drawn_from_again(tmp_path):
    again = set_of_codes().drawn(9, seed=0).drawn(4, seed=1).prefix(2)
    again.save(tmp_path / "again")
    loaded = SyntheticSet.load(tmp_path / "again")
    assert loaded.per_class == {"anger": 2, "neutral": 2, "sadness": 2}
    of_first, of_second, cut = loaded.provenance.notes[-3:]
    assert of_first.startswith("of the set that it was drawn from: its items, 9 of each class")
    assert of_second.startswith("its items, 4 of each class, were drawn with seed 1")
    assert "it is the first 2 items" in cut


def test_a_set_without_a_decoder_draws_nothing():
    with pytest.raises(SetError, match=r'this set stores its items: make one with `decoder = "g'):
        small_set().drawn(5, seed=0)


@pytest.mark.parametrize("count", [0, -1, 10**9])
def test_impossible_numbers_of_items(count):
    with pytest.raises(SetError, match=rf"from 1 to [\d,]+ items of each class .*found {count}$"):
        set_of_codes().drawn(count, seed=0)


def test_a_class_with_one_item_has_nothing_to_mix():
    with pytest.raises(SetError, match=r"mix two of a class, and one class .* a single item: make"):
        set_of_codes(torch.tensor([0, 0, 1, 2, 2])).drawn(5, seed=0)


def test_the_card_says_that_more_can_be_drawn(tmp_path):
    set_of_codes().save(tmp_path / "set")
    small_set().save(tmp_path / "plain")
    drawing = "`synth-data draw SET --items 100 --out FOLDER`"
    assert drawing in (tmp_path / "set" / "README.md").read_text()
    assert drawing not in (tmp_path / "plain" / "README.md").read_text()
