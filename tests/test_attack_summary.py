"""What is reported of attackers: the strongest that counts, pooled over folds and speakers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from small_evaluation import OTHERS, QUICK, a_set, judged

from evaluation import students
from evaluation.attacks import attempts
from evaluation.attacks.attempts import Attempt
from evaluation.attacks.summary import _rate, attacks
from evaluation.runs import FULL, FoldResult

HIDDEN = f"{FULL}, hidden"


def naming(attacker: str, right: int, speech: str = FULL, **changes) -> Attempt:
    """Three speakers with ten utterances each, of whom so many of each were named right."""
    names, tried = ("a", "b", "c"), (10, 10, 10)
    start = Attempt(
        speech, "identification", "fitted", attacker, True, 0, names, (right,) * 3, tried
    )
    return replace(start, chance=0.25, **changes)


@pytest.fixture(scope="module")
def fold() -> FoldResult:
    return judged(a_set(), seeds=1, baselines=(FULL,))


def found(fold: FoldResult, *attempts: Attempt):
    return list(attacks([replace(fold, attempts=attempts)], np.random.default_rng(0)))


def test_the_strongest_counts(fold):
    plain, hidden = found(
        fold,
        naming("linear", 8),
        naming("mlp", 9),
        naming("linear", 5, HIDDEN),
        naming("mlp", 4, HIDDEN),
        naming("mlp", 3, HIDDEN, informed=False),
    )
    assert (plain.speech, plain.attacker, plain.success.mean) == (FULL, "mlp", 0.9)
    assert (hidden.speech, hidden.attacker, hidden.success.mean) == (HIDDEN, "linear", 0.5)
    assert hidden.informed
    assert plain.against_plain is None
    assert hidden.against_plain == pytest.approx((0.5 - 0.25) / (0.9 - 0.25))
    assert plain.valid
    assert hidden.valid


def test_who_fails_on_speech_as_it_is_does_not_count(fold):
    """Three times chance is 0.75."""
    plain, hidden = found(
        fold,
        naming("linear", 8),
        naming("mlp", 7),
        naming("linear", 4, HIDDEN),
        naming("mlp", 6, HIDDEN),
    )
    assert hidden.attacker == "linear"
    assert plain.valid
    assert hidden.valid
    plain, hidden = found(fold, naming("mlp", 7), naming("mlp", 6, HIDDEN))
    assert not plain.valid
    assert not hidden.valid


def test_folds_and_seeds_are_pooled_by_utterance(fold):
    few = naming("linear", 0)
    many = replace(few, right=(20, 20, 20), tried=(20, 20, 20), chance=0.5, seed=1)
    folds = [replace(fold, attempts=(few,)), replace(fold, fold=2, attempts=(many,))]
    (one,) = attacks(folds, np.random.default_rng(0))
    assert one.success.mean == pytest.approx(2 / 3)
    assert one.chance == pytest.approx((0.25 + 2 * 0.5) / 3)
    assert one.folds == 2


def test_speakers_who_differ_widen_the_interval(fold):
    (alike,) = found(fold, naming("linear", 8))
    (apart,) = found(fold, replace(naming("linear", 8), right=(10, 10, 4)))
    assert alike.success.interval == (0.8, 0.8)
    low, high = apart.success.interval
    assert low < 0.6 < 0.9 < high


def test_where_few_can_be_named_most_of_the_way_from_chance_is_enough(fold):
    """Of three speakers three times chance is all; 0.8 of the way is 0.87."""
    (near,) = found(fold, replace(naming("linear", 9), chance=1 / 3))
    (far,) = found(fold, replace(naming("linear", 8), chance=1 / 3))
    assert near.valid
    assert not far.valid


def test_an_interval_of_errors_is_over_the_speakers():
    """Student's t, wider over fewer; none over one."""
    spread = tuple(np.random.default_rng(0).normal(0.3, 0.05, 200).tolist())
    widths = []
    for voices in (3, 8, 100):
        interval = _rate([claims(0.3, voices=voices, resampled=spread)]).interval
        assert interval is not None
        widths.append((interval[1] - interval[0]) / np.std(spread))
    t, n = stats.t.ppf(0.975, 7), 8
    assert widths[1] == pytest.approx(2 * t * (n / (n - 1)) ** 0.5, rel=1e-6)
    assert widths[0] > widths[1] > widths[2]
    assert _rate([claims(0.3, voices=1, resampled=())]).interval is None


def claims(rate: float, speech: str = FULL, **changes) -> Attempt:
    """Verification with an equal error rate."""
    start = Attempt(speech, "verification", "unseen", "linear", True, 0, linkability=0.5)
    usual = {"rate": rate, "resampled": (rate - 0.01, rate + 0.01), "voices": 8}
    return replace(start, **(usual | changes))


def test_of_claims_fewer_errors_are_more(fold):
    plain, hidden = found(
        fold,
        claims(0.08),
        claims(0.06, attacker="mlp"),
        claims(0.3, HIDDEN),
        claims(0.4, HIDDEN, attacker="mlp"),
    )
    assert (plain.attacker, plain.success.mean) == ("mlp", 0.06)
    assert (hidden.attacker, hidden.success.mean) == ("linear", 0.3)
    assert hidden.against_plain == pytest.approx((0.5 - 0.3) / (0.5 - 0.06))
    low, high = plain.success.interval
    assert low == pytest.approx(0.06 - stats.t.ppf(0.975, 7) * (8 / 7) ** 0.5 * 0.01, abs=1e-4)
    assert high == pytest.approx(0.06 + stats.t.ppf(0.975, 7) * (8 / 7) ** 0.5 * 0.01, abs=1e-4)
    assert not found(fold, claims(0.2))[0].valid


def test_who_attacks_a_transform_counts_beside_others_or_by_success(fold):
    def member(attacker: str, rate: float, speech: str = FULL) -> Attempt:
        return claims(rate, speech, game="membership", whose="both", attacker=attacker)

    for plain, of_transform, counts in ((0.95, 0.6, True), (0.7, 0.6, False), (0.7, 0.95, True)):
        _, hidden = found(
            fold,
            member("items", plain),
            member("items", 0.55, HIDDEN),
            member("transform", of_transform, HIDDEN),
        )
        assert hidden.attacker == "transform"
        assert hidden.valid == counts


def test_attempts_are_kept_with_their_fold(fold, tmp_path):
    result = replace(fold, attempts=(naming("linear", 8), claims(0.125)))
    result.save(tmp_path)
    assert FoldResult.load(tmp_path).attempts == result.attempts


def test_attackers_are_asked_for(monkeypatch):
    """Every attacker at every game, on speech as it is and as the set's students hear it."""
    monkeypatch.setattr(attempts, "SEEDS", 1)
    monkeypatch.setitem(students.RECIPES, "tdnn", QUICK)  # of the attackers: who is asked counts
    result = judged(a_set(), train=OTHERS, seeds=1, baselines=(FULL,), attacks=("speaker",))
    assert {attempt.speech for attempt in result.attempts} == {FULL}
    games = {(attempt.game, attempt.whose) for attempt in result.attempts}
    assert ("identification", "fitted") in games
    assert ("verification", "unseen") in games
    assert "attack: the attacker's speakers include none who is known to be female or male" in (
        result.unavailable
    )
    assert not judged(a_set(), seeds=1, baselines=(FULL,)).attempts
