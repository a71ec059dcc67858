"""Directions taken out of speech: out of each frame, or out of an utterance's statistics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.errors import SetError
from synth_data.transforms.transform import Transform

SMALLEST = 1e-3  # that a band's deviation over time counts for


@dataclass(frozen=True, eq=False)
class EraseFrames(Transform):
    """Takes directions out of every frame: x - A (x - mean).

    What is taken out is gone: what is left is among the speech that this transform makes into it,
    since a second time changes nothing, and so is its own inverse.

    Attributes:
        mean: `[mel]`, where nothing is changed.
        matrix: `[mel, mel]`, A: a projection onto what is taken out.
    """

    # Shapes are not in these types: files decide them, so `__post_init__` has to report them.
    mean: Tensor
    matrix: Tensor
    name: ClassVar[str] = "erase-frames"

    def __post_init__(self) -> None:
        check_square(self.name, self.mean, self.matrix)

    def __call__(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        check_bands(self.name, len(self.mean), features)
        mean, matrix = self.mean.to(features), self.matrix.to(features)
        return features - matrix @ (features - mean[:, None])

    def inverse(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        check_bands(self.name, len(self.mean), features)
        return features

    def tensors(self) -> dict[str, Tensor]:
        return {"mean": self.mean, "matrix": self.matrix}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "EraseFrames":
        return cls(*named(cls.name, tensors))

    @classmethod
    def snippet(cls, prefix: str) -> str:
        return (
            f'mean, matrix = tensors["{prefix}mean"], tensors["{prefix}matrix"]\n'
            f"features = features - matrix @ (features - mean[:, None])"
        )


@dataclass(frozen=True, eq=False)
class EraseStatistics(Transform):
    """Takes directions out of each band's mean and log-deviation over time, and keeps the rest.

    With the statistics s of an utterance, they become s - A (s - mean): each band is moved and
    stretched as a whole. Its own inverse, as `EraseFrames` is.

    Attributes:
        mean: `[2 mel]`, statistics that are not changed: the bands' means, then the logarithms of
            their deviations.
        matrix: `[2 mel, 2 mel]`, A: a projection onto what is taken out.
    """

    mean: Tensor
    matrix: Tensor
    name: ClassVar[str] = "erase-statistics"

    def __post_init__(self) -> None:
        check_square(self.name, self.mean, self.matrix)
        if len(self.mean) % 2:
            raise SetError(
                f"{self.name} needs as many means as deviations; found {len(self.mean)} in all"
            )

    def __call__(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        bands = len(self.mean) // 2
        check_bands(self.name, bands, features)
        before = statistics_of(features)
        after = before - (before - self.mean.to(features)) @ self.matrix.to(features).T
        stretch = (after - before)[:, bands:, None].exp()
        return (features - before[:, :bands, None]) * stretch + after[:, :bands, None]

    def inverse(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        check_bands(self.name, len(self.mean) // 2, features)
        return features

    def tensors(self) -> dict[str, Tensor]:
        return {"mean": self.mean, "matrix": self.matrix}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "EraseStatistics":
        return cls(*named(cls.name, tensors))

    @classmethod
    def snippet(cls, prefix: str) -> str:
        return (
            f'mean, matrix = tensors["{prefix}mean"], tensors["{prefix}matrix"]\n'
            f"deviation, centre = torch.std_mean(features, dim=1, correction=0)\n"
            f"before = torch.cat([centre, deviation.clamp_min({SMALLEST}).log()])\n"
            f"after = before - matrix @ (before - mean)\n"
            f"stretch = (after - before)[len(centre) :].exp()\n"
            f"features = (features - centre[:, None]) * stretch[:, None]\n"
            f"features = features + after[: len(centre), None]"
        )


def statistics_of(features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n twice_mel"]:
    """Each band's mean over time, then the logarithm of its deviation."""
    deviation, mean = torch.std_mean(features, dim=2, correction=0)
    return torch.cat([mean, deviation.clamp_min(SMALLEST).log()], dim=1)


def check_square(name: str, mean: Tensor, matrix: Tensor) -> None:
    """Raises `SetError` unless these are a vector and a square matrix of its length."""
    if mean.ndim != 1 or matrix.shape != (len(mean), len(mean)):
        raise SetError(
            f"{name} needs a vector and a square matrix of its length; found shapes "
            f"{list(mean.shape)} and {list(matrix.shape)}"
        )
    if {mean.dtype, matrix.dtype} != {torch.float32}:
        raise SetError(
            f"{name} needs float32 values; found {mean.dtype} means and a {matrix.dtype} matrix"
        )
    if not (mean.isfinite().all() and matrix.isfinite().all()):
        raise SetError(f"{name} needs finite values")


def check_bands(name: str, bands: int, features: Tensor) -> None:
    """Raises `SetError` unless features have so many bands."""
    if features.shape[1] != bands:
        raise SetError(
            f"{name} was fitted on {bands} mel bands; found features with {features.shape[1]}: "
            f"compute them with the set's own feature recipe"
        )


def named(name: str, tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The mean and the matrix of a transform; `SetError` if there is anything else."""
    if set(tensors) != {"mean", "matrix"}:
        found = ", ".join(sorted(tensors)) or "nothing"
        raise SetError(f"{name} needs the tensors matrix, mean; found {found}")
    return tensors["mean"], tensors["matrix"]
