"""Fake speech of which dimensions are told: drawn around each emotion's, and in the first bands."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from fake_speech import fake_speech

from synth_data.real import RealSet
from synth_data.task import DIMENSIONS, Task, TaskName

CENTRES = torch.tensor([[-0.5, 0.6, 0.3], [0.3, -0.2, 0.1], [-0.6, -0.3, -0.4]])


def felt_speech(
    counts: Sequence[int] = (6, 4, 5),
    *,
    task: TaskName = "dimensional",
    unknown: Sequence[int] = (),
    lacking: Sequence[tuple[int, int]] = (),
    seed: int = 0,
) -> RealSet:
    """Utterances of three emotions with valence, activation and dominance, on a scale of 1 to 5.

    Args:
        counts: utterances of each emotion.
        task: "dimensional" or "both".
        unknown: rows without an emotion, where both are told.
        lacking: rows without a value of a dimension, and which.
        seed: of the speech and the values.
    """
    real = fake_speech(counts, seed=seed)
    draws = torch.Generator().manual_seed(seed + 1)
    values = real.targets @ CENTRES + 0.2 * torch.randn(len(real), 3, generator=draws)
    values = values.clamp(-1, 1)
    features = real.features.clone()
    features[:, :3] += 2 * values[:, :, None]
    shares = real.targets.clone()
    shares[list(unknown)] = torch.nan
    for row, dimension in lacking:
        values[row, dimension] = torch.nan
    emotions = real.emotions if task == "both" else ()
    return replace(
        real,
        task=Task(emotions, DIMENSIONS, (1.0, 5.0)),
        features=features,
        targets=torch.cat([shares, values], dim=1) if emotions else values,
    )


def complete(real: RealSet) -> RealSet:
    """The utterances of which every dimension is known."""
    known = ~real.task.numbers(real.targets).isnan().any(dim=1)
    return real.select(known.nonzero().flatten().tolist())
