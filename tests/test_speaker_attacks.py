"""Attackers hear what is there, and nothing else: the answer planted, taken away, and swapped."""

import audmetric
import numpy as np
import pytest
import torch
from sklearn.metrics import roc_curve
from torch import Tensor

from evaluation.attacks import attempts, speaker
from evaluation.attacks.attackers import ATTACKERS, Trained
from evaluation.attacks.attempts import Scene, Speech, who_is_speaking
from evaluation.attacks.recurring import weights_of
from evaluation.attacks.speaker import (
    ImpossibleError,
    Trials,
    Voices,
    identify,
    tell_gender,
    verify,
)
from evaluation.students import RECIPES, Recipe

MELS, FRAMES = 16, 24


def voices(speakers: int = 6, each: int = 12, loud: float = 1.5, seed: int = 0) -> Voices:
    """Noise, in which each speaker has an own level of each band, and each gender too."""
    draws = torch.Generator().manual_seed(seed)
    who = torch.arange(speakers * each) % speakers
    levels = loud * torch.randn(speakers, MELS, 1, generator=draws)
    gender = torch.where(who % 2 == 0, 2.0, -2.0)[:, None, None] * loud
    features = torch.randn(len(who), MELS, FRAMES, generator=draws) + levels[who]
    features[:, :1] += gender
    names = [f"{seed}-{speaker}" for speaker in who.tolist()]
    return Voices(features, names, [("male", "female")[int(name[-1]) % 2] for name in names])


def trials(scores: np.ndarray, truth: np.ndarray) -> Trials:
    return Trials(scores, truth, tuple("abcd"[: scores.shape[1]]))


@pytest.mark.parametrize("attacker", ATTACKERS.values(), ids=ATTACKERS)
def test_whoever_can_be_heard_is_heard(attacker):
    known, others = voices(), voices(seed=1)
    (guesses,) = identify(known, [known], attacker, seed=0)
    assert guesses.chance == pytest.approx(1 / 6, abs=0.02)
    assert guesses.right.sum() / guesses.tried.sum() > 0.9
    assert verify(known, [others], attacker, seed=0)[0].equal_error_rate < 0.1
    (told,) = tell_gender(known, [others], attacker, seed=0)
    assert told.right.sum() / told.tried.sum() > 0.7


@pytest.mark.parametrize("attacker", ATTACKERS.values(), ids=ATTACKERS)
def test_nobody_is_heard_in_noise(attacker):
    known, others = voices(loud=0.0), voices(loud=0.0, seed=1)
    (guesses,) = identify(known, [known], attacker, seed=0)
    assert guesses.right.sum() / guesses.tried.sum() < 3 * guesses.chance
    assert 0.35 < verify(known, [others], attacker, seed=0)[0].equal_error_rate < 0.65
    (told,) = tell_gender(known, [others], attacker, seed=0)
    assert 0.3 < told.right.sum() / told.tried.sum() < 0.7


def test_claims_are_compared_beyond_what_varies_within_a_speaker():
    """How loud the lower bands are varies more than voices do: it is learned to be no voice."""
    draws = torch.Generator().manual_seed(5)
    both = [voices(speakers=12, each=24, seed=seed) for seed in (0, 1)]
    known, others = (
        Voices(
            each.features
            + 12 * torch.randn(len(each.speakers), 1, 1, generator=draws) * tilted[:, None],
            each.speakers,
            each.genders,
        )
        for each, tilted in ((each, torch.linspace(1, 0, MELS)) for each in both)
    )
    found = verify(known, [others], ATTACKERS["nearest-neighbour"], seed=0)
    assert found[0].equal_error_rate < 0.1
    assert found[0].speakers == tuple(sorted(set(others.speakers)))  # as columns and truth count


def test_an_informed_attacker_hears_what_an_ignorant_one_does_not():
    """Where bands change places, who learned the voices as they were is lost."""
    known = voices()

    turned = Voices(known.features.flip(1), known.speakers, known.genders)
    linear = ATTACKERS["linear"]
    (ignorant,) = identify(known, [turned], linear, seed=0)
    (informed,) = identify(turned, [turned], linear, seed=0)
    assert informed.right.sum() > 0.9 * informed.tried.sum() > 2 * ignorant.right.sum()


