"""Kernel: a ridge regression on the items should do well on all real speech.

The body of a network turns an utterance into an embedding, and a ridge regression of the labels on
the embeddings of the items is a head, in closed form (KIP, Nguyen et al. 2021, "Dataset
meta-learning from kernel ridge-regression"; FRePo, Zhou et al. 2022, "Dataset distillation using
neural feature regression"). The set is pulled until that head does well on real speech. With the
items F [n, d], a row of which is x = (u - m, b) for the embedding u at a length of 1, and with
their labels Y [n, C], less 1/C,

    W = F^T (F F^T + ridge tr(F F^T)/n I)^-1 Y,
    loss = E |W^T x - y|^2 / E |y|^2
         = (tr(W^T M W) - 2 tr(W^T B) + E |y|^2) / E |y|^2.

E is over all real speech, in which emotions count alike: 1 is nothing learned. It hangs on two
moments of real embeddings alone, M = E x x^T and B = E x y^T, which are asked once for each
network. Where dimensions are told the loss is 1 - their mean concordance, which hangs on the same
moments: with y around the real mean, 1 - 2 E yh / (E y^2 + E h^2) for h = W^T x.

Networks with a head in closed form are not the students who train all of their weights, and what
serves the former did little for the latter. So there are two more terms, of the same answers: the
distance of the class means (as `distribution_matching`), and, as there, the cross-entropy by which
the trained networks themselves recognise the items.

Where we differ: FRePo's networks train on the items, and a step tests on a batch of real ones; here
they are checkpoints of training on the real data, and a step tests on all of them and reads none.
Embeddings have one length, so that moments have a public bound; and they are centred at the real
mean m, so that the ridge is relative to how much they differ, while b, as large as that, leaves
room for a bias. FRePo learns labels without any constraint, and ours are shares where they are
learned.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from distill.objectives.embedding_moments import MEANS, WITHIN, around_means, moments_of
from distill.objectives.objective import Candidate, Cost, State, Student
from distill.objectives.trajectories import AlongTrajectories, weights_of
from distill.objectives.walk import View
from distill.symmetric import Symmetric
from evaluation.concordance import LEAST_KNOWN
from evaluation.networks import Weights, embedded
from evaluation.students.losses import student_loss
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.mechanism import Sample
from synth_data.settings import NotNegative, Positive

ALL_MOMENTS = "moments of embeddings and targets"
LEAST_RIDGE = 1e-9  # that double precision can still solve, for a thousand items that are alike


@dataclass(frozen=True)
class Kernel(AlongTrajectories):
    """Ridge regression on the items, tested on the moments of real embeddings.

    With starts = 1, checkpoints = 1, starts_from = "fixed" and neither of the other terms, it makes
    the set for one student: the fixed weights with a ridge regression as their head.

    Attributes:
        ridge: of the regression, relative to the mean squared length of the items.
        means: weight of the distance between class means.
        classification: weight of the items' loss at checkpoints that were trained: a mean over the
            items that a step meets (`together`), so that where these are few of the set's it
            weighs more beside what is matched, which is of all of them. The defaults that `auto`
            takes were measured so.

    Raises:
        UserError: a ridge too small to be solved, classification by networks that are not
            trained, and what `AlongTrajectories` refuses.
    """

    name: ClassVar[str] = "kernel"

    ridge: Positive = 0.01
    means: NotNegative = 0.5
    classification: NotNegative = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ridge < LEAST_RIDGE:
            raise UserError(
                f"items that are alike cannot be told apart with a ridge below {LEAST_RIDGE:g}; "
                f"found {self.ridge:g}"
            )
        if self.classification and self.checkpoints == 1:
            raise UserError(
                "the classification term is of networks that were trained, and with one checkpoint "
                "none is: set checkpoints to 2 or more, or classification to 0"
            )

    @property
    def asked(self) -> str:
        return "class moments of embeddings"

    def size_of_asked(self, student: Student, emotions: int) -> int:
        size = _size(student.start)
        return emotions * (Symmetric(size).numbers + size)

    def ask(
        self, curator: Curator, student: Student, weights: Weights, view: View, sample: Sample
    ) -> dict[str, Tensor]:
        size = _size(weights)
        symmetric = Symmetric(size)

        def statistic(features: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG001 - for the door
            with torch.no_grad():
                seen, _ = on_sphere(student, weights, view(features))
                return torch.cat([symmetric.pack(seen[:, :, None] * seen[:, None, :]), seen], dim=1)

        # Of a vector of length 1, the square's length is 1 as well.
        answer = curator.mean(statistic, purpose=self.asked, sample=sample, bound=math.sqrt(2))
        squares, means = answer.split([symmetric.numbers, size], dim=1)
        if curator.task.dimensions:
            return {MEANS: means.clone()} | _of_all(curator, student, weights, view, sample)
        within = symmetric.unpack(squares.mean(dim=0)) - means.T @ means / len(means)
        if not curator.exact:  # noise knows nothing of what a covariance can be
            values, directions = torch.linalg.eigh(within.double())
            within = ((directions * values.clamp_min(0)) @ directions.T).float()
        return {MEANS: means.clone(), WITHIN: within}

    def step(
        self,
        state: State,
        candidate: Candidate,
        curator: Curator,  # noqa: ARG002 - every answer is in the state
        student: Student,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, ""], State]:
        met = self.meet(state, candidate, generator)
        weights = weights_of(state, met.checkpoint)
        real = moments_of(state, met.checkpoint, student.task)
        seen, logits = on_sphere(student, weights, met.moved.features)
        inputs, labels = real.inputs(seen), real.labels(met.moved.targets)
        if met.share == 1:
            every, head = seen, ridge_head(inputs, labels, self.ridge)
        else:
            with torch.no_grad():
                every, _ = on_sphere(student, weights, met.every.features)
                others, theirs = real.inputs(every), real.labels(met.every.targets)
            square = _moved(others.T @ others, inputs.T @ inputs)
            cross = _moved(others.T @ theirs, inputs.T @ labels)
            head = _solved(square, cross, self.ridge / len(others))
        loss = real.error(head)
        if self.means:
            ours = met.class_means(seen, lambda _: every)
            loss = loss + self.means * real.distance(ours)
        if self.classification and met.checkpoint % self.checkpoints:
            recognised = student_loss(student.task, logits, met.moved.targets)
            loss = loss + self.classification * recognised
        return loss, met.state

    def cost(self, per_class: int, utterances: int) -> Cost:
        return Cost(
            real_passes=self.real_passes(utterances),
            step_passes=self.seen_passes(per_class),
            checkpoints=self.starts * self.checkpoints,
        )


def _of_all(
    curator: Curator, student: Student, weights: Weights, view: View, sample: Sample
) -> dict[str, Tensor]:
    """The moments of all utterances and their targets; an unknown emotion may be any.

    One ridge regression tells all targets, so that utterances that lack a dimension are left out.
    """
    size, columns, task = _size(weights), len(curator.task.columns), curator.task
    symmetric = Symmetric(size)

    def statistic(features: Tensor, targets: Tensor) -> Tensor:
        with torch.no_grad():
            seen, _ = on_sphere(student, weights, view(features))
        shares = task.shares(targets).nan_to_num(1 / max(1, len(task.emotions)))
        numbers = task.numbers(targets)
        whole = (~numbers.isnan().any(dim=1, keepdim=True)).to(seen)
        told = torch.cat([shares, numbers.nan_to_num(0.0)], dim=1)
        squares = symmetric.pack(seen[:, :, None] * seen[:, None, :])
        products = (seen[:, :, None] * told[:, None, :]).flatten(1)
        return whole * torch.cat(
            [squares, seen, products, told, told.square(), torch.ones_like(whole)], dim=1
        )

    answer = curator.mean(statistic, purpose=ALL_MOMENTS, sample=sample, per_class=False)
    known = answer[:-1] / answer[-1].clamp_min(LEAST_KNOWN)
    parts = known.split([symmetric.numbers, size, size * columns, columns, columns])
    squares, mean, products, told, told_squares = parts
    products = products.reshape(size, columns)
    return around_means(symmetric.unpack(squares), mean, products, told, told_squares)


def on_sphere(
    student: Student, weights: Mapping[str, Tensor], features: Float[Tensor, "n mel frame"]
) -> tuple[Float[Tensor, "n size"], Float[Tensor, "n emotion"]]:
    """Embeddings at a length of 1, and logits."""
    embedding, logits = embedded(student.network, weights, features)
    return functional.normalize(embedding, dim=1), logits


def ridge_head(
    inputs: Float[Tensor, "n inputs"], labels: Float[Tensor, "n emotion"], ridge: float
) -> Float[Tensor, "inputs emotion"]:
    """The ridge regression of labels on inputs, by whichever of its two forms is smaller.

    Args:
        inputs: in double precision, as the labels are.
        labels: centred.
        ridge: relative to the mean squared length of an input.
    """
    n, size = inputs.shape
    if n < size:
        return inputs.T @ _solved(inputs @ inputs.T, labels, ridge / n)
    return _solved(inputs.T @ inputs, inputs.T @ labels, ridge / n)


def _solved(
    square: Float[Tensor, "size size"], right: Float[Tensor, "size emotion"], ridge: float
) -> Float[Tensor, "size emotion"]:
    """Of a positive semidefinite matrix, with a ridge relative to its trace."""
    own = torch.eye(len(square)).to(square)
    # Not by Cholesky: what is not finite must come out as that, for a step not to be taken.
    return torch.linalg.solve(square + ridge * square.trace() * own, right)


def _moved(every: Tensor, moved: Tensor) -> Tensor:
    """A sum over all items, differentiable in those that are moved."""
    return every + moved - moved.detach()


def _size(weights: Weights) -> int:
    return weights["head.weight"].shape[1]
