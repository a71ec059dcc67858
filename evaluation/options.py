"""What an evaluation includes, and the names of what is in it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluation.attacks import ATTACKS
from evaluation.augment import Augment
from evaluation.baselines import BASELINES
from evaluation.runs import FULL, RANDOM_SUBSET
from evaluation.students import RECIPES, StudentRecipe
from evaluation.teachers import TEACHERS
from synth_data.errors import UserError, unknown_name

FIXED, RANDOM, NONE = "fixed", "random", "none"  # initialisations
GENERIC = "generic"  # the student's recipe in RECIPES, which is the same for every set
CUSTOM = "custom"  # another recipe, but the same for every set too
NATIVE = "native"  # the set's own schedule, where it was made for one
AUGMENTED = "augmented"  # the same recipe with masks
HARD_LABELS = "hard-labels"  # the same recipe, and of each soft target its largest share
UNTRAINED = "untrained"  # the fixed initialisation as it is: it has seen no data
MODEL = "model"  # a full-data student itself, shipped in place of a set
DP_SGD = "dp-sgd"  # begins the names of models under the guarantee of a set beside them; a recipe
MAJORITY = "majority"  # always the most frequent emotion
# Model distillation, by what the names of its rows begin with.
TEACHER = "teacher: "  # a model that teaches a student
PUPIL = "distilled-model: "  # the student that it taught, on all real training data

# Recipes of single rows, which stand with those of the recipe that all sets share.
OF_ITS_OWN = (NATIVE, DP_SGD)

MASKS = Augment(bands=4, frames=0.07)
# Baselines that start from the fixed weights too.
ALSO_FIXED = (FULL, RANDOM_SUBSET, UNTRAINED, MODEL)


@dataclass(frozen=True)
class Options:
    """What an evaluation includes.

    Attributes:
        students: by name; if empty, the networks that sets were made for, or the usual one.
        baselines: of `BASELINES`, with "model", "dp-sgd" and "majority"; full data are always
            there.
        teachers: of `TEACHERS`: model distillation.
        seeds: students per set and initialisation.
        seed: that all random numbers are derived from.
        recipes: by student; of others the usual ones (`every_recipe`).
        start_noise: sizes of noise on the fixed weights, from which students of judged sets, full
            data and random subsets start as well (`evaluation.starts`).
        robust_scores: also train with masks and on hard labels, for DD-Ranking's scores.
        attacks: of `ATTACKS`.
        memory: measure the peak memory of training.
    """

    students: tuple[str, ...] = ()
    baselines: tuple[str, ...] = (FULL, RANDOM_SUBSET)
    teachers: tuple[str, ...] = ()
    seeds: int = 5
    seed: int = 0
    recipes: Mapping[str, StudentRecipe] = field(default_factory=lambda: RECIPES)
    start_noise: tuple[float, ...] = ()
    robust_scores: bool = False
    attacks: tuple[str, ...] = ()
    memory: bool = False

    def __post_init__(self) -> None:
        for kind, names, allowed in (
            ("student", self.students, self.every_recipe),
            ("baseline", self.baselines, EVERY_BASELINE),
            ("teacher", self.teachers, TEACHERS),
            ("attack", self.attacks, ATTACKS),
        ):
            for name in names:
                if name not in allowed:
                    raise unknown_name(kind, name, allowed)
        if self.seeds < 1:
            raise UserError(f"a set needs at least one student; found seeds = {self.seeds}")
        for size in self.start_noise:
            if not 0 < size < math.inf:
                raise UserError(
                    f"noise on the fixed weights must be positive; found {size:g}: give sizes such "
                    f"as 0.1 (close to them) or 1 (as large as random weights)"
                )

    @property
    def every_recipe(self) -> Mapping[str, StudentRecipe]:
        """Of every student: the one given, or the usual one."""
        return {**RECIPES, **self.recipes}


GENERATIVE = "generative"  # of `BASELINES`, but trained for minutes: only where it is asked for
EVERY_BASELINE = (*BASELINES, MODEL, DP_SGD, MAJORITY)
