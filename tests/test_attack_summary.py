"""What is reported of attackers: the strongest that counts, pooled over folds and speakers."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from simulated_claims import weighed_mean
from small_evaluation import OTHERS, QUICK, a_set, judged

from evaluation import students
from evaluation.attacks import attempts
from evaluation.attacks.attempts import Attempt
from evaluation.attacks.summary import attacks
from evaluation.runs import FULL, RUNS, FoldResult
from synth_data.real import RealSet
from synth_data.utterance import UNKNOWN

HIDDEN = f"{FULL}, hidden"
DRAWS = np.random.default_rng(0)  # of games where utterances are counted


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
    assert alike.success.interval is None
    low, high = apart.success.interval
    assert low < 0.6 < 0.9 < high


def test_speech_is_compared_with_itself_on_the_same_folds_alone(fold):
    """What is heard on one fold only is as good as plain speech there, whatever others have."""
    folds = [
        replace(fold, attempts=(naming("linear", 9), naming("linear", 9, HIDDEN))),
        replace(fold, fold=2, attempts=(naming("linear", 5),)),
    ]
    plain, hidden = attacks(folds, np.random.default_rng(0))
    assert (plain.success.mean, plain.folds) == (pytest.approx(0.7), 2)
    assert (hidden.against_plain, hidden.folds) == (pytest.approx(1.0), 1)


def test_where_few_can_be_named_most_of_the_way_from_chance_is_enough(fold):
    """Of three speakers three times chance is all; 0.8 of the way is 0.87."""
    (near,) = found(fold, replace(naming("linear", 9), chance=1 / 3))
    (far,) = found(fold, replace(naming("linear", 8), chance=1 / 3))
    assert near.valid
    assert not far.valid


def claims(rate: float, speech: str = FULL, **changes) -> Attempt:
    """Verification of eight speakers with an equal error rate, their own 0.02 apart."""
    names = tuple("abcdefgh")
    apart = weighed_mean(names, 0.02 * np.arange(8) - 0.07)
    start = Attempt(speech, "verification", "unseen", "linear", True, 0, names, linkability=0.5)
    usual = {"rate": rate, "resampled": tuple((rate + apart).tolist()), "voices": 8}
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
    assert plain.success.interval is not None
    reach = stats.t.ppf(0.975, 7) * 0.02 * np.sqrt(6 / 8) / (0.06 * 0.94)  # on the logit scale
    ends = stats.logistic.cdf(np.log(0.06 / 0.94) + np.array([-reach, reach]))
    assert plain.success.interval == pytest.approx(ends, rel=0.15)
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


def test_whoever_recurs_in_folds_is_one_speaker(fold):
    """A second fold with the same speakers says nothing more of other ones; other folds do."""
    others = tuple("stuvwxyz")
    spread = 0.06 + weighed_mean(others, 0.02 * np.arange(8) - 0.07)
    apart = claims(0.06, speakers=others, resampled=tuple(spread.tolist()))
    one, same, more = (
        next(attacks([replace(fold, attempts=(each,)) for each in folds], DRAWS)).success.interval
        for folds in ((claims(0.06),), (claims(0.06),) * 2, (claims(0.06), apart))
    )
    assert same == pytest.approx(one)
    assert more[1] - more[0] < 0.8 * (one[1] - one[0])


def test_seeds_are_no_speakers(fold):
    (one,), (three,) = (
        found(fold, *(claims(0.06, seed=seed) for seed in range(seeds))) for seeds in (1, 3)
    )
    assert three.success == one.success


def test_of_membership_both_sides_are_drawn_again(fold):
    """As many as on the smaller side: one who is out is not enough."""
    few = claims(0.95, game="membership", whose="both", others=("y", "z"))
    two, one, none = (
        found(fold, replace(few, others=names))[0].success.interval
        for names in (("y", "z"), ("z",), ())
    )
    assert one is none is None
    assert two is not None
    assert two[0] < 0.9 < 0.95 < two[1]


def test_what_earlier_versions_kept_has_no_interval(fold, tmp_path):
    """They drew speakers again in each fold, and did not say whom."""
    replace(fold, attempts=(claims(0.08), claims(0.08, seed=1))).save(tmp_path)
    stored = json.loads((tmp_path / RUNS).read_text(encoding="utf-8"))
    for attempt in stored["attempts"][1:]:
        del attempt["others"]
        attempt["speakers"] = []
    (tmp_path / RUNS).write_text(json.dumps(stored), encoding="utf-8")
    loaded = FoldResult.load(tmp_path)
    (success,) = (one.success for one in attacks([loaded], DRAWS))
    assert success.mean == pytest.approx(0.08)
    assert success.interval is None


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


def nameless(real: RealSet, speakers: Sequence[str]) -> RealSet:
    """The same, where nobody knows who these speakers are."""
    return replace(
        real,
        utterances=tuple(
            replace(one, speaker=f"{UNKNOWN}{one.name}") if one.speaker in speakers else one
            for one in real.utterances
        ),
    )


def test_unknown_speakers_are_nobody_to_be_recognised(monkeypatch):
    monkeypatch.setattr(attempts, "SEEDS", 1)
    monkeypatch.setitem(students.RECIPES, "tdnn", QUICK)
    asked = {"seeds": 1, "baselines": (FULL,), "attacks": ("membership",)}
    train = nameless(OTHERS, OTHERS.speakers[:1])
    left_out = len(OTHERS) - sum(not one.of_unknown_speaker for one in train.utterances)
    result = judged(a_set(), train=train, **asked)
    assert f"attack: {left_out} utterances of unknown speakers, who are nobody to be " in "".join(
        result.unavailable
    )
    names = {name for one in result.attempts for name in (*one.speakers, *one.others)}
    assert names
    assert not any(name.startswith(UNKNOWN) for name in names)

    result = judged(a_set(), train=nameless(OTHERS, OTHERS.speakers), **asked)
    assert not result.attempts
    assert any("a side of the fold has no known speaker" in why for why in result.unavailable)
