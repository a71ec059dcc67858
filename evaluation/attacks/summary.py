"""The strongest attacker at every game: what is reported of attempts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from evaluation.attacks.attempts import VOICES, Attempt, Game, Whose
from evaluation.attacks.recurring import Rate, interval_of
from evaluation.intervals import alike, share_interval, speaker_weights
from evaluation.records import Attack, Estimate
from evaluation.runs import FULL, FoldResult

# What an attacker must reach on speech as it is, or its failure elsewhere says nothing.
EQUAL_ERROR_RATE = 0.1  # at most
TIMES_CHANCE = 3  # of identification, at least
SHARE_OF_LEAD = 0.8  # of the way from chance to all; enough where that is less
TINY = 1e-9  # what rounding makes of nothing
AT_LEAST = 0.9  # of gender and membership: three times their chance is more than all
GAMES: tuple[tuple[Game, Whose], ...] = (*VOICES, ("membership", "both"))
VALIDITY = (
    f"{TIMES_CHANCE} times chance (or {SHARE_OF_LEAD:g} of the way from chance to all, where that "
    f"is less), an equal error rate of {EQUAL_ERROR_RATE:g} or less, {AT_LEAST:g} of genders, an "
    f"area under the curve of {AT_LEAST:g} for membership"
)


@dataclass(frozen=True)
class _Reached:
    """How far one attacker got, pooled over folds and seeds."""

    attacker: str
    informed: bool
    success: Estimate
    chance: float
    of_errors: bool = False
    linkability: float | None = None

    @property
    def lead(self) -> float:
        """Over chance; of errors, those that it does not make."""
        apart = self.success.mean - self.chance
        return -apart if self.of_errors else apart


def attacks(folds: Sequence[FoldResult], draws: np.random.Generator) -> Iterator[Attack]:
    """The strongest attacker for each way of hearing and game, speech as it is first.

    The strongest is chosen by its success: a choice in the attacker's favour. An attacker counts
    if it gets far enough on speech as it is; where none does, the strongest is marked. One that
    cannot be tried there counts beside others that do, and alone if it gets as far itself.

    Args:
        folds: that are parts of one test.
        draws: of the resamples behind the intervals.
    """
    tried = [attempt for fold in folds for attempt in fold.attempts]
    ways = list(dict.fromkeys(attempt.speech for attempt in tried))
    for game, whose in GAMES:
        reached = {
            way: list(_reached(folds, way, game, whose, draws)) for way in sorted(ways, key=_first)
        }
        on_plain = {one.attacker for one in reached.get(FULL, [])}
        counting = {one.attacker for one in reached.get(FULL, []) if _gets_far(game, one)}
        for way, all_of_them in reached.items():
            # Who attacks a transform has no speech as it is to succeed on.
            valid = [
                one
                for one in all_of_them
                if one.attacker in counting
                or (one.attacker not in on_plain and (counting or _gets_far(game, one)))
            ]
            if not all_of_them:
                continue
            best = max(valid or all_of_them, key=lambda one: one.lead)
            where = [fold for fold in folds if _own(fold, way, game, whose)]
            on_same = reached.get(FULL, [])
            alike = all(
                _own(fold, way, game, whose) for fold in folds if _own(fold, FULL, game, whose)
            )
            if not alike:
                # Not on others, which have other speakers.
                on_same = list(_reached(where, FULL, game, whose, draws))
            plain = max((one.lead for one in on_same), default=0.0)
            yield Attack(
                speech=way,
                game=game,
                whose=whose,
                attacker=best.attacker,
                informed=best.informed,
                success=best.success,
                chance=best.chance,
                against_plain=None if way == FULL or plain <= 0 else best.lead / plain,
                linkability=best.linkability,
                valid=bool(valid),
                folds=len({fold.fold for fold in where}),
            )


def _first(way: str) -> bool:
    return way != FULL


def _gets_far(game: Game, one: _Reached) -> bool:
    if game == "verification":
        return one.success.mean <= EQUAL_ERROR_RATE
    if game in ("gender", "membership"):
        return one.success.mean >= AT_LEAST
    most = one.chance + SHARE_OF_LEAD * (1 - one.chance)
    return one.success.mean >= min(TIMES_CHANCE * one.chance, most)


def _reached(
    folds: Sequence[FoldResult], way: str, game: Game, whose: Whose, draws: np.random.Generator
) -> Iterator[_Reached]:
    """Every attacker at a game."""
    own = [attempt for fold in folds for attempt in _own(fold, way, game, whose)]
    for who, informed in dict.fromkeys((each.attacker, each.informed) for each in own):
        mine = [each for each in own if (each.attacker, each.informed) == (who, informed)]
        if game == "verification":
            known = [each.linkability for each in mine if each.linkability is not None]
            linkability = fmean(known) if known else None
            yield _Reached(who, informed, _rate(mine), 0.5, True, linkability)
        elif game == "membership":
            yield _Reached(who, informed, _rate(mine), 0.5)
        else:
            yield _Reached(who, informed, _share(mine, draws), _chance(mine))


def _own(fold: FoldResult, way: str, game: Game, whose: Whose) -> list[Attempt]:
    """A fold's attempts at a game."""
    return [
        attempt
        for attempt in fold.attempts
        if (attempt.speech, attempt.game, attempt.whose) == (way, game, whose)
    ]


def _chance(attempts: Sequence[Attempt]) -> float:
    """Over all utterances, since folds differ in how many speakers there are to choose from."""
    tried = [sum(each.tried) for each in attempts]
    chances = [each.chance for each in attempts]
    return sum(n * one for n, one in zip(tried, chances, strict=True)) / sum(tried)


def _share(attempts: Sequence[Attempt], draws: np.random.Generator) -> Estimate:
    """Of utterances named right, with an interval over speakers, where these differ at all."""
    names = sorted({speaker for each in attempts for speaker in each.speakers})
    counts = np.zeros((2, len(names)))
    for each in attempts:
        rows = [names.index(speaker) for speaker in each.speakers]
        np.add.at(counts, (0, rows), each.right)
        np.add.at(counts, (1, rows), each.tried)
    weights = speaker_weights(len(names), draws)
    shares = (weights @ counts[0]) / (weights @ counts[1])
    # As many of everybody, such as all, says nothing of how many of others it would be.
    interval = share_interval(shares, alike(counts[1])) if np.ptp(shares) > TINY else None
    return Estimate(mean=float(shares[0]), interval=interval)


def _rate(attempts: Sequence[Attempt]) -> Estimate:
    """The mean rate, with an interval over speakers by name, in whichever folds they are."""
    rates = [
        Rate(
            each.rate or 0.0,
            np.array(each.resampled),
            (each.speakers, each.others) if each.game == "membership" else (each.speakers,),
        )
        for each in attempts
    ]
    return Estimate(mean=fmean(rate.value for rate in rates), interval=interval_of(rates))
