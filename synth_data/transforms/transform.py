"""What a fitted feature transform is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

TOGETHER = 1024  # utterances transformed at once: what is held on the way is of so many


class Transform(ABC):
    """Features -> features, by values fitted once on training utterances.

    Attributes:
        name: in `TRANSFORMS` and in manifests.
        hides_speaker: whether that is what it is for.
    """

    name: ClassVar[str]
    hides_speaker: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        """The features of any speech, as a model trained on the set expects them."""

    def on(
        self, features: Float[Tensor, "n mel frame"], _speakers: Sequence[str]
    ) -> Float[Tensor, "n mel frame"]:
        """The same where it is known who speaks, which most transforms make no use of."""
        return torch.cat([self(some) for some in features.split(TOGETHER)])

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
