"""Which sets can be judged in one report, on which folds; nothing is trained here."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_speech import SPEC, fake_speech
from small_evaluation import session
from small_sets import provenance, small_set

from evaluation.named_sets import NamedSet
from evaluation.session import Session
from synth_data.corpora.toy import TOY
from synth_data.corpus import listing
from synth_data.errors import SetError

REAL = fake_speech()


def made(name: str = "mine", **changes: Any) -> NamedSet:
    of = {"corpus": TOY.name, "protocol": "four-speaker-folds", "fold": 1} | changes
    return NamedSet(name, small_set(provenance=provenance(**of)), 1.0, Path(name))


def together(*sets: NamedSet, **asked: Any) -> Session:
    return replace(session(sets[0], TOY, **asked), sets=sets)


def test_sets_of_several_folds_are_judged_each_on_its_own():
    one, other, third = made(), made("theirs"), made(fold=3)
    found = together(third, one, other).folds(REAL)
    assert found == {1: [one, other], 3: [third]}
    assert together(third, one, other, fold=3).folds(REAL) == {3: [third]}


def test_sets_of_different_protocols_are_refused():
    """Test speakers of a fold of one are training speakers of the other's fold of that number."""
    with pytest.raises(SetError, match=r"mine was made by protocol four-.* theirs by leave-one-sp"):
        together(made(), made("theirs", protocol="leave-one-speaker-out"))


def test_a_set_of_all_speakers_is_not_dropped_in_silence():
    with pytest.raises(SetError, match="shipped was made from all speakers of toy, which leaves"):
        together(made(), made("shipped", fold=None)).folds(REAL)


def test_a_fold_that_another_corpus_lacks():
    """Whatever folds the sets are of."""
    one, toy = made(corpus="emodb", fold=2), listing(TOY, None, SPEC)
    assert together(one, label_map={}, fold=4).folds(toy) == {4: [one]}
    with pytest.raises(SetError, match=r"fold 99 does not exist: .* on toy has folds 1 to 4; give"):
        together(one, label_map={}, fold=99).folds(toy)
