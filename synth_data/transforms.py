"""Fitted feature transforms: frozen values that travel with a set, so test speech meets the same.

A set's features are already transformed. Speech that is to meet a model trained on them goes
through the feature recipe first and then through the set's transforms, in order.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.errors import SetError

SMALLEST_DEVIATION = 1e-3  # a band that never varied is left in place, not blown up


class Transform(ABC):
    """Features -> features, by values fitted once on training utterances.

    Attributes:
        name: in `TRANSFORMS` and in manifests.
    """

    name: ClassVar[str]

    @abstractmethod
    def __call__(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        """The features of any speech, as a model trained on the set expects them."""

    @abstractmethod
    def inverse(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        """The features that this transform makes into these, to be heard and seen by people."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """The fitted values, by name."""

    @classmethod
    @abstractmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "Transform":
        """The transform with these values: the inverse of `tensors`.

        Raises:
            SetError: names, shapes or values are not this transform's.
        """

    @classmethod
    @abstractmethod
    def snippet(cls, prefix: str) -> str:
        """The same in plain PyTorch, `features` to `features`, for users without this package.

        Args:
            prefix: of this transform's names in the dictionary `tensors`.
        """


@dataclass(frozen=True, eq=False)
class Standardise(Transform):
    """Subtracts each mel band's mean and divides by its deviation, over training utterances.

    Attributes:
        mean: `[mel]`, of each band.
        deviation: `[mel]`, the standard deviation; at least `SMALLEST_DEVIATION` is divided by.
    """

    # Shapes are not in these types: files decide them, so `__post_init__` has to report them.
    mean: Tensor
    deviation: Tensor
    name: ClassVar[str] = "standardise"

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.deviation.shape:
            raise SetError(
                f"standardise needs one mean and one deviation per mel band; found shapes "
                f"{list(self.mean.shape)} and {list(self.deviation.shape)}"
            )
        if {self.mean.dtype, self.deviation.dtype} != {torch.float32}:
            raise SetError(
                f"standardise needs float32 means and deviations; found {self.mean.dtype} and "
                f"{self.deviation.dtype}"
            )
        if not (self.mean.isfinite().all() and self.deviation.isfinite().all()):
            raise SetError("standardise needs finite means and deviations")
        if (self.deviation < 0).any():
            raise SetError("standardise needs deviations of 0 or more; found a negative one")

    def __call__(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        mean, deviation = self._columns(features)
        return (features - mean) / deviation

    def inverse(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        mean, deviation = self._columns(features)
        return features * deviation + mean

    def _columns(self, features: Tensor) -> tuple[Float[Tensor, "mel 1"], Float[Tensor, "mel 1"]]:
        """Mean and divisor of each band, ready to meet these features."""
        if features.shape[1] != len(self.mean):
            raise SetError(
                f"standardise was fitted on {len(self.mean)} mel bands; found features with "
                f"{features.shape[1]}: compute them with the set's own feature recipe"
            )
        mean, deviation = (x.to(features)[:, None] for x in (self.mean, self.deviation))
        return mean, deviation.clamp_min(SMALLEST_DEVIATION)

    def tensors(self) -> dict[str, Tensor]:
        return {"mean": self.mean, "deviation": self.deviation}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "Standardise":
        if set(tensors) != {"mean", "deviation"}:
            found = ", ".join(sorted(tensors)) or "nothing"
            raise SetError(f"standardise needs the tensors deviation, mean; found {found}")
        return cls(tensors["mean"], tensors["deviation"])

    @classmethod
    def snippet(cls, prefix: str) -> str:
        return (
            f'mean, deviation = tensors["{prefix}mean"], tensors["{prefix}deviation"]\n'
            f"deviation = deviation.clamp_min({SMALLEST_DEVIATION})\n"
            f"features = (features - mean[:, None]) / deviation[:, None]"
        )


TRANSFORMS: dict[str, type[Transform]] = {Standardise.name: Standardise}


def stack(transforms: tuple[Transform, ...]) -> dict[str, Tensor]:
    """The values of all transforms under one roof: `transform.0.mean`, ...

    >>> sorted(stack((Standardise(torch.zeros(2), torch.ones(2)),)))
    ['transform.0.deviation', 'transform.0.mean']
    """
    return {
        f"transform.{i}.{name}": tensor
        for i, transform in enumerate(transforms)
        for name, tensor in transform.tensors().items()
    }


def unstack(names: tuple[str, ...], tensors: Mapping[str, Tensor]) -> tuple[Transform, ...]:
    """The transforms of these names, in order: the inverse of `stack`.

    Raises:
        SetError: a name is not in `TRANSFORMS`, or its tensors do not fit it.
    """
    transforms = []
    for i, name in enumerate(names):
        if name not in TRANSFORMS:
            raise SetError(
                f"unknown transform '{name}' (known: {', '.join(TRANSFORMS)}); "
                f"the set was written by a newer distill-data: update the package"
            )
        prefix = f"transform.{i}."
        own = {
            key.removeprefix(prefix): value
            for key, value in tensors.items()
            if key.startswith(prefix)
        }
        transforms.append(TRANSFORMS[name].of(own))
    return tuple(transforms)
