"""Symmetric matrices as vectors: their upper half, with weights that keep their length."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Symmetric:
    """Of one size.

    Attributes:
        size: rows of a matrix.
    """

    size: int

    @property
    def numbers(self) -> int:
        """In a vector."""
        return self.size * (self.size + 1) // 2

    def pack(self, matrices: Float[Tensor, "*n size size"]) -> Float[Tensor, "*n number"]:
        """Vectors as long as the matrices are (Frobenius)."""
        rows, columns = self._upper.to(matrices.device)
        return matrices[..., rows, columns] * self._weight.to(matrices)

    def unpack(self, vectors: Float[Tensor, "*n number"]) -> Float[Tensor, "*n size size"]:
        """The matrices again."""
        rows, columns = self._upper.to(vectors.device)
        matrices = vectors.new_zeros(*vectors.shape[:-1], self.size, self.size)
        matrices[..., rows, columns] = vectors / self._weight.to(vectors)
        return matrices + matrices.triu(1).mT

    @cached_property
    def _upper(self) -> Int[Tensor, "2 number"]:
        return torch.triu_indices(self.size, self.size)

    @cached_property
    def _weight(self) -> Float[Tensor, " number"]:
        """What is off the diagonal stands for two."""
        return torch.where(self._upper[0] == self._upper[1], 1.0, 2**0.5)
