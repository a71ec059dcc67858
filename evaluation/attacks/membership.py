"""Does a set tell which speakers it was made from?

The attacker has utterances of somebody, as the set's students hear them, and says how near items of
the set come to them, on average or to the nearest tenth: nearer for speakers that the set was made
from than for those that were held out, as far as it tells. This is the speaker's membership (Tseng
et al. 2021, arXiv:2111.05113, on speech models); the utterances of those that are in are those that
the set was made from, which is more than an attacker would have: a bound on their success.

The same attacker is given the answer as a control: real utterances of the speakers that are in, as
many as the set has items.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional

from evaluation.attacks.attempts import RESAMPLES, SEEDS, Attempt, Scene
from synth_data.progress import SILENT, Progress
from synth_data.randomness import generator
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
    plain = scene.ways[0].name
    found = []
    for shared in progress(scene.sets):
        fitted, unseen = shared.speech.fitted, shared.speech.unseen
        features = torch.cat([fitted.features, unseen.features])
        names = [*fitted.speakers, *unseen.speakers]
        inside = dict.fromkeys(unseen.speakers, False) | dict.fromkeys(fitted.speakers, True)
        given: list[tuple[str, int, Tensor]] = [(f"{plain}, {shared.name}", 0, shared.items)]
        for seed in range(SEEDS):
            draws = generator(scene.seed, "membership", seed)
            rows = torch.randperm(len(fitted.features), generator=draws)[: len(shared.items)]
            given.append((plain, seed, fitted.features[rows]))
        for speech, seed, items in given:
            for attacker, of_speaker in _nearness_of_speakers(features, names, items).items():
                rate, again = _area(of_speaker, inside, seed)
                found.append(
                    Attempt(
                        *(speech, "membership", "both", attacker, True, seed),
                        rate=rate,
                        resampled=again,
                    )
                )
    return found, []


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


def _area(
    nearness: Mapping[str, float], inside: Mapping[str, bool], seed: int
) -> tuple[float, tuple[float, ...]]:
    """The area under the curve over speakers, and the same with speakers drawn again."""
    truth = np.array(list(inside.values()))
    scores = np.array([nearness[name] for name in inside])
    draws = np.random.default_rng(seed)
    again = []
    for _ in range(RESAMPLES):
        rows = np.concatenate(
            [draws.choice(np.flatnonzero(truth == side), (truth == side).sum()) for side in (0, 1)]
        )
        again.append(round(float(roc_auc_score(truth[rows], scores[rows])), 6))
    return float(roc_auc_score(truth, scores)), tuple(again)
