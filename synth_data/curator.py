"""The door: objectives read real speech as means only.

One `Curator` holds the real training utterances. Everything that makes a synthetic set asks it
questions, and every question is a mean over utterances of a statistic of one utterance, or over
speakers of a statistic of one speaker. So what privacy costs is decided in one place, the
mechanism, and what was asked can be listed.

What is not a mean is a separate, named method of the door (`choose_real`, `count_utterances`,
...), which a mechanism that is not exact refuses.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from synth_data.corpora.facts import Corpus
from synth_data.errors import UserError
from synth_data.guarantee import Guarantee
from synth_data.ledger import Unit
from synth_data.mechanism import (
    EVERYTHING,
    Draw,
    Exact,
    Loss,
    Mechanism,
    OfSpeaker,
    Question,
    Sample,
    Statistic,
)
from synth_data.real import RealSet
from synth_data.task import RARE
from synth_data.transforms import Transform, hear

CLASS_SHARES, TARGET_MEANS = "class shares", "class means of targets"
LEAST_SHARE = 0.1  # of an even one, that an emotion is taken to have in a noisy answer


@dataclass(frozen=True, eq=False)
class Members:
    """The utterances of one emotion (or cell), to choose from.

    Their features are copied only when they are asked for: in a large corpus they are large, and
    who chooses at random looks at none.

    Attributes:
        real: all utterances.
        rows: which of them these are.
    """

    real: RealSet
    rows: Sequence[int]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def features(self) -> Float[Tensor, "n mel frame"]:
        return self.real.features[list(self.rows)]


# From the utterances of one emotion and a count to so many distinct rows of these.
Choice = Callable[[Members, int], Sequence[int]]


@dataclass(frozen=True)
class Source:
    """What is public about the utterances behind a door.

    Attributes:
        facts: of the corpus.
        protocol: whose training side they are, by name; None if they were not split.
        fold: of that protocol; None for all speakers.
    """

    facts: Corpus
    protocol: str | None
    fold: int | None


class PrivateError(UserError):
    """What was asked is no mean, and the door guards units."""


class Curator:
    """Holds real utterances and answers questions about them.

    Args:
        real: the training utterances.
        mechanism: how questions are answered.

    Attributes:
        task: what is to be told, and so which groups answers are given for; public.
        spec: the feature recipe; public.
        source: where the utterances come from; public.
        transforms: what `map` has applied to the features, in order; public.
        questions: how often each purpose was asked for.
        exact: whether answers are exact; else what is no mean is refused (`PrivateError`).
    """

    def __init__(self, real: RealSet, mechanism: Mechanism | None = None) -> None:
        self._real = real
        self._mechanism = mechanism or Exact()
        self.task = real.task
        self.spec = real.spec
        self.source = Source(facts=real.facts, protocol=real.protocol, fold=real.fold_number)
        self.transforms: tuple[Transform, ...] = ()
        self.questions: Counter[str] = Counter()

    @property
    def emotions(self) -> tuple[str, ...]:
        """The class names; none where dimensions alone are told."""
        return self.task.emotions

    @property
    def device(self) -> torch.device:
        """Where answers are computed and returned."""
        return self._real.features.device

    @property
    def guarantee(self) -> Guarantee | None:
        """What is guaranteed about the units behind the door, by now; None if nothing is."""
        return self._mechanism.guarantee

    @property
    def terms(self) -> Mapping[str, object] | None:
        """On which units are guarded: the budget and what is planned; None where none are."""
        return self._mechanism.terms

    def require_paid(self) -> None:
        """Raises `UserError` if more was asked than was charged for."""
        self._mechanism.require_paid(self.questions)

    @property
    def unit(self) -> Unit | None:
        """Whose presence is protected; None where nobody's is."""
        return self._mechanism.unit

    @property
    def exact(self) -> bool:
        return self._mechanism.exact

    def mean(
        self,
        statistic: Statistic,
        *,
        purpose: str,
        sample: Sample = EVERYTHING,
        per_class: bool = True,
        bound: float = 1.0,
    ) -> Float[Tensor, "..."]:
        """The mean of a statistic over utterances.

        Args:
            statistic: from (features `[n, mel, frame]`, targets `[n, column]`) to one row per
                utterance, each computed from that utterance alone.
            purpose: what the answer is for, as it is listed with the set.
            sample: which utterances.
            per_class: one mean per emotion or cell, `[group, ...]`; else one over all, `[...]`.
            bound: a public length that an utterance's row is not longer than, or is cut to where
                answers are not exact.
        """
        question = self._question(purpose, sample, per_class, bound)
        means = self._mechanism.means(self._real, statistic, question)
        return means if per_class else means[0]

    def mean_gradient(
        self,
        loss: Loss,
        at: Mapping[str, Tensor],
        *,
        purpose: str,
        sample: Sample = EVERYTHING,
        per_class: bool = True,
        bound: float = 1.0,
    ) -> dict[str, Tensor]:
        """The gradient of the mean loss: `mean` with a gradient as the statistic.

        Args:
            loss: from (weights, features, targets) to one loss per utterance `[n]`.
            at: the weights.
            purpose: what the answer is for, as it is listed with the set.
            sample: which utterances.
            per_class: one gradient per emotion; else one over all.
            bound: as in `mean`, of a gradient.

        Returns:
            For each weight its gradient, with a leading emotion axis if `per_class`.
        """
        question = self._question(purpose, sample, per_class, bound)
        gradients = self._mechanism.mean_gradients(self._real, loss, at, question)
        return gradients if per_class else {name: value[0] for name, value in gradients.items()}

    def mean_of_speakers(
        self, statistic: Statistic, of_speaker: OfSpeaker, *, purpose: str, bound: float = 1.0
    ) -> Float[Tensor, "..."]:
        """The mean over speakers, who count alike, of a statistic of one speaker.

        Who is unknown counts for nobody.

        Args:
            statistic: of an utterance, as in `mean`; a speaker's is its mean over that speaker's
                utterances.
            of_speaker: from those means `[speaker, ...]` to one row per speaker, each computed
                from that speaker's row alone.
            purpose: what the answer is for, as it is listed with the set.
            bound: as in `mean`, of a speaker's row.
        """
        question = self._question(purpose, EVERYTHING, False, bound)
        return self._mechanism.mean_of_speakers(self._real, statistic, of_speaker, question)

    def sample(
        self, sampling_probability: float, at_most: int, generator: torch.Generator
    ) -> Sample:
        """Each utterance with a probability, and of a large corpus so many on average, no more.

        What a question takes then does not grow with the corpus. Where units are guarded the
        probability stays what it is, since how many utterances there are is not public.

        Args:
            sampling_probability: in (0, 1]; 1 for everything.
            at_most: utterances.
            generator: for the draw.
        """
        if self.exact:
            sampling_probability = min(sampling_probability, at_most / len(self._real))
        if sampling_probability == 1:
            return EVERYTHING
        return Draw(sampling_probability, generator)

    def class_shares(self) -> Float[Tensor, " group"]:
        """The share of each group among the utterances, asked as a mean of who is in it."""
        return self.mean(
            lambda _, targets: self.task.in_groups(targets), purpose=CLASS_SHARES, per_class=False
        )

    def class_balance(self) -> Float[Tensor, " group"]:
        """Weights under which the groups count alike, and an utterance one on average."""
        least = 1e-6 if self.exact else LEAST_SHARE  # noise may leave nothing of a share
        return 1.0 / (self.class_shares() * len(self.task.groups)).clamp_min(least)

    def mean_targets(self) -> Float[Tensor, "group column"]:
        """What items of each group are like on average, as targets that a set may have.

        Utterances whose emotion is unknown count for the dimensions alone; where nobody's in a
        group is known, all emotions are as likely.
        """
        emotions, dimensions = len(self.task.emotions), len(self.task.dimensions)
        columns = emotions + dimensions
        means = self.mean(
            lambda _, targets: targets[:, :columns].nan_to_num(
                0.0
            ),  # an unknown emotion adds to no share
            purpose=TARGET_MEANS,
            # Shares are together no longer than 1, and each dimension is within 1 of 0.
            bound=math.sqrt((emotions > 0) + dimensions),
        )
        return self.task.settled(means)

    def naming_speakers(self) -> "Curator":
        """The same door, where after its emotion an utterance's target names its speaker.

        Targets are then `[n, emotion + speaker]`, one-hot in both parts; questions are to be asked
        over all utterances (`per_class=False`). An unknown speaker is anybody: each known one in
        the share of the known utterances.
        """
        self.require_exact("naming speakers in questions", "fit what needs that on public speech")
        place = {name: place for place, name in enumerate(self._real.known_speakers)}
        who = torch.tensor([place.get(speaker, -1) for speaker in self._real.speakers])
        rows = torch.zeros(len(who), len(place)).to(self._real.targets)
        known = (who >= 0).nonzero().flatten()
        rows[known, who[known]] = 1.0
        rows[who < 0] = rows[known].mean(dim=0)
        named = Curator(
            replace(self._real, targets=torch.cat([self._real.targets, rows], dim=1)),
            self._mechanism,
        )
        named.transforms, named.questions = self.transforms, self.questions
        return named

    def narrowed(self) -> "Curator":
        """The same door, where cells of the label space without speech to speak of are no groups.

        Which those are is no mean: where units are guarded all cells stay. For emotions nothing
        changes.
        """
        if not (self.task.dimensions and self.exact):
            return self
        counts = self.task.in_groups(self._real.targets).sum(dim=0)
        enough = (counts >= max(1.0, RARE * float(counts.sum()))).nonzero().flatten().tolist()
        task = self.task.narrowed(enough)
        door = Curator(replace(self._real, task=task), self._mechanism)
        door.transforms, door.questions = self.transforms, self.questions
        return door

    def map(self, transform: Transform) -> "Curator":
        """The same door onto transformed speech; it counts its questions with this one's.

        Where units are guarded the transform hears each utterance by itself, not even who speaks:
        so whatever it does, there is nothing of one unit in another's speech.
        """
        if self.exact:
            features = transform.on(self._real.features, self._real.speakers)
        else:
            features = torch.cat([transform(one) for one in self._real.features.split(1)])
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
        """Real utterances as they are, `per_class` of each emotion (or cell) in order: not a mean.

        An emotion with fewer gives all of them, and then chosen ones a second time, and so on.

        Args:
            per_class: how many.
            choose: which.

        Returns:
            Their features, and which of them have been given before.
        """
        features, _, again = self.choose_real_with_targets(per_class, choose)
        return features, again

    def choose_real_with_targets(
        self, per_class: int, choose: Choice
    ) -> tuple[Float[Tensor, "n mel frame"], Float[Tensor, "n column"], Bool[Tensor, " n"]]:
        """As `choose_real`, with the chosen utterances' own targets: features, targets, again.

        In the columns of emotions a target is NaN where none is known.

        Raises:
            UserError: a group has no utterance.
        """
        self.require_exact("giving real utterances as they are", "let items start as noise")
        rows: list[int] = []
        again: list[bool] = []
        for group, name in enumerate(self.task.groups):
            members = self._real.group_rows(group)
            if not members:
                raise UserError(
                    f"no utterance is in {name}, so none can be given for it: ask a door that is "
                    f"`narrowed` to cells with speech"
                )
            # Where all are given they come in the order in which they are chosen: a corpus lists
            # them by speaker, and the first items of a set are what prefixes and schedules take.
            for first in range(0, per_class, len(members)):
                wanted = min(len(members), per_class - first)
                chosen = choose(Members(self._real, members), wanted)
                rows += [members[row] for row in chosen]
            again += [item >= len(members) for item in range(per_class)]
        self.questions["real utterances, as they are"] += len(set(rows))
        real = self._real
        return real.features[rows].clone(), real.targets[rows].clone(), torch.tensor(again)

    def count_utterances(self) -> int:
        """How many utterances there are: not a mean."""
        self.require_exact("counting utterances", "use a number that is public")
        return len(self._real)

    def count_speakers(self) -> int:
        """Of how many people who are known: not a mean."""
        self.require_exact("counting speakers", "use a number that is public")
        return len(self._real.known_speakers)

    def corpus_digest(self) -> str:
        """Of the corpus' content: who has a guess at it can check that. Not a mean."""
        self.require_exact("telling a corpus by its content", "name it")
        return self._real.digest

    def corpus_content(self) -> str:
        """The same with all else that decides the set, such as ratings. Not a mean."""
        self.require_exact("telling a corpus by its content", "name it")
        return self._real.content

    def corpus_notes(self) -> tuple[str, ...]:
        """What a reader of a number must know, such as counts: not means; it names nobody."""
        self.require_exact("telling what differs from the published corpus", "leave that out")
        return self._real.shared_notes

    def require_exact(self, what: str, instead: str) -> None:
        """Raises `PrivateError` where answers are not exact."""
        if not self.exact:
            raise PrivateError(
                f"{what} is no mean, and under a privacy budget real speech is only read as noisy "
                f"means: {instead}, or leave --epsilon out"
            )

    def _question(self, purpose: str, sample: Sample, per_class: bool, bound: float) -> Question:
        self.questions[purpose] += 1
        return Question(purpose, self.questions[purpose], sample, per_class, bound)
