"""Streams of random numbers: equal for equal purposes, unrelated for others."""

import pytest
import torch

from synth_data.randomness import generator


def first_draws(*purpose: str | int) -> torch.Tensor:
    seed, *rest = purpose
    return torch.rand(1000, generator=generator(int(seed), *rest))


def test_equal_purposes_give_equal_streams():
    assert torch.equal(first_draws(3, "students", 1), first_draws(3, "students", 1))


@pytest.mark.parametrize("other", [(4, "students", 1), (3, "start", 1), (3, "students", 2), (3,)])
def test_every_part_of_a_purpose_counts(other):
    correlation = torch.corrcoef(torch.stack([first_draws(3, "students", 1), first_draws(*other)]))
    assert abs(float(correlation[0, 1])) < 0.15


def test_draws_leave_the_global_stream_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    first_draws(0, "students")
    assert torch.equal(torch.rand(3), expected)


def test_a_stream_is_the_same_on_every_machine():
    # A set can be made again from its seed only while this number stands.
    assert generator(0, "start").initial_seed() == 22720645367452658
