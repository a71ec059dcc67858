"""A student's loss on real speech, asked through the door one utterance at a time.

Cross-entropy is a mean over utterances already. One minus the concordance (CCC) of dimensions is
not: it couples all of them. But it depends on them through a few moments alone, so these are asked
first, and then the gradient that they fix, which is a mean again (`evaluation.concordance`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.objective import State, Student
from evaluation.concordance import moments
from evaluation.networks import Weights, apply
from evaluation.students.losses import utterance_losses
from synth_data.curator import Curator
from synth_data.mechanism import Draw, Sample

EMOTION_SHARES = "emotion shares"
MOMENTS = "moments of what networks say"
MEANS = "means of moments"  # as a state names them


@dataclass(frozen=True)
class RealLoss:
    """What a network's outputs lose on real utterances.

    Attributes:
        student: the network, with its task.
        view: how utterances look to it.
        balance: weights of the emotions; None for 1.
        still: weights of the network that the loss is no function of.
        means: of `moments` of outputs and targets, where dimensions are told (`asked`).
    """

    student: Student
    view: Callable[[Tensor], Tensor]
    balance: Float[Tensor, " emotion"] | None = None
    still: Weights = field(default_factory=dict)
    means: Tensor | None = None

    def __call__(
        self,
        weights: Weights,
        features: Float[Tensor, "n mel frame"],
        targets: Float[Tensor, "n column"],
    ) -> Float[Tensor, " n"]:
        """Of each utterance: a loss for the door."""
        outputs = self._outputs(weights, features)
        return utterance_losses(self.student.task, outputs, targets, self.means, self.balance)

    def asked(self, curator: Curator, weights: Weights, sample: Sample) -> "RealLoss":
        """The same loss with the means that it needs at these weights; for emotions, none.

        A draw is left as it was, so that the same utterances can be asked for the gradient.
        """
        task = self.student.task
        if not task.dimensions:
            return self

        def rows(features: Tensor, targets: Tensor) -> Tensor:
            with torch.no_grad():
                said = task.numbers(self._outputs(weights, features))
            return moments(said, task.numbers(targets))

        with _undrawn(sample):
            means = curator.mean(rows, purpose=MOMENTS, sample=sample, per_class=False)
        return replace(self, means=means)

    def kept(self) -> dict[str, Tensor]:
        """What a state keeps of it, by name."""
        return {} if self.means is None else {MEANS: self.means}

    def _outputs(self, weights: Weights, features: Tensor) -> Float[Tensor, "n column"]:
        return apply(self.student.network, {**self.still, **weights}, self.view(features))


def means_at(state: State, checkpoint: int) -> Tensor | None:
    """What `RealLoss.kept` kept at a checkpoint."""
    return state[MEANS][checkpoint] if MEANS in state else None


def emotion_balance(curator: Curator) -> Float[Tensor, " emotion"]:
    """Weights under which the emotions count alike, and an utterance counts one on average.

    Those without an emotion count nothing and the others the more, as with `class_balance`.
    """
    task = curator.task
    if not task.dimensions:
        return curator.class_balance()
    if not task.emotions:
        return torch.ones(0, device=curator.device)

    def known(_: Tensor, targets: Tensor) -> Tensor:
        return task.shares(targets).nan_to_num(0.0)

    shares = curator.mean(known, purpose=EMOTION_SHARES, per_class=False)
    return 1.0 / (shares * len(task.emotions)).clamp_min(1e-6)


@contextmanager
def _undrawn(sample: Sample) -> Iterator[None]:
    """Leaves a draw as it was before."""
    before = sample.generator.get_state() if isinstance(sample, Draw) else None
    yield
    if isinstance(sample, Draw) and before is not None:
        sample.generator.set_state(before)
