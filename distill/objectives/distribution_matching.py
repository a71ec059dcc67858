"""Distribution matching: in the eyes of many networks, the classes should look as the real ones.

Zhao and Bilen 2023 (DM): for networks with random weights, the distance between the mean
embedding of a class' synthetic items and that of its real utterances,

    sum over classes c of  |mean_S,c phi(x) - mean_T,c phi(x)|^2 / spread,

where phi is the embedding. Every real mean is asked once. What can be chosen beyond that:

- partly trained networks among the random ones, with the classification term of IDM (Zhao et al.
  2023, "Improved distribution matching"): the items should also be recognised by them;
- first and second moments in place of means;
- the characteristic function, as in NCFM (Wang et al. 2025, "Dataset distillation with neural
  characteristic function"): means of exp(i t z) at frequencies t. NCFM learns where to look; here
  the frequencies are normal and fixed, so that the real side can be asked once;
- `one_release`: all networks' statistics as one question, of networks that have seen nothing.

We divide by the spread of the real class means, so that every network weighs alike.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from distill.objectives.objective import Candidate, Cost, State, Student
from distill.objectives.trajectories import (
    VIEW,
    WEIGHT,
    AlongTrajectories,
    require_plain,
    stacked,
    weights_of,
)
from distill.objectives.walk import View
from evaluation.networks import Weights, embedded
from evaluation.students.losses import student_loss
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.ledger import Release
from synth_data.mechanism import Sample, Statistic
from synth_data.randomness import generator
from synth_data.settings import Count, NotNegative, Positive, Share

MEAN = "mean"


@dataclass(frozen=True)
class DistributionMatching(AlongTrajectories):
    """Distribution matching in the embeddings of random and partly trained networks.

    Attributes:
        statistic: of an embedding z, whose class means are compared: "mean" is z itself,
            "moments" z and its squares, "characteristic" cos and sin of t z for normal t, of z
            brought to the length sqrt(its size).
        frequencies: how many t.
        bandwidth: their standard deviation times the root of the embedding's size.
        amplitude: of the characteristic function's distance, the share of the amplitudes, which
            tell diversity; the rest is that of the phases, which tell where.
        classification: weight of the items' loss at checkpoints that were trained: a mean over the
            items that a step meets (`together`), so that where these are few of the set's it
            weighs more beside what is matched, which is of all of them. The defaults that `auto`
            takes were measured so.
        one_release: ask for all statistics at once. Then `checkpoints` must be 1, since partly
            trained networks take further questions.

    Raises:
        UserError: one release of networks that would have to be trained, classification by
            networks that are not, and what `AlongTrajectories` refuses.
    """

    name: ClassVar[str] = "distribution-matching"

    starts: Count = 8
    checkpoints: Count = 6
    statistic: Literal["mean", "moments", "characteristic"] = "mean"
    frequencies: Count = 256
    bandwidth: Positive = 1.0
    amplitude: Share = 0.5
    classification: NotNegative = 0.0
    one_release: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classification and self.checkpoints == 1:
            raise UserError(
                "the classification term is of networks that were trained, and with one checkpoint "
                "none is: set checkpoints to 2 or more, or classification to 0"
            )
        if self.one_release and self.checkpoints != 1:
            raise UserError(
                f"one_release asks one question, of networks without training: set checkpoints "
                f"to 1; found {self.checkpoints}"
            )

    def init(self, curator: Curator, student: Student, seed: int) -> State:
        if not self.one_release:
            return super().init(curator, student, seed)
        kept: dict[str, list[Tensor]] = {}
        seen: list[Statistic] = []
        for weights, view, view_seed, _ in self.networks(curator, student, seed):
            found = {WEIGHT + name: value for name, value in weights.items()}
            for name, value in (found | {VIEW: view_seed}).items():
                kept.setdefault(name, []).append(value)
            seen.append(self._seen(student, weights, view))

        def together(features: Tensor, targets: Tensor) -> Tensor:
            return torch.stack([statistic(features, targets) for statistic in seen], dim=1)

        draws = generator(seed, self.name, "sample")
        sample = curator.sample(1.0, self.at_a_checkpoint, draws)
        every = curator.mean(together, purpose=self.asked, sample=sample, bound=self._bound)
        return stacked(kept | {MEAN: list(every.unbind(dim=1))})

    @property
    def asked(self) -> str:
        return "class means in the eyes of all networks" if self.one_release else "class means"

    @property
    def _bound(self) -> float:
        """The length of what is asked, where it has one: sines and cosines do."""
        together = self.starts if self.one_release else 1
        return math.sqrt(self.frequencies * together)

    def size_of_asked(self, student: Student, emotions: int) -> int:  # noqa: ARG002
        # Of characteristic functions, which alone have a public bound.
        return emotions * 2 * self.frequencies * (self.starts if self.one_release else 1)

    def releases(self, steps: int) -> list[Release]:
        if self.statistic != "characteristic":
            raise UserError(
                f"{self.name} of {self.statistic} has no public bound, and under a privacy budget "
                f"every answer needs one: set statistic to characteristic"
            )
        if not self.one_release:
            return super().releases(steps)
        require_plain(self.augment)
        return [Release(self.asked, 1.0)]

    def ask(
        self, curator: Curator, student: Student, weights: Weights, view: View, sample: Sample
    ) -> dict[str, Tensor]:
        statistic = self._seen(student, weights, view)
        mean = curator.mean(statistic, purpose=self.asked, sample=sample, bound=self._bound)
        return {MEAN: mean}

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

        def seen(items: Candidate) -> Tensor:
            return self._statistic(embedded(student.network, weights, items.features)[0])

        embedding, logits = embedded(student.network, weights, met.moved.features)
        ours = met.class_means(self._statistic(embedding), seen)
        loss = self._distance(ours, state[MEAN][met.checkpoint])
        if self.classification and met.checkpoint % self.checkpoints:
            told = student_loss(student.task, logits, met.moved.targets)
            loss = loss + self.classification * told
        return loss, met.state

    @property
    def learns_labels(self) -> bool:
        # Otherwise labels only say which class an item is of.
        return self.classification > 0 and self.checkpoints > 1

    def cost(self, per_class: int, utterances: int) -> Cost:
        return Cost(
            real_passes=self.real_passes(utterances),
            step_passes=self.seen_passes(per_class),
            checkpoints=self.starts * self.checkpoints,
        )

    def _seen(self, student: Student, weights: Weights, view: View) -> Statistic:
        """What a network sees in an utterance, as a question for the door."""

        def statistic(features: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG001 - for the door
            with torch.no_grad():
                embedding, _ = embedded(student.network, weights, view(features))
                return self._statistic(embedding)

        return statistic

    def _statistic(self, embedding: Float[Tensor, "n embedding"]) -> Float[Tensor, "n statistic"]:
        if self.statistic == "mean":
            return embedding
        if self.statistic == "moments":
            return torch.cat([embedding, embedding.square()], dim=1)
        size = embedding.shape[1]
        # Always the same frequencies: where to look is no secret, and no question of chance.
        draws = generator(0, self.name, "frequencies")
        scale = self.bandwidth / math.sqrt(size)
        directions = scale * torch.randn(self.frequencies, size, generator=draws)
        sphere = functional.normalize(embedding, dim=1) * math.sqrt(size)
        angles = sphere @ directions.to(embedding.device).T
        return torch.cat([angles.cos(), angles.sin()], dim=1)

    def _distance(
        self, ours: Float[Tensor, "group statistic"], theirs: Float[Tensor, "group statistic"]
    ) -> Float[Tensor, ""]:
        """Squared, relative to how far the real classes are from each other."""
        spread = (theirs - theirs.mean(dim=0)).square().sum().clamp_min(1e-12)
        if self.statistic != "characteristic":
            return (ours - theirs).square().sum() / spread
        # |a - b|^2 = (|a| - |b|)^2 + 2 (|a||b| - Re(a conj b)), for complex means a and b.
        (real, imaginary), (other, other_imaginary) = (
            each.chunk(2, dim=1) for each in (ours, theirs)
        )
        length = torch.sqrt(real.square() + imaginary.square() + 1e-12)
        other_length = torch.sqrt(other.square() + other_imaginary.square() + 1e-12)
        amplitudes = (length - other_length).square().sum()
        phases = 2 * (length * other_length - real * other - imaginary * other_imaginary).sum()
        return 2 * (self.amplitude * amplitudes + (1 - self.amplitude) * phases) / spread
