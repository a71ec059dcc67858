"""Learned layer weights: a softmax over an encoder's layers and a small head, by 1 - CCC.

As in SUPERB (Yang et al. 2021), for one number of each utterance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from evaluation.concordance import ccc, ccc_loss

SMALLEST_DEVIATION = 1e-6


@dataclass(frozen=True)
class Mixing:
    """How layer weights are learned: AdamW, and the step that is best on validation speakers.

    Attributes:
        steps: of the optimiser.
        batch: utterances per step.
        hidden: units of the head.
        learning_rate: of the head.
        weights_rate: of the layer weights, higher as they are few.
        weight_decay: of the head.
    """

    steps: int = 300
    batch: int = 256
    hidden: int = 32
    learning_rate: float = 3e-3
    weights_rate: float = 0.05
    weight_decay: float = 0.01


USUAL = Mixing()


def mix(
    sides: Sequence[Float[Tensor, "_ state dim"]],
    train: Float[np.ndarray, " train"],
    validation: Float[np.ndarray, " validation"],
    mixing: Mixing,
    random: torch.Generator,
) -> tuple[Float[np.ndarray, " state"], Float[np.ndarray, " test"]]:
    """Learns layer weights.

    Args:
        sides: states of the train, the validation and the test side, each of deviation 1.
        train: the numbers of the train side.
        validation: likewise; the best step is the best for these.
        mixing: how.
        random: of the head and of the batches.

    Returns:
        The weight of each state, which sum to 1; what the mixture tells of the test side.
    """
    heard, checked, asked = (side.float() for side in sides)
    scale = max(float(train.std()), SMALLEST_DEVIATION)
    answers = torch.from_numpy((train - train.mean()) / scale).float()
    logits = torch.zeros(heard.shape[1], requires_grad=True)
    head = _Head(heard.shape[2], mixing.hidden, random)
    optimiser = torch.optim.AdamW(
        [
            {"params": [logits], "lr": mixing.weights_rate, "weight_decay": 0.0},
            {"params": head.parameters(), "lr": mixing.learning_rate},
        ],
        weight_decay=mixing.weight_decay,
    )

    def tell(states: Float[Tensor, "n state dim"]) -> Float[Tensor, " n"]:
        return head(torch.einsum("s,nsw->nw", logits.softmax(dim=0), states))

    best = (-np.inf, np.zeros(0), np.zeros(0))
    for step, rows in enumerate(_batches(len(heard), mixing.batch, mixing.steps, random), start=1):
        loss = ccc_loss(tell(heard[rows])[:, None], answers[rows][:, None], torch.ones(1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 10 == 0 or step == mixing.steps:
            with torch.no_grad():
                in_units = [
                    tell(x).double().numpy() * scale + train.mean() for x in (checked, asked)
                ]
                learned = logits.softmax(dim=0).double().numpy()
            score = ccc_of_one(validation, in_units[0])
            if score > best[0]:
                best = score, learned, in_units[1]
    return best[1], best[2]


class _Head(nn.Module):
    """A layer, a non-linearity, and a number."""

    def __init__(self, dim: int, hidden: int, random: torch.Generator) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(dim, hidden), nn.Linear(hidden, 1)
        for layer in (self.inner, self.outer):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=random)
            nn.init.zeros_(layer.bias)

    def forward(self, mixture: Float[Tensor, "n dim"]) -> Float[Tensor, " n"]:
        return self.outer(nn.functional.silu(self.inner(mixture)))[:, 0]


def _batches(n: int, batch: int, steps: int, random: torch.Generator) -> Iterator[Tensor]:
    """Rows of each step, every utterance once before any comes again."""
    passes = chain.from_iterable(
        torch.randperm(n, generator=random).split(min(batch, n)) for _ in range(steps)
    )
    return (rows for rows, _ in zip(passes, range(steps), strict=False))


def ccc_of_one(truth: Float[np.ndarray, " n"], predicted: Float[np.ndarray, " n"]) -> float:
    """The concordance of one number of each utterance."""
    return float(ccc(truth[:, None], predicted[:, None])[0])