def test_an_attacker_who_cannot_learn_is_named_and_costs_the_others_nothing(monkeypatch):
    """Where everything sounds alike discriminant analysis has nothing to divide by."""
    monkeypatch.setattr(attempts, "SEEDS", 1)
    monkeypatch.setitem(RECIPES, "tdnn", Recipe.single(steps=20))  # how well they hear is not asked
    known, others = voices(), voices(seed=1)
    flat = (Voices(0 * each.features, each.speakers, each.genders) for each in (known, others))
    scene = Scene((Speech("full", known, others), Speech("full, flat", *flat)), (), seed=0)
    found, impossible = who_is_speaking(scene)
    assert any("linear could not learn from full, flat (" in why for why in impossible)
    informed = {one.attacker for one in found if one.speech == "full, flat" and one.informed}
    assert "linear" not in informed
    assert informed >= {"mlp", "nearest-neighbour"}
    assert {one.attacker for one in found if one.speech == "full"} == set(ATTACKERS)
    claims = [one for one in found if one.speech == "full, flat" and one.game == "verification"]
    assert all(not one.linkability and 0.4 < one.rate < 0.6 for one in claims)
    assert {one.speakers for one in claims} == {tuple(sorted(set(others.speakers)))}
    assert {len(one.resampled) for one in claims} == {200}


def test_no_utterance_is_both_learned_and_named():
    seen: list[Tensor] = []

    def attacker(features: Tensor, classes: Tensor, generator: torch.Generator) -> Trained:
        seen.append(features)
        trained = ATTACKERS["linear"](features, classes, generator)

        def name(heard: Tensor) -> Tensor:
            seen.append(heard)
            return trained.name_classes(heard)

        return Trained(name, trained.points)

    known = voices()
    asked = identify(known, [known], attacker, seed=0)[0].tried.sum()
    learned, named = ({tuple(row.flatten().tolist()) for row in each} for each in seen)
    assert not learned & named
    assert len(learned) + len(named) == len(known.speakers)
    assert len(named) == asked == 6 * 4


def test_who_has_one_utterance_cannot_be_found_and_two_can():
    few = voices(speakers=2, each=1)
    with pytest.raises(ImpossibleError, match="two speakers with two utterances each; found 0"):
        identify(few, [few], ATTACKERS["linear"], seed=0)
    with pytest.raises(ImpossibleError, match="found 6 and 0"):
        verify(voices(), [few], ATTACKERS["linear"], seed=0)
    alone = Voices(few.features, ["a", "a"], ["", ""])
    with pytest.raises(ImpossibleError, match="found 1 and 6"):
        verify(alone, [voices()], ATTACKERS["linear"], seed=0)
    pairs = voices(speakers=4, each=2)
    (guesses,) = identify(pairs, [pairs], ATTACKERS["nearest-neighbour"], seed=0)
    assert guesses.tried.tolist() == [1] * 4


def test_gender_takes_both():
    men = voices().select(torch.tensor([s.endswith(("0", "2", "4")) for s in voices().speakers]))
    with pytest.raises(
        ImpossibleError, match="the tested speakers include none who is known to be female"
    ):
        tell_gender(voices(), [men], ATTACKERS["linear"], seed=0)


@pytest.mark.parametrize(("utterances", "linked"), [(199, None), (200, 0.65), (1000, 0.9)])
def test_linkability_is_not_told_of_too_few_trials(utterances, linked):
    """Perfect attackers had 0 of twelve trials, in a histogram of one bin."""
    truth = np.arange(utterances) % 4
    scores = np.eye(4)[truth] + 0.1 * np.random.default_rng(0).random((utterances, 4))
    found = trials(scores, truth).linkability
    assert found is None if linked is None else found >= linked


