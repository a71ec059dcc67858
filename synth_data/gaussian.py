"""How the door answers under a privacy budget: clipped sums over units, with normal noise.

A unit (a speaker by default) has one vector for a question: for every emotion the mean of the
statistic over its utterances of that emotion, and an indicator that it has any,

    v = ( mean of phi, a [any] )  for emotion 1, ..., for emotion K.

The vector is cut to a public length C, vectors are added up, and normal noise of deviation
noise_multiplier * C is added once to every number of the sum. What comes out of the indicators is
a noisy count of units, and the sum is divided by that, never by the true one. So one unit more or
less moves the sum by C at most, and the ledger knows what that costs (Dwork et al. 2006; Balle and
Wang, ICML 2018; averaging within the unit first as in Charles et al., SaTML 2025).

Where units are sampled each is tossed for by itself, with a public probability (Poisson), by the
operating system's entropy. A unit with a number that is not finite is left out, as if it were not
there. An answer to nobody is noise alone.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synth_data import mechanism
from synth_data.account import Account, probability_of
from synth_data.errors import UserError
from synth_data.guarantee import Guarantee
from synth_data.ledger import Unit
from synth_data.mechanism import (
    EVERYTHING,
    Loss,
    Mechanism,
    OfSpeaker,
    Question,
    Rows,
    Statistic,
    units_of,
)
from synth_data.noise import Noise, system_noise, system_tosses
from synth_data.real import RealSet
from synth_data.task import NO_GROUP

# from units to what they have, some units at a time [unit block more]
OfUnits = Callable[[list[Rows]], Iterator[Tensor]]

PRESENCE = 0.5  # of an indicator, relative to the bound of a row: an eighth more of length
FEWEST = 1.0  # units that a noisy count is taken for at least


@dataclass(frozen=True, eq=False)
class Gaussian(Mechanism):
    """Noisy means, charged to an account.

    Attributes:
        account: which says how much noise there is, and keeps answers.
        noise: of unit deviation; anything but `system_noise` is for tests of this package, and
            what is answered with it protects nobody.
    """

    exact: ClassVar[bool] = False

    account: Account
    noise: Noise = system_noise

    @property
    def unit(self) -> Unit:
        """Whose presence is protected."""
        return self.account.budget.unit

    @property
    def guarantee(self) -> Guarantee | None:
        """None where the noise is not the system's: then nothing is guaranteed."""
        if self.noise is not system_noise:
            return None
        return Guarantee(self.account.budget, self.account.ledger.releases)

    @property
    def terms(self) -> Mapping[str, object]:
        return {
            "budget": asdict(self.account.budget),
            "plan": [asdict(one) for one in self.account.plan],
        }

    def require_paid(self, questions: Mapping[str, int]) -> None:
        self.account.require_paid(questions)

    def means(
        self, real: RealSet, statistic: Statistic, question: Question
    ) -> Float[Tensor, "group *shape"]:
        shape = statistic(real.features[:1], real.targets[:1]).shape[1:]
        of_units = partial(_vectors_of_means, real, statistic, question)
        return self._answer(real, question, shape.numel(), of_units).reshape(-1, *shape)

    def mean_of_speakers(
        self, real: RealSet, statistic: Statistic, of_speaker: OfSpeaker, question: Question
    ) -> Float[Tensor, "*shape"]:
        if self.unit != "speaker":
            raise UserError(
                f"a mean over speakers protects speakers, and the unit is the {self.unit}: give "
                f"--unit speaker"
            )
        of_one = partial(_of_speaker, real, statistic, of_speaker)
        shape = of_one(torch.tensor([0])).shape
        of_units = partial(_vectors_of_speakers, of_one)
        return self._answer(real, question, shape.numel(), of_units).reshape(shape)

    def mean_gradients(
        self, real: RealSet, loss: Loss, at: Mapping[str, Tensor], question: Question
    ) -> dict[str, Tensor]:
        weights = {name: weight.detach().requires_grad_() for name, weight in at.items()}
        sizes = [weight.numel() for weight in weights.values()]
        of_units = partial(_vectors_of_gradients, real, loss, weights, question)
        answer = self._answer(real, question, sum(sizes), of_units)
        return {
            name: part.reshape(-1, *weight.shape).to(weight)
            for (name, weight), part in zip(weights.items(), answer.split(sizes, 1), strict=True)
        }

    def _answer(
        self, real: RealSet, question: Question, size: int, of_units: OfUnits
    ) -> Float[Tensor, "block size"]:
        """The noisy mean of each block."""
        blocks = len(real.task.groups) if question.per_class else 1
        ask = partial(self._noisy, real, question, blocks * (size + 1), of_units)
        released = self.account.answer(question, ask).reshape(blocks, size + 1)
        return mean_of(released, question.bound).float().to(real.features.device)

    def _noisy(
        self,
        real: RealSet,
        question: Question,
        numbers: int,
        of_units: OfUnits,
        noise_multiplier: float,
    ) -> Float[Tensor, " number"]:
        """What is released: the sum of what units have, each cut to a length, with noise."""
        together = len(real.task.groups) if question.per_class and self.unit != "utterance" else 1
        length = clip_norm(question.bound, together)
        total = torch.zeros(numbers, dtype=torch.float64)
        for some in of_units(self._taken(units_of(real, self.unit), question)):
            scaled = some.cpu()
            scaled[..., -1] *= PRESENCE * question.bound
            total += clipped(scaled.flatten(1), length).sum(dim=0)
        return total + noise_multiplier * length * self.noise(numbers)

    def _taken(self, units: list[Rows], question: Question) -> list[Rows]:
        if question.sample == EVERYTHING:
            return units
        tossed = system_tosses(len(units), probability_of(question.sample)).tolist()
        return [rows for rows, taken in zip(units, tossed, strict=True) if taken]


