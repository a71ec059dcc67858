"""Students without a network: they judge by each band's mean and deviation over time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from torch import Tensor
from torch.nn.functional import one_hot

from evaluation.networks import Weights
from evaluation.students.recipe import CannotTrain, Examples, Fitted, Setting, StudentRecipe
from synth_data.settings import Positive
from synth_data.task import Task

# Classifiers, from their penalty C and a seed.
CLASSIFIERS: Mapping[str, Callable[[float, int], Any]] = {
    "logistic regression": lambda penalty, _: LogisticRegression(C=penalty, max_iter=1000),
    "support vector machine": lambda penalty, seed: SVC(C=penalty, random_state=seed),  # radial
}
# What takes the place of each where there are dimensions to tell, one for each dimension.
REGRESSORS: Mapping[str, Callable[[float], Any]] = {
    "logistic regression": lambda penalty: Ridge(alpha=1 / penalty),
    "support vector machine": lambda penalty: MultiOutputRegressor(SVR(C=penalty)),  # radial
}


@dataclass(frozen=True)
class PooledRecipe(StudentRecipe):
    """How a classifier of pooled statistics is trained: standardised, with one free penalty.

    An item whose target is soft counts as several, one per emotion, weighted by their shares;
    classes are weighed alike. Dimensions are told by the regressor of the same kind, which makes
    squared or absolute errors small, and so tells them too timidly for a high CCC; it leaves out
    items that lack one. Both at once are two solvers with one penalty. Lessons of a teacher are
    refused: a solver takes targets only.

    Attributes:
        classifier: by its name in `CLASSIFIERS`.
        penalties: C to choose from; larger ones fit closer.
    """

    classifier: str
    penalties: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.01, 0.1, 1.0, 10.0)

    @property
    def settings(self) -> tuple[Setting, ...]:
        return tuple(Setting(0, penalty) for penalty in self.penalties)

    def fit(
        self,
        student: str,
        weights: Weights,  # noqa: ARG002 - these students start from nothing
        examples: Examples,
        setting: Setting,
        generator: torch.Generator,
    ) -> Fitted:
        if examples.lesson is not None:
            raise CannotTrain(f"{student} learns from targets only, not from a teacher")
        task, inputs, models = examples.told, pooled(examples.features), []
        seed = int(torch.randint(2**31, (1,), generator=generator))
        if task.emotions:
            shares = task.shares(examples.targets).nan_to_num(0.0)
            models.append(self._classifies(student, inputs, shares, setting, seed))
        if task.dimensions:
            regressor = REGRESSORS[self.classifier](setting.strength)
            numbers = task.numbers(examples.targets).double().numpy()
            whole = ~np.isnan(numbers).any(axis=1)
            model = make_pipeline(StandardScaler(), regressor)
            models.append(model.fit(inputs[whole], numbers[whole]))
        return Fitted(
            predict=lambda features: _predict(models, task, features),
            parameters=sum(_numbers(model) for model in models),
            weights={},
        )

    def _classifies(
        self,
        student: str,
        inputs: Float[np.ndarray, "n statistic"],
        shares_of: Float[Tensor, "n emotion"],
        setting: Setting,
        seed: int,
    ) -> Pipeline:
        items, classes = (shares_of > 0).nonzero(as_tuple=True)
        if len(classes.unique()) < 2:
            raise CannotTrain(f"{student} needs items of two emotions or more")
        shares = shares_of[items, classes].double().numpy()
        totals = np.bincount(classes.numpy(), weights=shares)
        weight = shares / totals[classes.numpy()]
        weight *= len(shares_of) / weight.sum()
        model = make_pipeline(
            StandardScaler(), CLASSIFIERS[self.classifier](setting.strength, seed)
        )
        last = model.steps[-1][0]
        model.fit(
            inputs[items.numpy()],
            classes.numpy(),
            **{f"{last}__sample_weight": weight, "standardscaler__sample_weight": shares},
        )
        return model


def pooled(features: Float[Tensor, "n mel frame"]) -> Float[np.ndarray, "n statistic"]:
    """Each mel band's mean and deviation over time, and the deviation of its change per frame.

    Of features with fewer than three frames, which hardly vary or not at all, they are the mean.
    """
    if features.shape[2] < 3:
        return features.mean(dim=2).double().numpy()
    change = features.diff(dim=2)
    parts = (features.mean(dim=2), features.std(dim=2), change.std(dim=2))
    return torch.cat(parts, dim=1).double().numpy()


def _predict(
    models: Sequence[Pipeline], task: Task, features: Float[Tensor, "n mel frame"]
) -> Int[Tensor, " n"] | Float[Tensor, "n column"]:
    inputs = pooled(features)
    said = [torch.as_tensor(model.predict(inputs)) for model in models]
    if not task.dimensions:
        return said[0]
    parts = [one_hot(said[0], len(task.emotions))] if task.emotions else []
    return torch.cat([*parts, said[-1].reshape(len(features), -1)], dim=1).float()


def _numbers(model: Pipeline) -> int:
    """Numbers that prediction needs: coefficients, or support vectors with theirs."""
    scaler, last = (step for _, step in model.steps)
    arrays = [scaler.mean_, scaler.scale_]
    for fitted in last.estimators_ if isinstance(last, MultiOutputRegressor) else [last]:
        arrays.append(np.asarray(fitted.intercept_))
        if isinstance(fitted, SVC | SVR):
            arrays += [fitted.support_vectors_, fitted.dual_coef_]
        else:
            arrays.append(fitted.coef_)
    return sum(array.size for array in arrays)
