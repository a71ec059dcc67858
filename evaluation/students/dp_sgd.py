"""Networks trained on the real utterances by DP-SGD: to share a model in place of a private set.

Abadi et al., "Deep learning with differential privacy", CCS 2016, with whole units in place of
examples (ULS of Charles et al. 2024, "Fine-tuning large language models with user-level
differential privacy", arXiv 2407.07737). In each step every unit, such as a speaker, is tossed for
with a public probability; its gradient is that of the mean loss over its utterances, and is clipped
to a public length; the sum over units gets normal noise. For utterances as units this is DP-SGD as
published, but that nothing divides the sum by the number of units that is expected: that number is
private, and Adam's steps are the same whatever all gradients are divided by. Clipping and summation
over parts of a batch are those of Opacus' `DPOptimizer`, the noise multiplier is solved for with
its PRV accountant (`synth_data.ledger`).

As De et al. 2022 ("Unlocking high-accuracy differentially private image classification through
scale", arXiv 2204.13650) found best: large batches, a small clipping length, and the running mean
of the weights in place of the last ones. Their augmentations are the utterances of a unit here.
Adam takes the place of their SGD, since its steps fit themselves to how much noise there is.

All settings are constants. They were chosen beforehand for the tdnn, trained on 400 made-up
speakers (the toy corpus) and scored on the 20 test speakers of `examples/privacy_curve.py`, from
eleven trials with one student each at epsilon 8 or 1: 30 to 200 steps, learning rates of 0.001 to
0.01, lengths of 0.1 and 1. The ones taken lie between the best of both budgets; the sampling
probability was not varied. Nothing about the speakers of another corpus chooses any. Classes are
not weighed, as their shares are private.

Noise and tosses are the operating system's, and no seed makes them again: a student trained anew is
another one. A trained one is remembered like others on the machine that trains it, which has the
recordings, so that a command that was interrupted goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks import Weights, apply, skeleton
from evaluation.students.losses import cross_entropy
from evaluation.students.network import predict
from evaluation.students.recipe import CannotTrain, Examples, Fitted, Setting, StudentRecipe
from synth_data.errors import UserError
from synth_data.ledger import PrivacyBudget, Release, with_noise_for
from synth_data.mechanism import CHUNK, Rows
from synth_data.noise import Noise, Tosses, system_noise, system_tosses

if TYPE_CHECKING:
    from opacus.optimizers import DPOptimizer

STEPS = 150
LEARNING_RATE = 5e-3
SAMPLING_PROBABILITY = 0.25
CLIP_NORM = 0.1
DECAY = 0.95
# Beyond it nothing is private, and the accountant takes minutes to say so.
MOST_EPSILON = 50.0


@dataclass(frozen=True)
class PrivateRecipe(StudentRecipe):
    """How a network is trained under a privacy budget.

    Attributes:
        budget: that training spends, for each student anew.
        units: the rows of each unit.
        noise_multiplier: deviation of the noise over `clip_norm`.
        steps: of Adam.
        learning_rate: of Adam, constant.
        sampling_probability: with which a unit takes part in a step, in (0, 1].
        clip_norm: what a unit's gradient is clipped to.
        decay: of the running mean of the weights; 0 for the last ones.
        noise, tosses: anything but the operating system's is for tests, and protects nobody.
    """

    budget: PrivacyBudget
    units: tuple[tuple[int, ...], ...]
    noise_multiplier: float
    steps: int = STEPS
    learning_rate: float = LEARNING_RATE
    sampling_probability: float = SAMPLING_PROBABILITY
    clip_norm: float = CLIP_NORM
    decay: float = DECAY
    noise: Noise = field(default=system_noise, repr=False)
    tosses: Tosses = field(default=system_tosses, repr=False)

    @classmethod
    def under(cls, budget: PrivacyBudget, units: Sequence[Rows]) -> "PrivateRecipe":
        """The recipe that spends a budget.

        Args:
            budget: of one student.
            units: the rows of each, of `units_of`.

        Raises:
            UserError: the budget is too large or too small.
        """
        rows = tuple(tuple(of_one.tolist()) for of_one in units)
        return cls(budget, rows, noise_multiplier(budget))

    @property
    def settings(self) -> tuple[Setting, ...]:
        """One: choosing between some by the validation speakers would have to be paid for."""
        return (Setting(self.steps, self.learning_rate),)

    def fit(
        self,
        student: str,
        weights: Weights,
        examples: Examples,
        setting: Setting,  # noqa: ARG002 - the noise is solved for the recipe's own
        generator: torch.Generator,  # noqa: ARG002 - what is random here has no seed
    ) -> Fitted:
        mels, emotions = examples.features.shape[1], examples.targets.shape[1]
        network = skeleton(student, mels, emotions)
        trained = self.train(network, weights, examples)
        if not all(weight.isfinite().all() for weight in trained.values()):
            raise CannotTrain(f"training diverged ({self.settings[0]})")
        return Fitted(
            predict=lambda features: predict(network, trained, features),
            parameters=sum(weight.numel() for weight in network.parameters()),
            weights=trained,
        )

    def train(self, network: nn.Module, weights: Weights, examples: Examples) -> dict[str, Tensor]:
        """The weights after all steps; those it starts from are left alone.

        Args:
            network: from `networks.skeleton`, one that does not couple utterances.
            weights: to start from.
            examples: the rows that `units` is about.
        """
        learned = {n: w.detach().clone().requires_grad_() for n, w in weights.items()}
        mean = {name: weight.detach().clone() for name, weight in learned.items()}
        optimiser = self.optimiser(list(learned.values()))
        units = [torch.tensor(rows) for rows in self.units]
        for step in range(self.steps):
            tossed = self.tosses(len(units), self.sampling_probability).tolist()
            taken = [rows for rows, heads in zip(units, tossed, strict=True) if heads]
            self.descend(optimiser, network, learned, examples, taken)
            decay = min(self.decay, (1 + step) / (10 + step))  # the start is soon forgotten
            for name, weight in learned.items():
                mean[name].lerp_(weight.detach(), 1 - decay)
        return mean

    def optimiser(self, learned: list[Tensor]) -> "DPOptimizer":
        """Adam behind Opacus' clipping, with noise of ours.

        Opacus draws its noise from a generator of PyTorch's, which has a seed, so its own is off
        and the operating system's is added to the sum.
        """
        from opacus.optimizers import DPOptimizer  # seconds, for who trains such students

        deviation = self.noise_multiplier * self.clip_norm

        def add_noise(_: DPOptimizer) -> None:
            for weight in learned:
                assert weight.grad is not None
                noise = self.noise(weight.numel()).reshape(weight.shape)
                weight.grad = (weight.grad + deviation * noise).to(weight)

        found = DPOptimizer(
            torch.optim.Adam(learned, lr=self.learning_rate),
            noise_multiplier=0.0,
            max_grad_norm=self.clip_norm,
            expected_batch_size=1,
        )
        found.attach_step_hook(add_noise)
        return found

    def descend(
        self,
        optimiser: "DPOptimizer",
        network: nn.Module,
        learned: Weights,
        examples: Examples,
        units: Sequence[Rows],
    ) -> None:
        """One step on these units, which may be none: then on noise alone."""
        for rows in units:  # one at a time, so that memory holds the gradient of one
            gradients = _gradient(network, learned, examples, rows)
            for weight, gradient in zip(learned.values(), gradients, strict=True):
                weight.grad_sample = gradient[None]  # type: ignore[attr-defined]
            optimiser.signal_skip_step(do_skip=True)
            optimiser.step()
            optimiser.zero_grad()
        for weight in learned.values():  # Opacus' sign that a batch ends here
            weight.grad_sample = weight.new_zeros(0, *weight.shape)  # type: ignore[attr-defined]
        optimiser.step()
        optimiser.zero_grad()


def _gradient(
    network: nn.Module, learned: Weights, examples: Examples, rows: Rows
) -> list[Float[Tensor, "..."]]:
    """Of a unit's mean loss; zero if a number in it is not finite, as of a unit left out."""
    total = [torch.zeros_like(weight) for weight in learned.values()]
    for part in rows.split(CHUNK):
        logits = apply(network, learned, examples.features[part])
        loss = cross_entropy(logits, examples.targets[part]).sum() / len(rows)
        for one, more in zip(total, torch.autograd.grad(loss, list(learned.values())), strict=True):
            one += more
    if all(one.isfinite().all() for one in total):
        return total
    return [torch.zeros_like(one) for one in total]


@cache
def noise_multiplier(budget: PrivacyBudget) -> float:
    """Under which all steps together cost the budget; solving for it takes seconds.

    Raises:
        UserError: the budget is too large, or smaller than the accountant can resolve.
    """
    if budget.epsilon > MOST_EPSILON:
        raise UserError(
            f"an epsilon of {budget.epsilon:g} guarantees nothing, and above {MOST_EPSILON:g} the "
            f"noise for it is not solved for: compare with full data, which are given away as well"
        )
    (release,) = with_noise_for(budget, [Release("dp-sgd", 1.0, SAMPLING_PROBABILITY, STEPS)])
    return release.noise_multiplier
