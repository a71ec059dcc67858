"""The door: objectives read real speech as means only.

One `Curator` holds the real training utterances. Everything that makes a synthetic set asks it
questions, and every question is a mean over utterances of a statistic of one utterance, or over
speakers of a statistic of one speaker. So what privacy costs is decided in one place, the
mechanism, and what was asked can be listed.

What is not a mean is a separate, named method of the door (`choose_real`, `fewest_of_an_emotion`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from synth_data.corpora.facts import Corpus
from synth_data.mechanism import Exact, Loss, Mechanism, OfSpeaker, Statistic
from synth_data.real import RealSet
from synth_data.transforms import Transform, hear


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


# From the utterances of one emotion [n mel frame] and a count to so many distinct rows.
Choice = Callable[[Tensor, int], Sequence[int]]


@dataclass(frozen=True)
class Source:
    """What is public about the utterances behind a door.

    Attributes:
        facts: of the corpus.
        digest: of the corpus' content.
        protocol: whose training side they are, by name; None if they were not split.
        fold: of that protocol; None for all speakers.
        utterances: how many they are.
        speakers: of how many people.
        notes: what a reader of a number must know.
    """

    facts: Corpus
    digest: str
    protocol: str | None
    fold: int | None
    utterances: int
    speakers: int
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
            speakers=len(set(real.speakers)),
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

    def mean_of_speakers(
        self, statistic: Statistic, of_speaker: OfSpeaker, *, purpose: str
    ) -> Float[Tensor, "..."]:
        """The mean over speakers, who count alike, of a statistic of one speaker.

        Args:
            statistic: of an utterance, as in `mean`; a speaker's is its mean over that speaker's
                utterances.
            of_speaker: from those means `[speaker, ...]` to one row per speaker, each computed
                from that speaker's row alone.
            purpose: what the answer is for, as it is listed with the set.
        """
        self.questions[purpose] += 1
        rows: dict[str, list[int]] = {}
        for row, speaker in enumerate(self._real.speakers):
            rows.setdefault(speaker, []).append(row)
        return self._mechanism.mean_of_speakers(
            *(statistic, of_speaker, self._real.features, self._real.targets),
            [torch.tensor(of_one) for of_one in rows.values()],
        )

    def class_shares(self) -> Float[Tensor, " emotion"]:
        """The share of each emotion among the utterances, asked as a mean of the targets."""
        return self.mean(lambda _, targets: targets, purpose="class shares", per_class=False)

    def class_balance(self) -> Float[Tensor, " emotion"]:
        """Weights under which the emotions count alike, and an utterance one on average."""
        return 1.0 / (self.class_shares() * len(self.emotions)).clamp_min(1e-6)

    def naming_speakers(self) -> "Curator":
        """The same door, where after its emotion an utterance's target names its speaker.

        Targets are then `[n, emotion + speaker]`, one-hot in both parts; questions are to be asked
        over all utterances (`per_class=False`).
        """
        names = sorted(set(self._real.speakers))
        who = torch.tensor([names.index(speaker) for speaker in self._real.speakers])
        rows = torch.eye(len(names))[who].to(self._real.targets)
        named = Curator(
            replace(self._real, targets=torch.cat([self._real.targets, rows], dim=1)),
            self._mechanism,
        )
        named.transforms, named.questions = self.transforms, self.questions
        return named

    def map(self, transform: Transform) -> "Curator":
        """The same door onto transformed speech; it counts its questions with this one's."""
        features = transform.on(self._real.features, self._real.speakers)
        mapped = Curator(replace(self._real, features=features), self._mechanism)
        mapped.transforms = (*self.transforms, transform)
        mapped.questions = self.questions
        return mapped

    def seen(self, other: RealSet) -> Float[Tensor, "n mel frame"]:
        """The features of utterances that are not behind the door, transformed as those are."""
        return hear(self.transforms, other.features.to(self.device), other.speakers).cpu()

    def choose_real(
        self, per_class: int, choose: Choice
    ) -> tuple[Float[Tensor, "n mel frame"], Bool[Tensor, " n"]]:
        """Real utterances as they are, `per_class` of each emotion in order: not a mean.

        An emotion with fewer gives all of them, and then chosen ones a second time, and so on.

        Args:
            per_class: how many.
            choose: which.

        Returns:
            Their features, and which of them have been given before.
        """
        rows: list[int] = []
        again: list[bool] = []
        for emotion in range(len(self.emotions)):
            of_emotion = self._real.class_rows(emotion)
            whole, rest = divmod(per_class, len(of_emotion))
            chosen = choose(self._real.features[of_emotion], rest) if rest else ()
            rows += whole * of_emotion + [of_emotion[row] for row in chosen]
            again += [item >= len(of_emotion) for item in range(per_class)]
        self.questions["real utterances, as they are"] += len(set(rows))
        return self._real.features[rows].clone(), torch.tensor(again)

    def fewest_of_an_emotion(self) -> int:
        """How many utterances the rarest emotion has: not a mean."""
        self.questions["utterances of the rarest emotion"] += 1
        return int(self._real.targets.sum(dim=0).min())

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
