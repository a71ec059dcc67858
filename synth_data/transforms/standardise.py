"""Each mel band at mean 0 and deviation 1."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.errors import SetError
from synth_data.transforms.transform import Transform

SMALLEST_DEVIATION = 1e-3  # a band that never varied is left in place, not blown up


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
    hides_speaker: ClassVar[bool] = False

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
