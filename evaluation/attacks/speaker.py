"""Who is speaking? Attacks on speech as a recipient hears it, and how far they get.

Three games, each against speech that went through what is claimed to take the speaker out of it:

- *identification*: which of these speakers is it? The attacker has other utterances of theirs.
- *verification*: is it the speaker of those utterances? Of speakers that it has never met; it
  learned from others what makes voices differ.
- *gender*: of speakers that it has never met.

An *ignorant* attacker learns from speech as it is; an *informed* one from speech that went through
the same, which is the attacker of VoicePrivacy 2024 (Tomashenko et al., arXiv:2404.02677) that
counts. A privacy claim is only as good as its attacker: one that fails on speech as it is says
nothing (`VALID`), and of those that do not the strongest counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import audmetric
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Real
from sklearn.covariance import ledoit_wolf
from torch import Tensor

from evaluation.attacks.attackers import Attacker, Trained
from synth_data.errors import UserError

GENDERS = ("female", "male")
ENOUGH_MATED = 200  # trials, for twenty bins
ENROLLED = 2 / 3  # of a speaker's utterances are known to the attacker, where it has any
AT_ONCE = 50_000  # weighed claims, which a processor's cache holds: four times as fast


class ImpossibleError(UserError):
    """A game cannot be played with this speech; the message says why."""


@dataclass(frozen=True, eq=False)
class Voices:
    """Utterances and who said them.

    Attributes:
        features: as the attacker hears them.
        speakers: of each.
        genders: of each, "" where it is not known.
    """

    features: Float[Tensor, "n mel frame"]
    speakers: Sequence[str]
    genders: Sequence[str]

    def select(self, rows: Tensor) -> "Voices":
        """The utterances of a mask."""
        kept = rows.nonzero().flatten().tolist()
        return Voices(
            self.features[rows],
            [self.speakers[row] for row in kept],
            [self.genders[row] for row in kept],
        )


@dataclass(frozen=True, eq=False)
class Guesses:
    """What an attacker made of utterances, speaker by speaker.

    Attributes:
        speakers: whose utterances they are.
        right: utterances that were named right, by speaker.
        tried: utterances, by speaker.
        chance: the success of an attacker who hears nothing, and names the likeliest class.
    """

    speakers: tuple[str, ...]
    right: Int[np.ndarray, " speaker"]
    tried: Int[np.ndarray, " speaker"]
    chance: float


def identify(
    known: Voices, heard: Sequence[Voices], attacker: Attacker, seed: int
) -> list[Guesses]:
    """Identification among speakers of whom the attacker has other utterances.

    Args:
        known: utterances as the attacker learns them.
        heard: the same utterances in the ways that they are to be named in; those that the
            attacker learns from are left out.
        attacker: who tries.
        seed: of which utterances it knows, and of its training.

    Raises:
        ImpossibleError: fewer than two speakers have two utterances.
    """
    draws = torch.Generator().manual_seed(seed)
    enrolled, tested = _split(known.speakers, draws)
    names = sorted({s for s, one in zip(known.speakers, tested.tolist(), strict=True) if one})
    if len(names) < 2:
        raise ImpossibleError(
            f"identification needs two speakers with two utterances each; found {len(names)}"
        )
    learned = known.select(enrolled)
    of_known = torch.tensor([names.index(s) for s in learned.speakers])
    trained = attacker(learned.features, of_known, draws)
    return [_named(trained, names, voices.select(tested)) for voices in heard]


def _named(trained: Trained, names: Sequence[str], asked: Voices) -> Guesses:
    truth = torch.tensor([names.index(s) for s in asked.speakers])
    named = trained.name_classes(asked.features)
    tried = np.bincount(truth.numpy(), minlength=len(names))
    return Guesses(
        tuple(names),
        np.bincount(truth[named == truth].numpy(), minlength=len(names)),
        tried,
        chance=float(tried.max() / tried.sum()),
    )


def tell_gender(
    known: Voices, heard: Sequence[Voices], attacker: Attacker, seed: int
) -> list[Guesses]:
    """The gender of speakers who are not among those that the attacker learns from.

    Raises:
        ImpossibleError: either side lacks a gender, or gender is not known.
    """
    for side, voices in (("the attacker's", known), ("the tested", heard[0])):
        if missing := sorted(set(GENDERS) - set(voices.genders)):
            raise ImpossibleError(
                f"{side} speakers include none who is known to be {' or '.join(missing)}"
            )
    draws = torch.Generator().manual_seed(seed)
    learned = known.select(torch.tensor([g in GENDERS for g in known.genders]))
    classes = torch.tensor([GENDERS.index(g) for g in learned.genders])
    trained = attacker(learned.features, classes, draws)
    found = []
    for voices in heard:
        asked = voices.select(torch.tensor([g in GENDERS for g in voices.genders]))
        truth = torch.tensor([GENDERS.index(g) for g in asked.genders])
        right = (trained.name_classes(asked.features) == truth).numpy()
        names, who = np.unique(asked.speakers, return_inverse=True)
        found.append(
            Guesses(
                tuple(names.tolist()),
                np.bincount(who[right], minlength=len(names)),
                np.bincount(who),
                chance=float(np.bincount(truth.numpy()).max() / len(truth)),
            )
        )
    return found


@dataclass(frozen=True, eq=False)
class Trials:
    """Claims of identity and how likely the attacker finds them.

    Attributes:
        scores: of an utterance (row) against the enrolled utterances of each speaker.
        truth: the speaker of each row.
        speakers: their names.
    """

    scores: Float[np.ndarray, "trial speaker"]
    truth: Int[np.ndarray, " trial"]
    speakers: tuple[str, ...]

    @cached_property
    def mated(self) -> Bool[np.ndarray, "trial speaker"]:
        """Which claims are true."""
        return self.truth[:, None] == np.arange(self.scores.shape[1])

    @cached_property
    def _thresholds(self) -> tuple[Int[np.ndarray, " claim"], Int[np.ndarray, " threshold"]]:
        """The claims from the likeliest, and the last place of each score among them.

        Speakers are drawn again hundreds of times, and no score changes.
        """
        order = np.argsort(-self.scores.ravel(), kind="stable")
        ordered = self.scores.ravel()[order]
        return order, np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)

    @property
    def equal_error_rate(self) -> float:
        """Where true claims are refused as often as false ones are believed; chance is 0.5."""
        return float(self.equal_error_rates(np.ones((1, len(self.speakers))))[0])

    def equal_error_rates(
        self, weights: Real[np.ndarray, "row speaker"]
    ) -> Float[np.ndarray, " row"]:
        """The same where speakers do not count alike.

        Args:
            weights: how often each speaker counts, on either side of a claim; in each row at least
                two do.
        """
        rows = max(1, AT_ONCE // self.mated.size)
        starts = range(0, len(weights), rows)
        return np.concatenate([self._rates(weights[start : start + rows]) for start in starts])

    def _rates(self, weights: Real[np.ndarray, "row speaker"]) -> Float[np.ndarray, " row"]:
        often = np.where(self.mated, 1.0, weights[:, None, :]) * weights[:, self.truth, None]
        order, last = self._thresholds
        weighed, mated = often.reshape(len(weights), -1)[:, order], self.mated.ravel()[order]
        false, true = (np.cumsum(weighed * of, axis=1)[:, last] for of in (~mated, mated))
        false, true = (np.pad(rates / rates[:, -1:], ((0, 0), (1, 0))) for rates in (false, true))
        # Between thresholds one may toss a coin: who hears nothing is at 0.5, whatever the ties.
        total, row = false + true, np.arange(len(weights))
        after = (total < 1).sum(axis=1)
        (low, high), (believed, more) = (
            (rates[row, after - 1], rates[row, after]) for rates in (total, false)
        )
        return believed + (more - believed) * (1 - low) / (high - low)

    @property
    def linkability(self) -> float | None:
        """D_sys (Gomez-Barrero et al. 2018), in [0, 1]; None if trials are too few to say.

        It comes from histograms with a bin for every ten mated trials, up to a hundred. With few
        bins it says too little: voices that are told apart without an error come out at 0 with one,
        about 0.7 with twenty and 0.95 with a hundred; by chance alone it is up to 0.1.
        """
        if self.mated.sum() < ENOUGH_MATED:
            return None
        if np.ptp(self.scores) == 0:  # histograms of one value have no width
            return 0.0
        return float(audmetric.linkability(self.mated.ravel(), self.scores.ravel()))


def verify(known: Voices, heard: Sequence[Voices], attacker: Attacker, seed: int) -> list[Trials]:
    """Verification of speakers who are not among those that the attacker learns from.

    An utterance is compared, by the cosine of their points, with the mean of those of a speaker
    that are enrolled; both relative to the mean point of all that are enrolled, and along
    directions in which each of the attacker's own speakers varies alike (within-class covariance
    normalisation, Hatch, Kajarekar and Stolcke, Interspeech 2006), without which an emotion may
    weigh more than the speaker.

    Args:
        known: utterances of other speakers, as the attacker learns them.
        heard: utterances in the ways that they are enrolled and tested in.
        attacker: who tries.
        seed: of which utterances are enrolled, and of its training.

    Raises:
        ImpossibleError: fewer than two speakers on either side, or too few with two utterances.
    """
    draws = torch.Generator().manual_seed(seed)
    speakers = heard[0].speakers
    enrolled, tested = _split(speakers, draws)
    names = sorted({s for s, one in zip(speakers, tested.tolist(), strict=True) if one})
    others = sorted(set(known.speakers))
    if min(len(names), len(others)) < 2:
        raise ImpossibleError(
            f"verification needs two speakers to learn from and two others with two utterances "
            f"each; found {len(others)} and {len(names)}"
        )
    classes = torch.tensor([others.index(s) for s in known.speakers])
    trained = attacker(known.features, classes, draws)
    alike = _alike_within(trained.points(known.features), classes)
    who = torch.tensor([names.index(s) if s in names else -1 for s in speakers])
    found = []
    for voices in heard:
        points = trained.points(voices.features).double() @ alike
        points = _unit(points - points[enrolled].mean(dim=0))
        models = torch.stack([points[enrolled & (who == n)].mean(dim=0) for n in range(len(names))])
        # Rounding must not tell apart what is the same.
        scores = (points[tested] @ _unit(models).T).numpy().round(9)
        found.append(Trials(scores, who[tested].numpy(), tuple(names)))
    return found


def _alike_within(
    points: Float[Tensor, "n dim"], classes: Int[Tensor, " n"]
) -> Float[Tensor, "dim dim"]:
    """A map of points after which their covariance within classes is the identity."""
    count = int(classes.max()) + 1
    sums = torch.zeros(count, points.shape[1], dtype=torch.float64)
    sums.index_add_(0, classes, points.double())
    means = sums / torch.bincount(classes)[:, None]
    apart = points.double() - means[classes]
    covariance = torch.as_tensor(ledoit_wolf(apart.numpy(), assume_centered=True)[0])
    sizes, directions = torch.linalg.eigh(covariance)
    return directions / sizes.clamp_min(1e-12).sqrt()


def _split(speakers: Sequence[str], draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Of each speaker with two utterances or more: which are enrolled, and which are tested."""
    enrolled = torch.zeros(len(speakers), dtype=torch.bool)
    tested = torch.zeros(len(speakers), dtype=torch.bool)
    for name in sorted(set(speakers)):
        rows = torch.tensor([row for row, speaker in enumerate(speakers) if speaker == name])
        if len(rows) < 2:
            continue
        rows = rows[torch.randperm(len(rows), generator=draws)]
        some = min(len(rows) - 1, max(1, round(ENROLLED * len(rows))))
        enrolled[rows[:some]] = True
        tested[rows[some:]] = True
    return enrolled, tested


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)
