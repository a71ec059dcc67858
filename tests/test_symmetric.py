"""Symmetric matrices as vectors."""

import torch

from distill.symmetric import Symmetric
from synth_data.randomness import generator


def test_there_and_back_at_the_same_length():
    symmetric = Symmetric(5)
    half = torch.randn(3, 5, 5, generator=generator(0, "half"))
    matrices = half + half.mT
    vectors = symmetric.pack(matrices)
    assert vectors.shape == (3, symmetric.numbers) == (3, 15)
    assert torch.allclose(vectors.norm(dim=1), matrices.norm(dim=(1, 2)))
    assert torch.allclose(symmetric.unpack(vectors), matrices, atol=1e-6)
