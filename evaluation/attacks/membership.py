"""Does a set tell which speakers it was made from?

The attacker has utterances of somebody, as the set's students hear them, and says how near items of
the set come to them, on average or to the nearest tenth: nearer for speakers that the set was made
from than for those that were held out, as far as it tells. This is the speaker's membership (Tseng
et al. 2021, arXiv:2111.05113, on speech models); the utterances of those that are in are those that
the set was made from, which is more than an attacker would have: a bound on their success.

What travels with a set may tell as well. Linear erasure brings every speaker that it was fitted to
to one point, which is stored; and an encoder is surest of what it has learned from.

The attackers of items are given the answer as a control: real utterances, as they are, of the
speakers that are in, as many as the smallest set has items.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from evaluation.attacks.attempts import SEEDS, Attempt, Scene, Speech
from evaluation.attacks.recurring import weights_of
from evaluation.attacks.speaker import Voices
from synth_data.progress import SILENT, Progress
from synth_data.randomness import generator
from synth_data.transforms import EraseFrames, EraseStatistics, ReRender, Transform
from synth_data.transforms.erase import statistics_of

TENTH = 0.1  # of a speaker's utterances, and one at least
COARSE = 8  # frames that are taken together, as students take them


def who_is_in(scene: Scene, progress: Progress = SILENT) -> tuple[list[Attempt], list[str]]:
    """How well each set tells which speakers it was made from.

    Args:
        scene: what is attacked.
        progress: a bar for the sets.

    Returns:
        What attackers did, and what could not be tried, and why.
    """
    plain = scene.ways[0]
    found = []
    for seed in range(SEEDS if scene.sets else 0):
        draws = generator(scene.seed, "membership", seed)
        fewest = min(len(shared.items) for shared in scene.sets)
        rows = torch.randperm(len(plain.fitted.features), generator=draws)[:fewest]
        found += _attempts(plain.name, plain, plain.fitted.features[rows], seed)
    for shared in progress(scene.sets):
        # Sets from speech as it is and from other speech alike: beside the control, not part of it.
        name = f"{plain.name}, {shared.name}"
        found += _attempts(name, shared.speech, shared.items, 0)
        for transform in shared.transforms:
            told = _told_by(transform, plain, shared.speech)
            found += [_attempt(name, who, near, shared.speech, 0) for who, near in told.items()]
    return found, []


def area_of(
    nearness: Mapping[str, float], inside: Sequence[str], outside: Sequence[str]
) -> tuple[float, tuple[float, ...]]:
    """The area under the curve over speakers, and the same under each row of their `weights_of`.

    Args:
        nearness: of each speaker to what is attacked.
        inside: speakers that it was made from, at least one.
        outside: the others, at least one.
    """
    known, others = (np.array([nearness[name] for name in side]) for side in (inside, outside))
    # Of every pair of speakers, whether the one that is in is nearer; half of it where none is.
    nearer = (known[:, None] > others) + 0.5 * (known[:, None] == others)
    weigh, weigh_others = (weights_of(side) for side in (inside, outside))
    pairs = weigh.sum(axis=1) * weigh_others.sum(axis=1)
    again = ((weigh @ nearer) * weigh_others).sum(axis=1) / pairs
    return float(nearer.mean()), tuple(again.round(6).tolist())


def _attempts(
    name: str, speech: Speech, items: Float[Tensor, "m mel frame"], seed: int
) -> list[Attempt]:
    """Of the attackers of items."""
    features = torch.cat([speech.fitted.features, speech.unseen.features])
    names = [*speech.fitted.speakers, *speech.unseen.speakers]
    near = _nearness_of_speakers(features, names, items)
    return [_attempt(name, who, of_speaker, speech, seed) for who, of_speaker in near.items()]


def _attempt(
    name: str, attacker: str, nearness: Mapping[str, float], speech: Speech, seed: int
) -> Attempt:
    inside = tuple(dict.fromkeys(speech.fitted.speakers))
    outside = tuple(each for each in dict.fromkeys(speech.unseen.speakers) if each not in inside)
    rate, again = area_of(nearness, inside, outside)
    return Attempt(
        *(name, "membership", "both", attacker, True, seed),
        speakers=inside,
        others=outside,
        rate=rate,
        resampled=again,
        voices=len(inside) + len(outside),
    )


def _told_by(transform: Transform, plain: Speech, heard: Speech) -> dict[str, dict[str, float]]:
    """What a transform that travels with the set tells of each speaker, by attacker.

    Args:
        transform: it.
        plain: speech that has not met it.
        heard: the same speech as it went through.
    """

    def by_speaker(of: Callable[[Voices], Tensor], speech: Speech) -> dict[str, Tensor]:
        rows = torch.cat([of(speech.fitted), of(speech.unseen)])
        names = [*speech.fitted.speakers, *speech.unseen.speakers]
        masks = {name: [other == name for other in names] for name in dict.fromkeys(names)}
        return {name: rows[mask].mean(dim=0) for name, mask in masks.items()}

    if isinstance(transform, EraseStatistics | EraseFrames):
        statistic = statistics_of if isinstance(transform, EraseStatistics) else _over_time
        means = by_speaker(lambda voices: statistic(voices.features), heard)
        erased_to = transform.mean
        return {"erased mean": {n: -float((m - erased_to).norm()) for n, m in means.items()}}
    if isinstance(transform, ReRender):
        sure = by_speaker(lambda voices: transform.sureness(voices.features), plain)
        return {"encoder's sureness": {name: float(value) for name, value in sure.items()}}
    return {}


def _over_time(features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel"]:
    return features.mean(dim=2)


def _nearness_of_speakers(
    features: Float[Tensor, "n mel frame"],
    names: Sequence[str],
    items: Float[Tensor, "m mel frame"],
) -> Mapping[str, Mapping[str, float]]:
    """Of each speaker's utterances, by attacker."""
    found: dict[str, dict[str, float]] = {}
    for attacker, nearness in _nearness(features, items).items():
        for name in dict.fromkeys(names):
            own = nearness[[other == name for other in names]]
            nearest = own.topk(max(1, round(TENTH * len(own)))).values
            found.setdefault(attacker, {})[name] = float(own.mean())
            found.setdefault(f"{attacker}, nearest tenth", {})[name] = float(nearest.mean())
    return found


def _nearness(
    features: Float[Tensor, "n mel frame"], items: Float[Tensor, "m mel frame"]
) -> Mapping[str, Float[Tensor, " n"]]:
    """Of each utterance to the item that is nearest to it, by attacker."""
    course, of_items = (_unit(_coarse(each).flatten(1)) for each in (features, items))
    voices, voices_of_items = statistics_of(features), statistics_of(items)
    deviation, mean = torch.std_mean(voices, dim=0, correction=0)
    voices, voices_of_items = (
        (each - mean) / deviation.clamp_min(1e-3) for each in (voices, voices_of_items)
    )
    return {
        "nearest item": (course @ of_items.T).amax(dim=1),
        "nearest voice": -torch.cdist(voices, voices_of_items).amin(dim=1),
    }


def _coarse(features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel step"]:
    steps = max(1, features.shape[2] // COARSE)
    return functional.adaptive_avg_pool1d(features, steps)


def _unit(rows: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
    rows = rows - rows.mean(dim=1, keepdim=True)
    return rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)
