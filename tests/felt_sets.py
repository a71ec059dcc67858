"""Small synthetic sets of which dimensions are told."""

from typing import Any

import torch
from small_sets import SPEC, provenance, small_set

from synth_data.synthetic import SyntheticSet
from synth_data.task import DIMENSIONS, Task

PROXIES = "proxies of the emotions (somebody 1977)"
CELLS = (0, 3, 4, 7)
TASK = Task(dimensions=DIMENSIONS, scale=(1.0, 5.0), cells=CELLS, proxies=PROXIES)
VALUES = torch.tensor([[-0.5, -0.25, -1.0], [-0.5, 0.5, 0.25], [0.75, -0.5, -0.5], [1.0, 0.5, 0.5]])


def felt_set(**changes: Any) -> SyntheticSet:
    """Two items for each of four cells, with valence, activation and dominance from 1 to 5."""
    generator = torch.Generator().manual_seed(0)
    entries: dict[str, Any] = {
        "features": torch.randn(8, *SPEC.shape, generator=generator),
        "targets": VALUES.repeat_interleave(2, dim=0),
        "task": TASK,
        "provenance": provenance(objective="gradient-matching"),
    }
    return small_set(**{**entries, **changes})


def set_of_both(**changes: Any) -> SyntheticSet:
    """The same with three emotions, which the last item does not tell."""
    shares = torch.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]
    shares[7] = torch.nan
    both = Task(("anger", "neutral", "sadness"), DIMENSIONS, (1.0, 5.0), CELLS)
    targets = torch.cat([shares, VALUES.repeat_interleave(2, dim=0)], dim=1)
    return felt_set(**{"task": both, "targets": targets, **changes})
