"""DD-Ranking's scores: is a set good, or only the way students are trained on it?

Li et al. 2025, "DD-Ranking: Rethinking the Evaluation of Dataset Distillation" (arXiv
2505.13300). With UAR of students on held-out speakers as accuracy, in [0, 1]:

    hard-label recovery       HLR = full - set with hard labels           (smaller is better)
    improvement over random   IOR = set - random, both by the set's own recipe
    label-robust score        LRS = norm(w IOR - (1 - w) HLR), w = 0.5
    augmentation-robust score ARS = norm(g IOR with augmentation + (1 - g) IOR without), g = 0.5
    norm(x) = (e^x - e^-1) / (e - e^-1), from [-1, 1] to [0, 1]; no lead and no loss is 0.269

The published code (0.2.0) puts percentages where the formula needs fractions, and keeps the
learning rate and epoch that are best on the test data; here both are as the formula says and as
validation chose.
"""

import math

import numpy as np
from jaxtyping import Float

from evaluation.intervals import share_interval
from evaluation.options import AUGMENTED, HARD_LABELS
from evaluation.records import Estimate, Score
from evaluation.runs import CLEAN, FULL, RANDOM_SUBSET, Condition
from evaluation.scope import Scope
from evaluation.starts import noise_of

LABELS_WEIGHT = 0.5  # w
AUGMENTATION_WEIGHT = 0.5  # g


def scores(scope: Scope) -> list[Score]:
    """Of each judged set on clean speech for which there is what a score needs."""
    found = [
        Score(
            **condition._asdict(),
            label_robust=_label_robust(scope, condition),
            augmentation_robust=_augmentation_robust(scope, condition),
        )
        for condition, sample in scope.samples.items()
        if sample.runs[0].judged
        and condition.speech == CLEAN
        and condition.recipe not in (AUGMENTED, HARD_LABELS)
        and noise_of(condition.initialisation) is None
    ]
    return [score for score in found if score.label_robust or score.augmentation_robust]


def normalised(lead: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """From a lead in [-1, 1] to a score in [0, 1].

    >>> normalised(np.array([-1.0, 0.0, 1.0])).round(3).tolist()
    [0.0, 0.269, 1.0]
    """
    lowest, highest = math.exp(-1), math.e
    return np.asarray((np.exp(lead) - lowest) / (highest - lowest))


def _label_robust(scope: Scope, condition: Condition) -> Estimate | None:
    full = scope.samples.get(condition._replace(set=FULL, ipc=None))
    random = scope.samples.get(condition._replace(set=RANDOM_SUBSET))
    hard = scope.samples.get(condition._replace(recipe=HARD_LABELS))
    if hard is None and not scope.samples[condition].runs[0].soft_labels:
        hard = scope.samples[condition]
    if full is None or random is None or hard is None:
        return None
    own = scope.samples[condition].uar
    lead = LABELS_WEIGHT * (own - random.uar) - (1 - LABELS_WEIGHT) * (full.uar - hard.uar)
    return _score(scope, lead)


def _augmentation_robust(scope: Scope, condition: Condition) -> Estimate | None:
    random = scope.samples.get(condition._replace(set=RANDOM_SUBSET))
    augmented = scope.samples.get(condition._replace(recipe=AUGMENTED))
    random_augmented = scope.samples.get(condition._replace(set=RANDOM_SUBSET, recipe=AUGMENTED))
    if random is None or augmented is None or random_augmented is None:
        return None
    without = scope.samples[condition].uar - random.uar
    masked = augmented.uar - random_augmented.uar
    lead = AUGMENTATION_WEIGHT * masked + (1 - AUGMENTATION_WEIGHT) * without
    return _score(scope, lead)


def _score(scope: Scope, lead: Float[np.ndarray, " row"]) -> Estimate:
    values = normalised(lead)
    return Estimate(mean=float(values[0]), interval=share_interval(values, scope.alike))
