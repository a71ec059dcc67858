"""How the door answers: here, exactly.

A mechanism holds the real utterances and answers questions about them with means. Everything that
decides about privacy happens in one of these methods.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.errors import UserError
from synth_data.guarantee import Guarantee
from synth_data.ledger import Unit
from synth_data.real import RealSet

# from (features [n mel frame], targets [n column]) to one row per utterance [n ...]
Statistic = Callable[[Tensor, Tensor], Tensor]
# from each speaker's mean of a statistic [speaker ...] to one row per speaker [speaker ...]
OfSpeaker = Callable[[Tensor], Tensor]
# from (weights, features, targets) to one loss per utterance [n]
Loss = Callable[[Mapping[str, Tensor], Tensor, Tensor], Tensor]

Rows = Tensor  # of utterances, int64

CHUNK = 128  # utterances per pass: bounds memory, and fits the caches of a small machine
FEWEST = 32  # utterances of an emotion in an exact answer, where it has so many


@dataclass(frozen=True)
class All:
    """Every utterance."""


@dataclass(frozen=True)
class Draw:
    """Each utterance independently with a public probability (Poisson sampling).

    Attributes:
        sampling_probability: in (0, 1].
        generator: for the draw; a mechanism that protects units draws whole ones, and by itself.
    """

    sampling_probability: float
    generator: torch.Generator


Sample = All | Draw

EVERYTHING = All()


@dataclass(frozen=True)
class Question:
    """What is asked for besides the statistic itself.

    Attributes:
        purpose: what the answer is for, as it is listed with the set.
        number: how often it has been asked for that purpose by now, this time included.
        sample: which utterances.
        per_class: one mean per emotion, or cell of the label space; else one over all.
        bound: a public length that rows are not longer than, or are cut to by a mechanism that
            needs one.
    """

    purpose: str
    number: int
    sample: Sample = EVERYTHING
    per_class: bool = True
    bound: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.bound < math.inf:
            raise ValueError(f"{self.purpose}: bound must be a positive number; found {self.bound}")


class Mechanism(ABC):
    """Answers questions about real utterances with means.

    Attributes:
        exact: whether answers are what they would be without a mechanism. Only then may anything
            be read that is no mean.
    """

    exact: ClassVar[bool]

    @property
    @abstractmethod
    def unit(self) -> Unit | None:
        """Whose presence is protected; None where nobody's is."""

    @property
    @abstractmethod
    def guarantee(self) -> Guarantee | None:
        """What is guaranteed by what was released so far; None if nothing is."""

    @property
    @abstractmethod
    def terms(self) -> Mapping[str, object] | None:
        """The budget and what is planned, in plain values; None where nothing is guarded."""

    @abstractmethod
    def require_paid(self, questions: Mapping[str, int]) -> None:
        """Raises `UserError` if so many questions of each purpose were not charged for."""

    @abstractmethod
    def means(
        self, real: RealSet, statistic: Statistic, question: Question
    ) -> Float[Tensor, "group *shape"]:
        """The mean of the statistic over the utterances of each emotion, or over all."""

    @abstractmethod
    def mean_of_speakers(
        self, real: RealSet, statistic: Statistic, of_speaker: OfSpeaker, question: Question
    ) -> Float[Tensor, "*shape"]:
        """The mean over speakers of a statistic of one speaker."""

    @abstractmethod
    def mean_gradients(
        self, real: RealSet, loss: Loss, at: Mapping[str, Tensor], question: Question
    ) -> dict[str, Tensor]:
        """The gradient of each group's mean loss at the weights `at`, `[group, *weight]`."""


