"""The door: objectives read real speech as means only.

One `Curator` holds the real training utterances. Everything that makes a synthetic set asks it
questions, and every question is a mean over utterances of a statistic of one utterance. So what
privacy costs is decided in one place, the mechanism, and what was asked can be listed.

What is not a mean is a separate, named method of the door (`draw_real`).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.corpora.facts import Corpus
from synth_data.errors import UserError
from synth_data.mechanism import Exact, Loss, Mechanism, Statistic
from synth_data.real import RealSet
from synth_data.transforms import Transform


@dataclass(frozen=True)
class All:
    """Every utterance."""


@dataclass(frozen=True)
class Draw:
    """Each utterance independently with a public probability (Poisson sampling).

    Attributes:
        sampling_probability: in (0, 1].
        generator: for the draw.
    """

    sampling_probability: float
    generator: torch.Generator


Sample = All | Draw


class TooFewUtterancesError(UserError):
    """More real utterances of an emotion were asked for than there are."""


@dataclass(frozen=True)
class Source:
    """What is public about the utterances behind a door.

    Attributes:
        facts: of the corpus.
        digest: of the corpus' content.
        protocol: whose training side they are, by name; None if they were not split.
        fold: of that protocol; None for all speakers.
        utterances: how many they are.
        notes: what a reader of a number must know.
    """

    facts: Corpus
    digest: str
    protocol: str | None
    fold: int | None
    utterances: int
    notes: tuple[str, ...]


class Curator:
    """Holds real utterances and answers questions about them.

    Args:
        real: the training utterances.
        mechanism: how questions are answered.

    Attributes:
        emotions: the class names; public.
        spec: the feature recipe; public.
        source: where the utterances come from; public.
        transforms: what `map` has applied to the features, in order; public.
        questions: how often each purpose was asked for.
    """

    def __init__(self, real: RealSet, mechanism: Mechanism | None = None) -> None:
        self._real = real
        self._mechanism = mechanism or Exact()
        self.emotions = real.emotions
        self.spec = real.spec
        self.source = Source(
            facts=real.facts,
            digest=real.digest,
            protocol=real.protocol,
            fold=real.fold_number,
            utterances=len(real),
            notes=real.notes,
        )
        self.transforms: tuple[Transform, ...] = ()
        self.questions: Counter[str] = Counter()

    @property
    def device(self) -> torch.device:
        """Where answers are computed and returned."""
        return self._real.features.device

    def mean(
        self,
        statistic: Statistic,
        *,
        purpose: str,
        sample: Sample = All(),
        per_class: bool = True,
    ) -> Float[Tensor, "..."]:
        """The mean of a statistic over utterances.

        Args:
            statistic: from (features `[n, mel, frame]`, targets `[n, emotion]`) to one row per
                utterance, each computed from that utterance alone.
            purpose: what the answer is for, as it is listed with the set.
            sample: which utterances.
            per_class: one mean per emotion, `[emotion, ...]`; else one over all, `[...]`.
        """
        self.questions[purpose] += 1
        groups = self._groups(sample, per_class)
        means = self._mechanism.means(statistic, self._real.features, self._real.targets, groups)
        return means if per_class else means[0]

    def mean_gradient(
        self,
        loss: Loss,
        at: Mapping[str, Tensor],
        *,
        purpose: str,
        sample: Sample = All(),
        per_class: bool = True,
    ) -> dict[str, Tensor]:
        """The gradient of the mean loss: `mean` with a gradient as the statistic.

        Args:
            loss: from (weights, features, targets) to one loss per utterance `[n]`.
            at: the weights.
            purpose: what the answer is for, as it is listed with the set.
            sample: which utterances.
            per_class: one gradient per emotion; else one over all.

        Returns:
            For each weight its gradient, with a leading emotion axis if `per_class`.
        """
        self.questions[purpose] += 1
        groups = self._groups(sample, per_class)
        gradients = self._mechanism.mean_gradients(
            loss, at, self._real.features, self._real.targets, groups
        )
        return gradients if per_class else {name: value[0] for name, value in gradients.items()}

    def class_shares(self) -> Float[Tensor, " emotion"]:
        """The share of each emotion among the utterances, asked as a mean of the targets."""
        return self.mean(lambda _, targets: targets, purpose="class shares", per_class=False)

    def map(self, transform: Transform) -> "Curator":
        """The same door onto transformed speech; it counts its questions with this one's."""
        mapped = Curator(
            replace(self._real, features=transform(self._real.features)), self._mechanism
        )
        mapped.transforms = (*self.transforms, transform)
        mapped.questions = self.questions
        return mapped

    def draw_real(self, per_class: int, generator: torch.Generator) -> Float[Tensor, "n mel frame"]:
        """Real utterances as they are, `per_class` of each emotion in order: not a mean.

        Raises:
            TooFewUtterancesError: an emotion has fewer; none is given then.
        """
        rows: list[int] = []
        for emotion, name in enumerate(self.emotions):
            of_emotion = self._real.class_rows(emotion)
            if len(of_emotion) < per_class:
                raise TooFewUtterancesError(
                    f"{per_class} real utterances of {name} asked, {len(of_emotion)} there: "
                    f"initialise from noise, or lower --ipc"
                )
            order = torch.randperm(len(of_emotion), generator=generator)[:per_class]
            rows += [of_emotion[i] for i in order.tolist()]
        self.questions["real utterances, as they are"] += len(rows)
        return self._real.features[rows].clone()

    def _groups(self, sample: Sample, per_class: bool) -> list[Tensor]:
        chosen = torch.ones(len(self._real), dtype=torch.bool)
        if isinstance(sample, Draw):
            chosen = torch.rand(len(self._real), generator=sample.generator) < (
                sample.sampling_probability
            )
        if not per_class:
            return [chosen.nonzero().flatten()]
        labels = self._real.targets.argmax(dim=1).cpu()  # where `chosen` is drawn
        return [((labels == c) & chosen).nonzero().flatten() for c in range(len(self.emotions))]
