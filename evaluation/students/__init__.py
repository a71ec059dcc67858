"""Students, by name, and the generic recipe of each: the same whoever made the set.

A student is a network of `evaluation.networks` or a classifier of pooled statistics.
"""

from collections.abc import Mapping

from evaluation.networks import NETWORKS
from evaluation.students.dp_sgd import PrivateRecipe
from evaluation.students.losses import (
    class_balance,
    cross_entropy,
    student_loss,
    utterance_losses,
)
from evaluation.students.native import NativeRecipe
from evaluation.students.network import (
    Recipe,
    Schedule,
    embeddings_of,
    logits_of,
    predict,
    train,
    warm_cosine,
)
from evaluation.students.pooled import PooledRecipe
from evaluation.students.recipe import (
    CannotTrain,
    Examples,
    Fitted,
    Lesson,
    Setting,
    StudentRecipe,
)

# The published networks have millions of parameters, so batches and learning rates are smaller.
# Theirs come from a check of what learns at all, since one student takes minutes to half an hour.
LARGE = Recipe(schedules=(Schedule(300, 3e-4), Schedule(300, 1e-3)), batch=16)
LARGEST = Recipe(schedules=(Schedule(300, 1e-4), Schedule(300, 3e-4)), batch=16)

# The others were tuned on full data, on validation speakers of RAVDESS and EmoDB, and then frozen.
# 300 steps at 3e-3 or 600 at 2e-3, whichever validation chooses, were best for the tdnn, and for
# convnet, crnn and transformer too, beside 300 and 600 steps at 1e-3 (two folds and one fold).
RECIPES: Mapping[str, StudentRecipe] = {
    **{name: Recipe() for name in NETWORKS},
    **dict.fromkeys(("cnn6", "resnet9", "cnn6-bn", "resnet9-bn"), LARGE),
    **dict.fromkeys(("vgg15", "vgg15-bn"), LARGEST),
    "linear": PooledRecipe("logistic regression"),
    "svm": PooledRecipe("support vector machine"),
}

__all__ = [
    "RECIPES",
    "CannotTrain",
    "Examples",
    "Fitted",
    "Lesson",
    "NativeRecipe",
    "PooledRecipe",
    "PrivateRecipe",
    "Recipe",
    "Schedule",
    "Setting",
    "StudentRecipe",
    "class_balance",
    "cross_entropy",
    "embeddings_of",
    "logits_of",
    "predict",
    "student_loss",
    "train",
    "utterance_losses",
    "warm_cosine",
]
