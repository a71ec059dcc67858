"""Attackers: who tries to hear who is speaking. Each is trained afresh on what it may know.

An attacker learns to name the classes (speakers, or genders) of some utterances. What it makes of
any other utterance is a point; two utterances are of one speaker as far as their points lie in the
same direction.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from evaluation.networks import draw_weights, skeleton, usual_student
from evaluation.students import RECIPES, Examples, Recipe, embeddings_of, predict, train
from evaluation.students.pooled import pooled


@dataclass(frozen=True)
class Trained:
    """An attacker that has learned.

    Attributes:
        name_classes: the class of each utterance.
        points: a row for each utterance.
    """

    name_classes: Callable[[Float[Tensor, "n mel frame"]], Int[Tensor, " n"]]
    points: Callable[[Float[Tensor, "n mel frame"]], Float[Tensor, "n dim"]]


# From utterances, their class indices (each of 0 to the largest occurs) and a generator.
Attacker = Callable[[Tensor, Tensor, torch.Generator], Trained]


def linear(
    features: Float[Tensor, "n mel frame"],
    classes: Int[Tensor, " n"],
    generator: torch.Generator,  # noqa: ARG001 - nothing is drawn
) -> Trained:
    """Linear discriminant analysis of pooled statistics, its covariance shrunk (Ledoit-Wolf)."""
    scaler, rows = _scaled(features)
    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(rows, classes.numpy())
    return Trained(
        lambda heard: torch.as_tensor(model.predict(_rows(scaler, heard))),
        lambda heard: torch.as_tensor(model.transform(_rows(scaler, heard))),
    )


def mlp(
    features: Float[Tensor, "n mel frame"],
    classes: Int[Tensor, " n"],
    generator: torch.Generator,
) -> Trained:
    """Pooled statistics through one hidden layer, whose values are the points."""
    scaler, rows = _scaled(features)
    seed = int(torch.randint(2**31, (1,), generator=generator))
    model = MLPClassifier(hidden_layer_sizes=(256,), alpha=1e-2, max_iter=100, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows, classes.numpy())

    def points(heard: Float[Tensor, "n mel frame"]) -> Tensor:
        hidden = _rows(scaler, heard) @ model.coefs_[0] + model.intercepts_[0]
        return torch.as_tensor(hidden).relu()

    return Trained(lambda heard: torch.as_tensor(model.predict(_rows(scaler, heard))), points)


def nearest_neighbour(
    features: Float[Tensor, "n mel frame"],
    classes: Int[Tensor, " n"],
    generator: torch.Generator,  # noqa: ARG001 - nothing is drawn
) -> Trained:
    """The utterance whose standardised pooled statistics are nearest."""
    scaler, rows = _scaled(features)
    model = KNeighborsClassifier(1).fit(rows, classes.numpy())
    return Trained(
        lambda heard: torch.as_tensor(model.predict(_rows(scaler, heard))),
        lambda heard: torch.as_tensor(_rows(scaler, heard)),
    )


def convolutional(
    features: Float[Tensor, "n mel frame"],
    classes: Int[Tensor, " n"],
    generator: torch.Generator,
) -> Trained:
    """A `tdnn` on the features themselves, or for too few frames an `mlp`, trained as students."""
    targets = torch.eye(int(classes.max()) + 1)[classes]
    name = usual_student(*features.shape[1:])
    network = skeleton(name, features.shape[1], targets.shape[1])
    start = draw_weights(network, generator)
    recipe = RECIPES[name]
    assert isinstance(recipe, Recipe)  # as every network's is
    examples = Examples(features, targets)
    weights = train(network, start, examples, recipe, recipe.settings[0], generator)
    return Trained(
        lambda heard: predict(network, weights, heard),
        lambda heard: embeddings_of(network, weights, heard).double(),
    )


ATTACKERS: dict[str, Attacker] = {
    "linear": linear,
    "mlp": mlp,
    "nearest-neighbour": nearest_neighbour,
    "convolutional": convolutional,
}


def _scaled(
    features: Float[Tensor, "n mel frame"],
) -> tuple[StandardScaler, Float[np.ndarray, "n statistic"]]:
    rows = pooled(features)
    scaler = StandardScaler().fit(rows)
    return scaler, scaler.transform(rows)


def _rows(
    scaler: StandardScaler, features: Float[Tensor, "n mel frame"]
) -> Float[np.ndarray, "n statistic"]:
    return np.asarray(scaler.transform(pooled(features)))
