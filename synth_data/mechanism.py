"""How the door answers: here, exactly.

A mechanism sees the real features and the groups of rows a question is about, and returns one
mean per group. Everything that decides about privacy happens in one of these methods.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# from (features [n mel frame], targets [n emotion]) to one row per utterance [n ...]
Statistic = Callable[[Tensor, Tensor], Tensor]
# from each speaker's mean of a statistic [speaker ...] to one row per speaker [speaker ...]
OfSpeaker = Callable[[Tensor], Tensor]
# from (weights, features, targets) to one loss per utterance [n]
Loss = Callable[[Mapping[str, Tensor], Tensor, Tensor], Tensor]

CHUNK = 128  # utterances per pass: bounds memory, and fits the caches of a small machine


class Mechanism(ABC):
    """Answers questions about groups of utterances with means."""

    @abstractmethod
    def means(
        self,
        statistic: Statistic,
        features: Float[Tensor, "n mel frame"],
        targets: Float[Tensor, "n emotion"],
        groups: Sequence[Tensor],
    ) -> Float[Tensor, "group *shape"]:
        """The mean of the statistic over the rows of each group."""

    @abstractmethod
    def mean_of_speakers(
        self,
        statistic: Statistic,
        of_speaker: OfSpeaker,
        features: Float[Tensor, "n mel frame"],
        targets: Float[Tensor, "n emotion"],
        speakers: Sequence[Tensor],
    ) -> Float[Tensor, "*shape"]:
        """The mean over speakers of a statistic of one speaker, each given by its rows."""

    @abstractmethod
    def mean_gradients(
        self,
        loss: Loss,
        at: Mapping[str, Tensor],
        features: Float[Tensor, "n mel frame"],
        targets: Float[Tensor, "n emotion"],
        groups: Sequence[Tensor],
    ) -> dict[str, Tensor]:
        """The gradient of each group's mean loss at the weights `at`, `[group, *weight]`."""


@dataclass(frozen=True)
class Exact(Mechanism):
    """Plain means, at the speed of a batched pass; an empty group's is zero."""

    def means(
        self,
        statistic: Statistic,
        features: Float[Tensor, "n mel frame"],
        targets: Float[Tensor, "n emotion"],
        groups: Sequence[Tensor],
    ) -> Float[Tensor, "group *shape"]:
        means = []
        for rows in groups:
            if len(rows) == 0:
                means.append(torch.zeros_like(statistic(features[:1], targets[:1])[0]))
                continue
            sums = [statistic(features[part], targets[part]).sum(dim=0) for part in _chunks(rows)]
            means.append(torch.stack(sums).sum(dim=0) / len(rows))
        return torch.stack(means)

    def mean_of_speakers(
        self,
        statistic: Statistic,
        of_speaker: OfSpeaker,
        features: Float[Tensor, "n mel frame"],
        targets: Float[Tensor, "n emotion"],
        speakers: Sequence[Tensor],
    ) -> Float[Tensor, "*shape"]:
        return of_speaker(self.means(statistic, features, targets, speakers)).mean(dim=0)

    def mean_gradients(
        self,
        loss: Loss,
        at: Mapping[str, Tensor],
        features: Float[Tensor, "n mel frame"],
        targets: Float[Tensor, "n emotion"],
        groups: Sequence[Tensor],
    ) -> dict[str, Tensor]:
        weights = {name: weight.detach().requires_grad_() for name, weight in at.items()}
        gradients = {
            name: weight.new_zeros(len(groups), *weight.shape) for name, weight in at.items()
        }
        for group, rows in enumerate(groups):
            for part in _chunks(rows):
                total = loss(weights, features[part], targets[part]).sum()
                partial = torch.autograd.grad(total, list(weights.values()))
                for name, gradient in zip(weights, partial, strict=True):
                    gradients[name][group] += gradient / len(rows)
        return gradients


def _chunks(rows: Tensor) -> Sequence[Tensor]:
    return rows.split(CHUNK) if len(rows) else ()
