"""Networks on their way through training on the real data: where objectives compare.

A trajectory does not depend on the synthetic set, so it is walked once, before the first step, and
whatever is asked at its checkpoints is asked once and kept.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.objective import Candidate, Objective, State, Student
from distill.objectives.walk import WALK, View, Walk
from evaluation.augment import Augment
from evaluation.networks import Weights, draw_weights
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.features import FeatureSpec
from synth_data.ledger import Release
from synth_data.mechanism import Sample
from synth_data.randomness import generator
from synth_data.settings import Count, Positive, Probability, Whole

WEIGHT = "weight/"  # how a state names what a network's weights are
VIEW = "view"  # seeds of siamese augmentations
TAKEN = "taken"  # outer steps


class Meeting(NamedTuple):
    """What an outer step compares: a checkpoint, and items as they are seen there.

    All items count in what is compared, and some are moved. Were those compared alone, each few
    items would have to look as the whole class does, and all would end up alike.
    """

    checkpoint: int
    every: Candidate
    moved: Candidate
    state: State

    @property
    def share(self) -> float:
        """Of all items, those that are moved."""
        return self.moved.per_class / self.every.per_class

    def class_means(
        self,
        moved: Float[Tensor, "n *rest"],
        seen: Callable[[Candidate], Float[Tensor, "n *rest"]],
    ) -> Float[Tensor, "group *rest"]:
        """The means of something over all items of each class, differentiable in the moved ones.

        Args:
            moved: of the moved items.
            seen: tells it of any items.
        """
        means = self.moved.class_means(moved)
        if self.share == 1:
            return means
        with torch.no_grad():
            every = self.every.class_means(seen(self.every))
        return every + self.share * (means - means.detach())


@dataclass(frozen=True)
class AlongTrajectories(Objective):
    """An objective that compares at checkpoints of networks trained on the real data.

    Attributes:
        starts: trajectories; for both kinds of students the first starts from the fixed
            initialisation, the others from random ones.
        checkpoints: of each trajectory, the first being its start.
        stride: optimiser steps between two checkpoints.
        learning_rate: of AdamW along the trajectory.
        sampling_probability: of each utterance, at each step of a trajectory.
        at_a_step: utterances that such a step asks of at most, on average.
        at_a_checkpoint: utterances that a checkpoint's question is asked of at most, on average,
            so that a larger corpus costs no more.
        augment: how the real utterances are augmented, along the trajectory and in what is
            matched: what the synthetic set learns should not hang on the training speakers.
        siamese: augment what is matched alike on both sides, all utterances and items in one way
            at each checkpoint (Zhao and Bilen 2021); else the real side alone, each afresh.
        curriculum: outer steps over which checkpoints come into play, the starts first (as the
            difficulty window of DATM, Guo et al. 2024); 0 for all at once.
        together: items of each class that a step moves, drawn afresh.

    Raises:
        UserError: siamese augmentation without any, or a curriculum of one checkpoint.
    """

    starts: Count = 4
    checkpoints: Count = 12
    stride: Count = 10
    learning_rate: Positive = 1e-3
    sampling_probability: Probability = 0.1
    at_a_step: Count = 512
    at_a_checkpoint: Count = 8192
    augment: Augment = Augment()
    siamese: bool = False
    curriculum: Whole = 0
    together: Count = 32

    def __post_init__(self) -> None:
        if self.siamese and self.augment == Augment():
            raise UserError(
                "siamese augmentation has nothing to do: set augment too, such as "
                "augment = { shift = 0.1, noise = 0.3 }, or siamese to false"
            )
        if self.curriculum and self.checkpoints == 1:
            raise UserError(
                "a curriculum opens checkpoints one after the other, and there is one: set "
                "checkpoints to 2 or more, or curriculum to 0"
            )

    def init(self, curator: Curator, student: Student, seed: int) -> State:
        kept: dict[str, list[Tensor]] = {}
        for weights, view, view_seed, sample in self.networks(curator, student, seed):
            answers = self.ask(curator, student, weights, view, sample)
            found = {WEIGHT + name: value for name, value in weights.items()} | answers
            for name, value in (found | {VIEW: view_seed}).items():
                kept.setdefault(name, []).append(value)
        return stacked(kept)

    @abstractmethod
    def ask(
        self, curator: Curator, student: Student, weights: Weights, view: View, sample: Sample
    ) -> dict[str, Tensor]:
        """What is asked at a checkpoint, and kept, by name.

        Args:
            curator: the door.
            student: the network.
            weights: at the checkpoint.
            view: how utterances look there; it is part of the question.
            sample: which utterances.
        """

    @property
    def moving(self) -> Sequence[str]:
        """Names of the weights that are trained along a trajectory; empty for all."""
        return ()

    def networks(
        self, curator: Curator, student: Student, seed: int
    ) -> Iterator[tuple[Weights, View, Tensor, Sample]]:
        """The weights at every checkpoint of every trajectory, and how utterances look there.

        Args:
            curator: the door, which the trajectories ask for gradients.
            student: the network, with its fixed initialisation.
            seed: that all random numbers are derived from.

        Yields:
            The weights, the view, the seed of the view, and which utterances are asked of there.
        """
        for start in range(self.starts):
            draws = generator(seed, self.name, "trajectory", start)
            fixed = self.starts_from == "fixed" or (self.starts_from == "both" and start == 0)
            weights = student.start if fixed else draw_weights(student.network, draws)
            view = partial(self.augment, generator=draws)
            way = self._walk.checkpoints_of(curator, student, weights, view, draws, self.moving)
            for checkpoint in way:
                sample = curator.sample(1.0, self.at_a_checkpoint, draws)
                if self.siamese:
                    view_seed = torch.randint(2**31, (), generator=draws)
                    yield checkpoint, partial(self._alike, seed=view_seed), view_seed, sample
                else:
                    yield checkpoint, view, torch.tensor(0), sample

    def meet(self, state: State, candidate: Candidate, generator: torch.Generator) -> Meeting:
        """What an outer step compares.

        Args:
            state: of `init`, or of the step before.
            candidate: whose items are drawn from.
            generator: for the draws.
        """
        taken, seeds = int(state[TAKEN]), state[VIEW]
        share = (taken + 1) / self.curriculum if taken < self.curriculum else 1.0
        open_ones = [
            checkpoint
            for checkpoint in range(len(seeds))
            if checkpoint % self.checkpoints < share * self.checkpoints
        ]
        drawn = int(torch.randint(len(open_ones), (1,), generator=generator))
        every, moved = candidate, candidate.some(self.together, generator)
        if self.siamese:
            view = partial(self._alike, seed=seeds[open_ones[drawn]])
            every, moved = every.seen(view), moved.seen(view)
        return Meeting(open_ones[drawn], every, moved, {**state, TAKEN: state[TAKEN] + 1})

    def moved(self, per_class: int) -> float:
        """The share of all items that a step moves."""
        return min(self.together, per_class) / per_class

    def seen_passes(self, per_class: int) -> float:
        """Over every item, of a step that sees all and moves some: a third of a pass forwards."""
        moved = self.moved(per_class)
        return moved + (1 / 3 if moved < 1 else 0)

    def _alike(
        self, features: Float[Tensor, "n mel frame"], seed: Tensor
    ) -> Float[Tensor, "n mel frame"]:
        return self.augment(features, torch.Generator().manual_seed(int(seed)), alike=True)

    def learned(self) -> dict[str, Tensor]:
        return {}

    def schedule(self, learned: Mapping[str, Tensor], per_class: int) -> None:  # noqa: ARG002
        return None  # any training will do

    @property
    @abstractmethod
    def asked(self) -> str:
        """What is asked at every checkpoint, as purposes are named."""

    @abstractmethod
    def size_of_asked(self, student: Student, emotions: int) -> int:
        """How many numbers that has, over all emotions."""

    def numbers(
        self,
        student: Student,
        spec: FeatureSpec,  # noqa: ARG002 - all are as long as the network says
        emotions: int,
    ) -> dict[str, int]:
        walked = sum(student.start[name].numel() for name in self.moving or student.start)
        return {self.asked: self.size_of_asked(student, emotions), WALK: walked}

    def releases(self, steps: int) -> list[Release]:  # noqa: ARG002 - all before the first
        require_plain(self.augment)
        asked = Release(self.asked, 1.0, count=self.starts * self.checkpoints)
        return [asked, *self._walk.releases(self.starts)]

    def real_passes(self, utterances: int) -> float:
        """Of one utterance, of so many: to walk, and to ask at every checkpoint."""
        asked = self.checkpoints * min(utterances, self.at_a_checkpoint)
        return self.starts * (asked + self._walk.passes(utterances))

    @property
    def _walk(self) -> Walk:
        adam = partial(torch.optim.AdamW, lr=self.learning_rate, fused=True)
        return Walk(self.checkpoints, self.stride, self.sampling_probability, self.at_a_step, adam)


def require_plain(augment: Augment) -> None:
    """Raises `UserError` if what one utterance looks like depends on how many came before it."""
    if augment != Augment():
        raise UserError(
            "augmentation draws its random numbers for one utterance after the other, so that one "
            "unit more or less changes what is seen of all others: leave augment out under a "
            "privacy budget"
        )


def stacked(kept: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    """A state of what was kept at each checkpoint, by name, before the first step."""
    state = {name: torch.stack(values) for name, values in kept.items()}
    return {**state, TAKEN: torch.tensor(0)}


def weights_of(state: State, checkpoint: int) -> dict[str, Tensor]:
    """The network's weights at a checkpoint in the state."""
    return {
        name.removeprefix(WEIGHT): values[checkpoint]
        for name, values in state.items()
        if name.startswith(WEIGHT)
    }