@dataclass(frozen=True)
class Exact(Mechanism):
    """Plain means, at the speed of a batched pass.

    Of an emotion that few utterances were drawn of, more are asked: a few do not stand for it, and
    of none the mean would be zero, which objectives would take for what its speech is like.
    """

    exact: ClassVar[bool] = True

    @property
    def unit(self) -> None:
        return None

    @property
    def guarantee(self) -> None:
        return None

    @property
    def terms(self) -> None:
        return None

    def require_paid(self, questions: Mapping[str, int]) -> None:
        pass  # nothing costs anything

    def means(
        self, real: RealSet, statistic: Statistic, question: Question
    ) -> Float[Tensor, "group *shape"]:
        return _means(real, statistic, _groups(real, question))

    def mean_of_speakers(
        self,
        real: RealSet,
        statistic: Statistic,
        of_speaker: OfSpeaker,
        question: Question,  # noqa: ARG002 - of all speakers alike
    ) -> Float[Tensor, "*shape"]:
        known = [
            rows
            for rows in _rows_of(real, "speaker")
            if not real.utterances[int(rows[0])].of_unknown_speaker
        ]
        return of_speaker(_means(real, statistic, known)).mean(dim=0)

    def mean_gradients(
        self, real: RealSet, loss: Loss, at: Mapping[str, Tensor], question: Question
    ) -> dict[str, Tensor]:
        groups = _groups(real, question)
        weights = {name: weight.detach().requires_grad_() for name, weight in at.items()}
        gradients = {
            name: weight.new_zeros(len(groups), *weight.shape) for name, weight in at.items()
        }
        for group, rows in enumerate(groups):
            for part in _chunks(rows):
                total = loss(weights, real.features[part], real.targets[part]).sum()
                partial = torch.autograd.grad(total, list(weights.values()))
                for name, gradient in zip(weights, partial, strict=True):
                    gradients[name][group] += gradient / len(rows)
        return gradients


def units_of(real: RealSet, unit: Unit) -> list[Rows]:
    """The rows of each unit that is to be protected.

    Raises:
        UserError: an utterance has no session, and sessions are to be protected; or its speaker is
            not known, and speakers are.
    """
    if unit == "utterance":
        return list(torch.arange(len(real))[:, None])
    unknown = sum(utterance.of_unknown_speaker for utterance in real.utterances)
    if unit == "speaker" and unknown:
        raise UserError(
            f"the speakers of {unknown} utterances are unknown, and one may have many of them, so "
            f"speakers cannot be protected: give --unit utterance"
        )
    return _rows_of(real, unit)


def _rows_of(real: RealSet, unit: Unit) -> list[Rows]:
    """The rows of each speaker or session."""
    rows: dict[str, list[int]] = {}
    for row, utterance in enumerate(real.utterances):
        name = utterance.speaker if unit == "speaker" else utterance.session
        if name is None:
            raise UserError(
                f"utterance '{utterance.name}' has no session, so sessions cannot be protected: "
                f"give --unit speaker"
            )
        rows.setdefault(name, []).append(row)
    return [torch.tensor(of_one) for of_one in rows.values()]


def _groups(real: RealSet, question: Question) -> list[Tensor]:
    """The rows of all that are in the sample, or of each emotion, at least so many."""
    drawn, share = torch.zeros(len(real)), 1.0
    if isinstance(sample := question.sample, Draw):
        share = sample.sampling_probability
        drawn = torch.rand(len(real), generator=sample.generator)
    if not question.per_class:
        return [(drawn < share).nonzero().flatten()]
    of = real.task.group_of(real.targets).cpu()  # where `drawn` is
    groups = []
    for group in range(len(real.task.groups)):
        members = (of == group).nonzero().flatten()
        rows = members[drawn[members] < share]
        if len(rows) < FEWEST:
            first = drawn[members].argsort(stable=True)[:FEWEST]
            rows = members[first].sort().values
        groups.append(rows)
    return groups


def _means(
    real: RealSet, statistic: Statistic, groups: Sequence[Tensor]
) -> Float[Tensor, "group *shape"]:
    features, targets = real.features, real.targets
    means = []
    for rows in groups:
        if len(rows) == 0:
            means.append(torch.zeros_like(statistic(features[:1], targets[:1])[0]))
            continue
        # In one tensor: a small one kept after each chunk would leave a hole in memory where the
        # chunk was, in all as large as the corpus.
        sums: Tensor | None = None
        for place, part in enumerate(parts := _chunks(rows)):
            found = statistic(features[part], targets[part]).sum(dim=0)
            if sums is None:
                sums = found.new_empty(len(parts), *found.shape)
            sums[place] = found
        assert sums is not None
        means.append(sums.sum(dim=0) / len(rows))
    return torch.stack(means)


def _chunks(rows: Tensor) -> Sequence[Tensor]:
    return rows.split(CHUNK) if len(rows) else ()
