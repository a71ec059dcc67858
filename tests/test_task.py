"""What is to be told: columns and groups of targets."""

import pytest
import torch

from synth_data.errors import UserError
from synth_data.task import DIMENSIONS, NO_GROUP, Task

VAD = Task(dimensions=DIMENSIONS, scale=(1.0, 5.0))


def test_emotions_are_their_own_groups():
    task = Task(("anger", "calm"))
    assert (task.name, task.columns, task.groups) == ("categorical", *2 * (("anger", "calm"),))
    assert task.group_of(torch.tensor([[0.2, 0.8], [1.0, 0.0]])).tolist() == [1, 0]


def test_cells_say_which_dimension_is_high():
    task = Task(dimensions=("valence", "activation"))
    assert task.groups == (
        "valence- activation-",
        "valence- activation+",
        "valence+ activation-",
        "valence+ activation+",
    )
    targets = torch.tensor([[-0.3, -0.9], [-0.1, 0.1], [0.9, -0.2], [1.0, 1.0]])
    assert task.group_of(targets).tolist() == [0, 1, 2, 3]
    assert task.in_groups(targets).tolist() == torch.eye(4).tolist()


def test_an_utterance_of_a_cell_without_items_belongs_to_the_nearest():
    task = Task(dimensions=("valence", "activation")).narrowed([0, 3])
    assert task.cells == (0, 3)
    assert task.group_of(torch.tensor([[0.1, -0.9], [0.9, -0.1]])).tolist() == [0, 1]


def test_an_utterance_that_lacks_a_dimension_is_of_no_cell():
    task = Task(("anger", "joy"), DIMENSIONS)
    targets = torch.tensor([[1.0, 0.0, -0.5, 0.5, -0.5], [1.0, 0.0, -0.5, torch.nan, -0.5]])
    assert task.group_of(targets).tolist() == [2, NO_GROUP]
    assert task.in_groups(targets).sum(dim=1).tolist() == [1.0, 0.0]
    unknown = torch.tensor([[torch.nan, torch.nan, 0.5, 0.5, 0.5]])
    assert task.group_of(unknown).tolist() == [7]


def test_values_go_from_the_corpus_scale_and_back():
    row = VAD.targets_of("any", [1.0, 3.0, 4.0])
    assert row == [-1.0, 0.0, 0.5]
    assert VAD.on_scale(torch.tensor([row])).tolist() == [[1.0, 3.0, 4.0]]


def test_both_have_the_emotions_first_and_cells_for_groups():
    task = Task(("anger", "calm"), ("valence",))
    assert (task.name, task.columns) == ("both", ("anger", "calm", "valence"))
    assert task.groups == ("valence-", "valence+")
    targets = torch.tensor([task.targets_of("calm", [0.5]), task.targets_of("other", [-0.5])])
    assert task.shares(targets)[0].tolist() == [0.0, 1.0]
    assert task.shares(targets)[1].isnan().all()
    assert task.numbers(targets).flatten().tolist() == [0.5, -0.5]
    assert task.group_of(targets).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "found neither"),
        ({"dimensions": ("valance",)}, "unknown dimension 'valance'.*valence"),
        ({"dimensions": DIMENSIONS, "scale": (5.0, 1.0)}, "lowest to its highest"),
        ({"dimensions": ("valence",), "cells": (0, 2)}, "numbers from 0 to 1"),
        ({"dimensions": ("valence",), "cells": (1, 0)}, "from the smallest"),
        ({"emotions": ("calm",), "cells": (0,)}, "cells are numbers"),
    ],
)
def test_what_is_no_task_is_refused(fields, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        Task(**fields)
