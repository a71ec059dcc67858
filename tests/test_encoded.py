"""Many real items stored small, in the bytes of the set."""

import pytest
import torch
from fake_speech import SPEC
from small_stock import CODECS, COUNTS, FINEST, made, rows_in, stock

from evaluation.baselines import NotAvailable
from evaluation.baselines.encoded import evenly
from synth_data.codecs import Codec, size
from synth_data.frame_kinds import Cosines
from synth_data.number_kinds import Int8


@pytest.mark.parametrize("name", CODECS)
class TestEncoded:
    def test_as_many_utterances_as_the_bytes_hold(self, name):
        given = stock(ipc=1)
        (one,) = made(name, given)
        per_item = size(FINEST[name].encode(given.train.features[:1])) + 1
        assert one.bytes == len(one) * per_item
        assert one.bytes <= given.bytes
        assert len(one) == sum(COUNTS) or one.bytes > given.bytes - per_item
        counts = one.examples.targets.sum(dim=0)
        assert len(one) == sum(COUNTS) or counts.max() - counts.min() <= 1
        assert one.ships == "real items"

    def test_distinct_utterances_under_their_own_labels(self, name):
        given = stock()
        codec = FINEST[name]
        heard = codec.decode(codec.encode(given.train.features), SPEC.frames)
        (one,) = made(name, given)
        rows = rows_in(one.examples.features, heard)
        assert len(set(rows)) == len(rows)
        assert torch.equal(one.examples.targets, given.train.targets[rows])

    def test_at_most_all_utterances(self, name):
        given = stock(bytes_=10**6)
        (one,) = made(name, given)
        assert one.examples.targets.sum(dim=0).tolist() == list(COUNTS)
        assert one.bytes < given.bytes

    def test_no_class_goes_without(self, name):
        per_item = size(CODECS[name].encode(torch.zeros(1, *SPEC.shape))) + 1
        assert len(made(name, stock(bytes_=3 * per_item))[0]) == 3
        with pytest.raises(
            NotAvailable,
            match=f"each of 3 emotions takes {3 * per_item} bytes, more than the "
            f"{3 * per_item - 1} of the set",
        ):
            made(name, stock(bytes_=3 * per_item - 1))
        assert len(made(name, stock((4, 0, 4), bytes_=3 * per_item - 1))[0]) == 2


@pytest.mark.parametrize(
    ("fits", "less", "chosen"),
    [(4, 0, 4), (4, 1, 8), (8, 0, 8), (8, 1, 16), (16, 0, 16), (16, 1, 16)],
)
def test_cosines_are_as_fine_as_all_utterances_fit(fits, less, chosen):
    """Or most of the bytes would be left unused once all are in."""
    needed = sum(COUNTS) * (SPEC.mels * SPEC.frames // fits + 2 + 2 + 1)
    given = stock(bytes_=needed - less)
    (one,) = made("cosines-int8", given)
    codec = Codec(Int8(), Cosines(chosen))
    heard = codec.decode(codec.encode(given.train.features), SPEC.frames)
    assert len(one) == len(rows_in(one.examples.features, heard))
    assert len(one) == sum(COUNTS) - (fits == 16 and less)
    assert needed // 2 < one.bytes <= given.bytes


def test_a_class_that_has_no_more_leaves_its_turn_to_others():
    by_class = [[0], [10, 11], [20, 21, 22, 23]]
    assert sorted(evenly(by_class, 6, torch.Generator())) == [0, 10, 11, 20, 21, 22]
    assert sorted(evenly(by_class, 99, torch.Generator())) == [0, 10, 11, 20, 21, 22, 23]


def test_which_classes_have_one_more_is_drawn():
    by_class = [[0, 1], [10, 11], [20, 21]]
    more = {
        evenly(by_class, 4, torch.Generator().manual_seed(seed))[-1] // 10 for seed in range(20)
    }
    assert more == {0, 1, 2}
