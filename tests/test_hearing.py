"""Sets that were made from other speech: their students hear it, and the others do not."""

from dataclasses import replace

import pytest
import torch
from small_evaluation import OTHERS, QUICK, TEST, TRAIN, VALIDATION, a_set, judged, of, start

from distill.disentangle.adversarial import Adversarial
from evaluation import students
from evaluation.attacks import attempts
from evaluation.hearing import by_hearing
from evaluation.named_sets import NamedSet
from evaluation.options import AUGMENTED, RANDOM
from evaluation.runs import DISTILLED, FULL
from synth_data.curator import Curator
from synth_data.errors import SetError
from synth_data.real import RealSet
from synth_data.transforms import EraseFrames, SpeakerNormalise, Standardise, hear

MELS = TRAIN.spec.mels
ERASE = EraseFrames(torch.zeros(MELS), torch.diag((torch.arange(MELS) < 12).float()))
SCALE = Standardise(torch.zeros(MELS), torch.full((MELS,), 2.0))


def through(real: RealSet, *transforms) -> RealSet:
    """Utterances after transforms."""
    return replace(real, features=hear(transforms, real.features, real.speakers))


def made_from(*transforms, **changes):
    """A set of utterances that went through transforms."""
    return a_set(through(TRAIN, *transforms), transforms=transforms, **changes)


def test_each_set_is_tested_on_speech_as_it_was_made():
    """As if each had been judged alone, on speech that went through the same before."""
    together = judged([NamedSet("raw", a_set()), NamedSet("erased", made_from(ERASE))])
    sides = [through(side, ERASE) for side in (TRAIN, VALIDATION, TEST)]
    erased = judged(
        a_set(sides[0]),
        **dict(zip(("train", "validation", "test"), sides, strict=True)),
    )
    raw = judged(a_set())

    def heard(result, name, initialisation=None):
        return [run.predicted for run in of(result, name, initialisation)]

    assert heard(together, "erased") == heard(erased, DISTILLED) != heard(raw, DISTILLED)
    assert heard(together, "raw") == heard(raw, DISTILLED)
    assert heard(together, f"{FULL}, erased") == heard(erased, FULL, RANDOM)
    assert heard(together, FULL) == heard(raw, FULL)
    assert heard(together, "random") == heard(raw, "random")


def test_a_start_of_its_own_is_told_of_a_set_that_hears_otherwise():
    """Full data and random subsets start from the first set's weights."""
    sets = [NamedSet("raw", a_set()), NamedSet("erased", made_from(ERASE, start=start(seed=8)))]
    result = judged(sets, seeds=1, baselines=(FULL,))
    told = [why for why in result.unavailable if "those here start from raw's" in why]
    assert ["the fixed weights of erased" in why for why in told] == [True]


def test_a_set_alone_is_compared_with_speech_as_it_is():
    result = judged(made_from(ERASE), baselines=(FULL, "random"))
    raw = judged(a_set(), baselines=(FULL, "random"))
    for name in (FULL, "random"):
        assert [run.predicted for run in of(result, name)] == [
            run.predicted for run in of(raw, name)
        ]
    assert of(result, f"{FULL}, {DISTILLED}")


def test_scores_compare_with_random_subsets_of_speech_as_it_is():
    result = judged(made_from(ERASE), robust_scores=True, seeds=1)
    masked = {run.set for run in result.runs if run.recipe == AUGMENTED}
    assert masked == {DISTILLED, "random"}
    assert result.unavailable == ()


def test_sets_that_hear_alike_share_a_reference():
    sets = [NamedSet(name, made_from(ERASE)) for name in ("one", "two")]
    plain, hearings = by_hearing([NamedSet("raw", a_set()), *sets])
    assert [one.name for one in plain.sets] == ["raw"]
    assert [[one.name for one in hearing.sets] for hearing in hearings] == [["one", "two"]]
    assert (plain.full, hearings[0].full) == (FULL, f"{FULL}, one")


def test_transforms_of_one_kind_with_other_tensors_are_other_ways():
    small = Adversarial(voice=4, width=16, steps=1)
    made = [replace(small, content=content).fit(Curator(TRAIN)) for content in (0, 2)]
    for order in (made, made[::-1]):
        sets = [NamedSet(str(n), made_from(each)) for n, each in enumerate(order)]
        assert len(by_hearing(sets)[1]) == 2


def test_names_that_would_be_one_are_refused():
    other = EraseFrames(torch.ones(MELS), ERASE.matrix)
    with pytest.raises(SetError, match="several sets are called distilled whose students hear"):
        by_hearing([NamedSet("distilled", made_from(each)) for each in (ERASE, other)])
    anchors = {"anchor": (TRAIN, VALIDATION, TEST)}
    with pytest.raises(SetError, match="a set cannot be called anchor, as a baseline"):
        judged([NamedSet("anchor", made_from(ERASE))], anchors=anchors)


def test_nothing_is_asked_where_speakers_are_on_both_sides():
    result = judged(a_set(), validation=TRAIN, attacks=("speaker", "membership"), seeds=1)
    assert not result.attempts
    assert any("speakers are on both sides of the fold" in why for why in result.unavailable)


def test_normalisation_comes_before_and_is_the_same_for_all():
    sets = [
        NamedSet("scaled", made_from(SCALE)),
        NamedSet("both", made_from(SCALE, ERASE)),
    ]
    plain, hearings = by_hearing(sets)
    assert [one.name for one in plain.transforms] == ["standardise"]
    assert [one.name for one in hearings[0].transforms] == ["standardise", "erase-frames"]
    with pytest.raises(SetError, match="transform real speech in different ways before"):
        by_hearing([*sets, NamedSet("raw", a_set())])


def test_speakers_are_normalised_with_all_that_is_heard_of_them():
    heard = through(TEST, SpeakerNormalise())
    for speaker in set(TEST.speakers):
        rows = [row for row, other in enumerate(TEST.speakers) if other == speaker]
        own = heard.features[rows]
        assert torch.allclose(own.mean(dim=(0, 2)), torch.zeros(MELS), atol=1e-5)
        assert torch.allclose(own.std(dim=(0, 2), correction=0), torch.ones(MELS), atol=1e-4)
    alone = SpeakerNormalise()(TEST.features)
    assert not torch.allclose(alone, heard.features, atol=0.01)
    one = through(TEST.select([0]), SpeakerNormalise())
    assert torch.allclose(one.features, alone[:1])


def test_speech_that_somebody_else_hides_is_heard_beside(monkeypatch):
    """Students of all training data hear it, as if there were no other speech; so do attackers."""
    monkeypatch.setattr(attempts, "SEEDS", 1)
    monkeypatch.setitem(students.RECIPES, "tdnn", QUICK)  # of the attackers: who is asked counts
    sides = tuple(through(side, ERASE) for side in (TRAIN, VALIDATION, TEST))
    result = judged(a_set(), train=OTHERS, anchors={"anchor": sides}, attacks=("speaker",), seeds=1)
    alone = judged(
        a_set(sides[0]),
        seeds=1,
        **dict(zip(("train", "validation", "test"), sides, strict=True)),
    )
    found = of(result, f"{FULL}, anchor")
    assert [run.predicted for run in found] == [run.predicted for run in of(alone, FULL, RANDOM)]
    assert {attempt.speech for attempt in result.attempts} == {FULL, f"{FULL}, anchor"}