def clip_norm(bound: float, blocks: int) -> float:
    """The length that a unit's vector is cut to: what it has if each of its rows is at the bound.

    >>> clip_norm(2.0, 4)
    4.47...
    """
    return bound * math.sqrt(blocks * (1 + PRESENCE**2))


def clipped(vectors: Float[Tensor, "unit size"], length: float) -> Float[Tensor, "unit size"]:
    """Vectors cut to a length; those with a number that is not finite are zero."""
    vectors = torch.where(vectors.isfinite().all(dim=1, keepdim=True), vectors, 0.0)
    norms = vectors.norm(dim=1, keepdim=True)
    return vectors * (length / norms.clamp_min(1e-300)).clamp_max(1.0)


def mean_of(total: Float[Tensor, "block more"], bound: float) -> Float[Tensor, "block size"]:
    """The means that noisy sums and counts come to."""
    count = total[:, -1:] / (PRESENCE * bound)
    return total[:, :-1] / count.clamp_min(FEWEST)


def _vectors_of_means(
    real: RealSet, statistic: Statistic, question: Question, units: list[Rows]
) -> Iterator[Tensor]:
    """What units have, some at a time: their mean row in each block, and an indicator."""
    for some in _batches(units):
        rows = torch.cat(some)
        sizes = torch.tensor([len(of_one) for of_one in some])
        unit = torch.arange(len(some)).repeat_interleave(sizes)
        each = _each(real, statistic, rows).flatten(1).double()
        block, blocks = _blocks(real, rows, question)
        known = block != NO_GROUP
        yield _by_block(each[known.to(each.device)], unit[known], len(some), block[known], blocks)


def _of_speaker(
    real: RealSet, statistic: Statistic, of_speaker: OfSpeaker, rows: Rows
) -> Float[Tensor, "*shape"]:
    return of_speaker(_each(real, statistic, rows).mean(dim=0, keepdim=True))[0]


def _each(real: RealSet, statistic: Statistic, rows: Rows) -> Float[Tensor, "n *shape"]:
    """The statistic of each utterance."""
    parts = rows.split(mechanism.CHUNK)
    return torch.cat([statistic(real.features[part], real.targets[part]) for part in parts])


def _vectors_of_speakers(of_one: Callable[[Rows], Tensor], units: list[Rows]) -> Iterator[Tensor]:
    for rows in units:
        each = of_one(rows).flatten().double()
        yield torch.cat([each, torch.ones(1).to(each)])[None, None]


def _vectors_of_gradients(
    real: RealSet,
    loss: Loss,
    weights: Mapping[str, Tensor],
    question: Question,
    units: list[Rows],
) -> Iterator[Tensor]:
    size = sum(weight.numel() for weight in weights.values())
    for rows in units:
        block, blocks = _blocks(real, rows, question)
        vector = torch.zeros(1, blocks, size + 1, dtype=torch.float64)
        for here in block[block != NO_GROUP].unique().tolist():
            vector[0, here, :-1] = _gradient(real, loss, weights, rows[block == here])
            vector[0, here, -1] = 1.0
        yield vector


def _gradient(
    real: RealSet, loss: Loss, weights: Mapping[str, Tensor], rows: Rows
) -> Float[Tensor, " size"]:
    """Of the mean loss of these utterances, in the memory of one chunk of them."""
    total = torch.zeros(sum(weight.numel() for weight in weights.values()), dtype=torch.float64)
    for part in rows.split(mechanism.CHUNK):
        lost = loss(weights, real.features[part], real.targets[part]).sum() / len(rows)
        slopes = torch.autograd.grad(lost, list(weights.values()))
        total += torch.cat([each.flatten() for each in slopes]).double().cpu()
    return total


def _batches(units: list[Rows]) -> Iterator[list[Rows]]:
    """Units together, as long as they fit into one pass; at least one."""
    some: list[Tensor] = []
    for rows in units:
        if some and sum(map(len, some)) + len(rows) > mechanism.CHUNK:
            yield some
            some = []
        some.append(rows)
    if some:
        yield some


def _blocks(
    real: RealSet, rows: Int[Tensor, " n"], question: Question
) -> tuple[Int[Tensor, " n"], int]:
    """The block that each row is in, or `NO_GROUP`, and how many there are."""
    if not question.per_class:
        return torch.zeros(len(rows), dtype=torch.int64), 1
    return real.task.group_of(real.targets[rows]).cpu(), len(real.task.groups)


def _by_block(
    rows: Float[Tensor, "n size"],
    unit: Int[Tensor, " n"],
    units: int,
    block: Int[Tensor, " n"],
    blocks: int,
) -> Float[Tensor, "unit block more"]:
    """Each unit's mean row in each block, with an indicator at the end."""
    place = (unit * blocks + block).to(rows.device)
    sums = rows.new_zeros(units * blocks, rows.shape[1]).index_add_(0, place, rows)
    counts = torch.bincount(place, minlength=units * blocks)[:, None]
    vectors = torch.cat([sums / counts.clamp_min(1), (counts > 0).to(rows)], dim=1)
    return vectors.reshape(units, blocks, -1)