def test_who_hears_nothing_is_wrong_half_of_the_time_whatever_the_ties():
    """Few distinct scores, as of speech that says little, have no threshold at the crossing."""
    truth = np.array([0, 1, 2, 3] * 5)
    assert trials(np.ones((20, 4)), truth).equal_error_rate == pytest.approx(0.5)
    assert trials(np.ones((200, 4)), np.tile(truth, 10)).linkability == 0.0
    # Half of the true claims and a sixth of the false ones have the one high score.
    scores = np.zeros((20, 4))
    scores[np.arange(0, 20, 2), truth[::2]] = 1.0
    scores[np.arange(10), (truth[:10] + 1) % 4] = 1.0
    crossing = np.interp(1.0, [0, 1 / 6 + 1 / 2, 2], [0, 1 / 6, 1])
    assert trials(scores, truth).equal_error_rate == pytest.approx(crossing)


def test_chance_is_naming_whoever_is_named_most():
    """Three women and a man: who always says "female" is right three times in four."""

    def always(*_: object) -> Trained:
        return Trained(lambda heard: torch.zeros(len(heard), dtype=torch.long), lambda heard: heard)

    asked = voices(speakers=4)
    genders = ["male" if name.endswith("0") else "female" for name in asked.speakers]
    asked = Voices(asked.features, asked.speakers, genders)
    (told,) = tell_gender(voices(), [asked], always, seed=0)
    assert told.right.sum() / told.tried.sum() == told.chance == 0.75


def test_error_rates_of_claims_that_were_drawn_by_hand():
    """Three utterances of two speakers: one true claim of three is below one false one of three."""
    some = trials(np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.5]]), np.array([0, 1, 1]))
    assert some.mated.tolist() == [[True, False], [False, True], [False, True]]
    assert some.equal_error_rate == pytest.approx(1 / 3, abs=0.02)
    assert some.equal_error_rates(np.array([[2, 2]])).tolist() == [some.equal_error_rate]
    perfect = trials(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]))
    assert perfect.equal_error_rate == 0.0
    assert perfect.equal_error_rates(np.array([[0.3, 1.7]])).tolist() == [0.0]


@pytest.mark.parametrize("seed", range(5))
def test_error_rates_are_those_of_the_curve(seed):
    """With ties, and speakers who count more than once or not at all: beside scikit-learn."""
    draws = np.random.default_rng(seed)
    tied = trials(draws.integers(0, 6, size=(40, 4)) / 5, np.arange(40) % 4)
    weights = np.array([[2, 1, 0, 3], [0.2, 3.1, 0.7, 0.4], [1, 1, 1, 1]])
    expected = []
    for row in weights:
        often = np.outer(row[tied.truth], row)
        np.copyto(often, row[tied.truth][:, None], where=tied.mated)
        false, true, _ = roc_curve(
            tied.mated.ravel(), tied.scores.ravel(), sample_weight=often.ravel()
        )
        expected.append(np.interp(1.0, false + true, false))
    assert tied.equal_error_rates(weights) == pytest.approx(expected, abs=1e-9)
    assert tied.equal_error_rate == pytest.approx(expected[2], abs=1e-9)


def test_what_does_not_fit_at_once_is_told_in_parts(monkeypatch):
    some = trials(np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3)
    weights = weights_of(some.speakers)
    together = some.equal_error_rates(weights)
    for at_once in (7 * some.mated.size, 1):
        monkeypatch.setattr(speaker, "AT_ONCE", at_once)
        assert (some.equal_error_rates(weights) == together).all()


def test_a_speaker_drawn_twice_counts_twice():
    """As if the speaker's claims stood there twice."""
    draws = np.random.default_rng(0)
    some = trials(draws.normal(size=(30, 3)), np.arange(30) % 3)
    mated = some.mated
    rows = [row for row in range(30) for _ in range(2 if some.truth[row] == 0 else 1)]
    (weighted,) = some.equal_error_rates(np.array([[2, 1, 1]]))
    true_scores = some.scores[rows][mated[rows]]
    false = [
        some.scores[row, s]
        for row in rows
        for s in range(3)
        if not mated[row, s]
        for _ in range(2 if s == 0 else 1)
    ]
    by_hand = audmetric.equal_error_rate(
        [1] * len(true_scores) + [0] * len(false), [*true_scores, *false]
    )[0]
    assert weighted == pytest.approx(by_hand, abs=1e-9)
