"""Students without a network: they judge by each band's mean and deviation over time."""

from collections.abc import Callable, Mapping
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

from evaluation.networks import Weights
from evaluation.students.recipe import CannotTrain, Examples, Fitted, Setting, StudentRecipe
from synth_data.settings import Positive

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
    squared or absolute errors small, and so tells them too timidly for a high CCC. Emotions and
    dimensions at once are refused. So are lessons of a teacher: a solver takes targets only.

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
        if examples.told.dimensions:
            return self._regressed(student, examples, setting)
        items, classes = (examples.targets > 0).nonzero(as_tuple=True)
        if len(classes.unique()) < 2:
            raise CannotTrain(f"{student} needs items of two emotions or more")
        shares = examples.targets[items, classes].double().numpy()
        totals = np.bincount(classes.numpy(), weights=shares)
        weight = shares / totals[classes.numpy()]
        weight *= len(examples.targets) / weight.sum()
        seed = int(torch.randint(2**31, (1,), generator=generator))
        model = make_pipeline(
            StandardScaler(), CLASSIFIERS[self.classifier](setting.strength, seed)
        )
        last = model.steps[-1][0]
        model.fit(
            pooled(examples.features)[items.numpy()],
            classes.numpy(),
            **{f"{last}__sample_weight": weight, "standardscaler__sample_weight": shares},
        )
        return Fitted(
            predict=lambda features: _predict(model, features),
            parameters=_numbers(model),
            weights={},
        )

    def _regressed(self, student: str, examples: Examples, setting: Setting) -> Fitted:
        if examples.told.emotions:
            raise CannotTrain(f"{student} tells emotions or dimensions, but not both at once")
        model = make_pipeline(StandardScaler(), REGRESSORS[self.classifier](setting.strength))
        model.fit(pooled(examples.features), examples.targets.double().numpy())
        return Fitted(
            predict=lambda features: _regress(model, features, examples.targets.shape[1]),
            parameters=_numbers(model),
            weights={},
        )


def pooled(features: Float[Tensor, "n mel frame"]) -> Float[np.ndarray, "n statistic"]:
    """Each mel band's mean and deviation over time, and the deviation of its change per frame.

    Of features with fewer than three frames, which hardly vary or not at all, they are the mean.
    """
    if features.shape[2] < 3:
        return features.mean(dim=2).double().numpy()
    change = features.diff(dim=2)
    parts = (features.mean(dim=2), features.std(dim=2), change.std(dim=2))
    return torch.cat(parts, dim=1).double().numpy()


def _predict(model: Pipeline, features: Float[Tensor, "n mel frame"]) -> Int[Tensor, " n"]:
    return torch.as_tensor(model.predict(pooled(features)))


def _regress(
    model: Pipeline, features: Float[Tensor, "n mel frame"], columns: int
) -> Float[Tensor, "n column"]:
    said = model.predict(pooled(features)).reshape(len(features), columns)
    return torch.as_tensor(said, dtype=torch.float32)


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
