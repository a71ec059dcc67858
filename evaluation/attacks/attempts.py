"""What attackers tried on one fold, as it is kept: success by speaker, so that folds can be pooled.

Attackers meet speech as it is and, each way of hiding who speaks for itself, speech as students of
a judged set hear it. *Fitted* speakers are those that the set was made from, whom a transform may
know best; *unseen* ones are the fold's validation and test speakers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import ConfigDict
from torch import Tensor

from evaluation.attacks.attackers import ATTACKERS
from evaluation.attacks.recurring import weights_of
from evaluation.attacks.speaker import (
    Guesses,
    ImpossibleError,
    Trials,
    Voices,
    identify,
    tell_gender,
    verify,
)
from evaluation.students import CannotTrain
from synth_data.progress import SILENT, Progress
from synth_data.randomness import generator
from synth_data.transforms import Transform

Game = Literal["identification", "verification", "gender", "membership"]
Whose = Literal["fitted", "unseen", "both"]
SEEDS = 3  # of every attacker


@dataclass(frozen=True)
class Attempt:
    """One attacker at one game on one fold.

    Attributes:
        speech: the way it is heard, by the name of full data heard in the same way.
        game: which.
        whose: voices.
        attacker: of `ATTACKERS`.
        informed: whether it learned from speech that is heard in the same way; one that did not
            learned from speech as it is.
        seed: which of its trainings.
        speakers: that were to be named, or whom claims are about; of membership, those that are in.
            Earlier versions named those that were to be named alone.
        others: of membership, the speakers that are out.
        right: utterances of each that were named right.
        tried: utterances of each.
        chance: success of one who hears nothing, in [0, 1].
        rate: equal error rate of verification, or area under the curve of membership, in [0, 1].
        resampled: the same under each row of the speakers' `weights_of`. Where the speakers are not
            named it is from an earlier version, which drew them again within the fold: no interval
            over folds can be made of that.
        voices: speakers that the rate is over.
        linkability: D_sys of verification, in [0, 1]; None where trials are too few.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    speech: str
    game: Game
    whose: Whose
    attacker: str
    informed: bool
    seed: int
    speakers: tuple[str, ...] = ()
    right: tuple[int, ...] = ()
    tried: tuple[int, ...] = ()
    chance: float = 0.5
    rate: float | None = None
    resampled: tuple[float, ...] = ()
    voices: int = 0
    linkability: float | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Speech:
    """Both sides of a fold in one way of hearing.

    Attributes:
        name: of the way.
        fitted: utterances of the speakers that sets were made from.
        unseen: of the others.
    """

    name: str
    fitted: Voices
    unseen: Voices


@dataclass(frozen=True, eq=False)
class Shared:
    """A set that is shared.

    Attributes:
        name: of the set.
        items: its features.
        speech: as its students hear it.
        transforms: that travel with it.
    """

    name: str
    items: Float[Tensor, "n mel frame"]
    speech: Speech
    transforms: Sequence[Transform] = ()


@dataclass(frozen=True, eq=False)
class Scene:
    """What attackers meet on one fold.

    Attributes:
        ways: speech in each way of hearing, as it is first.
        sets: that are shared.
        seed: that all random numbers are derived from.
    """

    ways: Sequence[Speech]
    sets: Sequence[Shared]
    seed: int


def who_is_speaking(scene: Scene, progress: Progress = SILENT) -> tuple[list[Attempt], list[str]]:
    """Every attacker at every game about voices, on all ways of hearing.

    Args:
        scene: what is attacked.
        progress: a bar for the trainings.

    Returns:
        What they did, and which games cannot be played with this speech, and why.
    """
    ways = scene.ways
    plain = ways[0]
    found: list[Attempt] = []
    impossible: dict[str, None] = {}
    trainings = [
        (learned, attacker, seed)
        for learned in ways
        for attacker in ATTACKERS
        for seed in range(SEEDS)
    ]
    for learned, attacker, seed in progress(trainings):
        informed = ways if learned is plain else (learned,)
        number = int(generator(scene.seed, "attack", attacker, seed).initial_seed() % 2**31)
        for game, whose in VOICES:
            try:
                results = _played(game, whose, learned, informed, attacker, number)
            except ImpossibleError as reason:
                impossible[f"attack: {reason}"] = None
                continue
            except (np.linalg.LinAlgError, ValueError, CannotTrain) as error:
                impossible[f"attack: {attacker} could not learn from {learned.name} ({error})"] = (
                    None
                )
                continue
            for way, result in zip(informed, results, strict=True):
                found.append(_attempt(way, learned, game, whose, attacker, seed, result))
    return found, list(impossible)


# Each game about voices with those that it is about.
VOICES: tuple[tuple[Game, Whose], ...] = (
    ("identification", "fitted"),
    ("identification", "unseen"),
    ("verification", "unseen"),
    ("gender", "unseen"),
)


def _played(
    game: Game,
    whose: Whose,
    learned: Speech,
    ways: Sequence[Speech],
    attacker: str,
    seed: int,
) -> Sequence[Guesses | Trials]:
    """What an attacker who learned from one way of hearing makes of others."""
    unseen = [way.unseen for way in ways]
    if game == "verification":
        return verify(learned.fitted, unseen, ATTACKERS[attacker], seed)
    if game == "gender":
        return tell_gender(learned.fitted, unseen, ATTACKERS[attacker], seed)
    if whose == "fitted":
        heard = [way.fitted for way in ways]
        return identify(learned.fitted, heard, ATTACKERS[attacker], seed)
    return identify(learned.unseen, unseen, ATTACKERS[attacker], seed)


def _attempt(
    way: Speech,
    learned: Speech,
    game: Game,
    whose: Whose,
    attacker: str,
    seed: int,
    result: Guesses | Trials,
) -> Attempt:
    place = (way.name, game, whose, attacker, learned is way, seed)
    if isinstance(result, Guesses):
        return Attempt(
            *place,
            result.speakers,
            tuple(result.right.tolist()),
            tuple(result.tried.tolist()),
            result.chance,
        )
    again = result.equal_error_rates(weights_of(result.speakers))
    return Attempt(
        *place,
        speakers=result.speakers,
        rate=result.equal_error_rate,
        resampled=tuple(again.round(6).tolist()),
        voices=len(result.speakers),
        linkability=result.linkability,
    )
