"""An encoder with a branch for how something is said and one for who says it, and an adversary.

The emotion branch ends in the probabilities of the emotions, and where it is asked to in a few
numbers for what is said, step by step. These codes are all that is kept, and an adversary who
learns to tell the speaker from them should not be able to:

- gradient reversal (Ganin and Lempitsky 2015): the encoder climbs the adversary's loss, with the
  strength 2 / (1 + exp(-10 p)) - 1 after a share p of the steps;
- or its entropy variant (Li et al., "Speaker-invariant affective representation learning via
  adversarial training", ICASSP 2020, arXiv:1911.01533): the adversary should find all speakers
  equally likely, which has an optimum where reversal has none.

An adversary that was beaten in training says little of one that comes after, so dependence is
bounded as well: HSIC (Gretton et al. 2005) with random Fourier features of the codes, and vCLUB
(Cheng et al. 2020), for which the adversary is the variational posterior and the marginal is that
of the speakers' shares. Both are coupled over a batch as they are published; here the moments that
couple them are asked first, and what is left is a mean over utterances. What is least fooled by
training is that codes have little room: probabilities that are sharpened leave least.

With the voice, a few numbers of an utterance's statistics that tell its speaker, a decoder makes
speech of the codes again, which both branches should hear as it was meant. Applied, it has the same
average voice for everybody.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from distill.disentangle.disentangler import Disentangler
from distill.real_step import real_step
from evaluation.students import cross_entropy, warm_cosine
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.mechanism import Draw
from synth_data.progress import SILENT, Progress
from synth_data.randomness import generator
from synth_data.settings import Count, NotNegative, Positive, Whole
from synth_data.transforms import ReRender, Transform
from synth_data.transforms.erase import statistics_of
from synth_data.transforms.re_render import (
    LAYERS,
    SHORTER,
    decode,
    encode,
    mean_and_deviation,
    means_of,
    sizes_of,
)

WARM_UP = 50  # steps
FASTER = 3.0  # the adversary's learning rate, over the encoder's
FOURIER = 128  # random features, for HSIC
WIDTH_OF_EMOTIONS = 0.5  # of their kernel
DECODER_WIDTH = 64
ADVERSARY = "adversary"
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Adversarial(Disentangler):
    """Keeps of speech how likely its emotions are, and says that in one voice.

    Attributes:
        sharpness: what the emotions' logits are multiplied by before they are said: at 1 they are
            said as they were heard; the larger, the less is told beside the likeliest emotion.
        content: numbers that are kept of every eight frames, for what is said; 0 for none.
        voice: numbers that describe a voice.
        width: channels of the encoder, a multiple of eight.
        against: how the encoder meets the adversary.
        strength: of that, at its height.
        hsic: weight of the dependence by random features.
        club: weight of the bound on mutual information.
        steps: of AdamW, with a cosine to zero.
        learning_rate: at its peak; the adversary's is three times that.
        batch: utterances per step, on average.
        weight_decay: of AdamW.
    """

    sharpness: Positive = 100.0
    content: Whole = 0
    voice: Count = 16
    width: Count = 128
    against: Literal["reversal", "entropy"] = "entropy"
    strength: NotNegative = 0.2
    hsic: NotNegative = 0.0
    club: NotNegative = 0.0
    steps: Count = 600
    learning_rate: Positive = 2e-3
    batch: Count = 64
    weight_decay: NotNegative = 0.05
    name: ClassVar[str] = "adversarial"
    needs_emotions: ClassVar[bool] = True

    @property
    def passes(self) -> int:
        hearings = 3 if self.hsic else 2  # what is said again is heard again
        return hearings * self.steps * self.batch

    @property
    def note(self) -> str:
        return (
            f"{super().note}; its transform has learned from the recordings what emotions sound "
            f"like, as a network's weights would have"
        )

    def fit(self, curator: Curator, seed: int = 0, progress: Progress = SILENT) -> Transform:
        return self.branches(curator, seed, progress).in_one_voice(curator)

    def branches(self, curator: Curator, seed: int = 0, progress: Progress = SILENT) -> "Branches":
        """Both branches and the decoder, to be looked at one by one."""
        return Branches(self._learned(curator, seed, progress), self.sharpness)

    def _learned(self, curator: Curator, seed: int, progress: Progress) -> dict[str, Tensor]:
        """Weights of both branches, the decoder and the adversary."""
        speakers = curator.count_speakers()
        mels, frames = curator.spec.shape
        self.require_speakers(speakers)
        if self.width % 8 or frames < SHORTER:
            raise UserError(
                f"{self.name} needs a width that is a multiple of 8 and {SHORTER} frames or more; "
                f"found {self.width} and {frames}"
            )
        draws = generator(seed, "disentangler")
        emotions = len(curator.emotions)
        weights = self._drawn(mels, emotions, speakers, draws)
        weights = {name: weight.to(curator.device) for name, weight in weights.items()}
        door = curator.naming_speakers()
        shares = door.mean(
            lambda _, targets: targets[:, emotions:], purpose="speakers' shares", per_class=False
        )
        game = _Game(self, curator.class_balance(), shares)
        optimiser = torch.optim.AdamW(
            [
                {"params": [w for n, w in weights.items() if n.startswith(ADVERSARY) == its]}
                for its in (False, True)
            ],
            weight_decay=self.weight_decay,
        )
        fourier = _fourier(emotions, self.content, draws) if self.hsic else None
        sample = Draw(min(1.0, self.batch / curator.count_utterances()), draws)
        for step in progress(range(self.steps)):
            warm = self.learning_rate * warm_cosine(step, self.steps, WARM_UP)
            for group, faster in zip(optimiser.param_groups, (1.0, FASTER), strict=True):
                group["lr"] = faster * warm
            game.strength = self.strength * reversal(step / self.steps)
            if fourier is not None:
                game.coupled = fourier, game.coupling(door, weights, fourier, sample)
            real_step(door, game.loss, weights, optimiser, sample, "a disentangler's lesson")
        return weights

    def _drawn(
        self, mels: int, emotions: int, speakers: int, draws: torch.Generator
    ) -> dict[str, Tensor]:
        """Random weights of everything, uniform in +-1/sqrt(fan in), with biases of zero."""
        shapes: dict[str, tuple[int, ...]] = {
            **sizes_of(mels, self.width, emotions, self.content, self.voice, DECODER_WIDTH),
            "voice": (self.voice, 2 * mels),
            "speaker": (speakers, self.voice),
            f"{ADVERSARY}.hidden": (self.width, emotions + 2 * self.content),
            f"{ADVERSARY}.out": (speakers, self.width),
        }
        weights = {}
        for name, shape in shapes.items():
            reach = 1 / math.sqrt(math.prod(shape[1:]))
            weights[f"{name}.weight"] = reach * (2 * torch.rand(shape, generator=draws) - 1)
            weights[f"{name}.bias"] = torch.zeros(shape[0])
        return weights


@dataclass(frozen=True, eq=False)
class Branches:
    """What was learned, taken apart.

    Attributes:
        weights: of both branches and the decoder.
        sharpness: of the emotions.
    """

    weights: Weights
    sharpness: float

    def codes(
        self, features: Float[Tensor, "n mel frame"]
    ) -> tuple[Float[Tensor, "n emotion"], Float[Tensor, "n content step"]]:
        """How something is said: probabilities, as sharp as they are said; and what, in (-1, 1)."""
        logits, content = encode(self.weights, features)
        return (self.sharpness * logits).softmax(dim=1), content

    def voices(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n voice"]:
        """Who says it, in (-1, 1)."""
        return voices_of(self.weights, features)

    def speech(
        self,
        codes: tuple[Float[Tensor, "n emotion"], Float[Tensor, "n content step"]],
        voices: Float[Tensor, "n voice"],
        frames: int,
    ) -> Float[Tensor, "n mel frame"]:
        """The one said by the other."""
        return decode(self.weights, *codes, voices, frames)

    def in_one_voice(self, curator: Curator) -> ReRender:
        """What says everything in the average voice of the utterances behind the door."""
        voice = curator.mean(
            lambda features, _: self.voices(features),
            purpose="the average voice",
            per_class=False,
        )
        kept = {n: weight.cpu() for n, weight in self.weights.items() if n.split(".")[0] in LAYERS}
        return ReRender(kept, voice.cpu(), torch.tensor([float(self.sharpness)]))


@dataclass(eq=False)
class _Game:
    """What encoder, branches, decoder and adversary are after.

    Attributes:
        settings: of the disentangler.
        balance: `[emotion]`, weights under which emotions count alike.
        shares: `[speaker]`, of the utterances.
        strength: against the adversary, by now.
        coupled: random features, and their cross-covariance with speakers by now.
    """

    settings: Adversarial
    balance: Float[Tensor, " emotion"]
    shares: Float[Tensor, " speaker"]
    strength: float = 0.0
    coupled: tuple[tuple[Tensor, Tensor], Tensor] | None = None

    def loss(
        self,
        at: Weights,
        features: Float[Tensor, "n mel frame"],
        targets: Float[Tensor, "n emotion_and_speaker"],
    ) -> Float[Tensor, " n"]:
        """Everybody's loss, each of whom moves only what is theirs."""
        emotion, speaker = targets[:, : len(self.balance)], targets[:, len(self.balance) :]
        logits, content = encode(at, features)
        codes, voices = _told(logits, content), voices_of(at, features)
        total = cross_entropy(logits, emotion * self.balance)
        total = total + cross_entropy(_linear(at, "speaker", voices), speaker)
        # The decoder learns from emotions as they are, and what is said from how it can be said.
        meant = (self.settings.sharpness * logits.detach()).softmax(dim=1)
        rendered = decode(at, meant, content, voices, features.shape[2])
        apart = means_of(rendered - features, SHORTER)
        total = total + apart.square().mean(dim=(1, 2))
        # What it says should be heard as it was meant: so, and of that speaker.
        still = {name: w.detach() for name, w in at.items()}
        again, _ = encode(still, rendered)
        total = total + (again.softmax(dim=1) - meant).square().mean(dim=1)
        same = voices_of(still, rendered) - voices.detach()
        total = total + same.square().mean(dim=1)
        # The adversary learns, and the codes are as they are.
        total = total + cross_entropy(_adversary(at, codes.detach()), speaker)
        # The encoder moves, and the adversary is as it is.
        guess = functional.log_softmax(_adversary(still, codes), dim=1)
        if self.settings.against == "reversal":
            total = total + self.strength * (speaker * guess).sum(dim=1)
        else:
            total = total - self.strength * guess.mean(dim=1)
        if self.settings.club:
            total = total + self.settings.club * ((speaker - self.shares) * guess).sum(dim=1)
        if self.coupled is not None:
            fourier, coupling = self.coupled
            # Half of each utterance's part in the slope of the squared norm of the coupling.
            part = ((_features(fourier, codes) @ coupling) * (speaker - self.shares)).sum(dim=1)
            total = total + 2 * self.settings.hsic * part
        return total

    def coupling(
        self, door: Curator, weights: Weights, fourier: tuple[Tensor, Tensor], sample: Draw
    ) -> Float[Tensor, "feature speaker"]:
        """The cross-covariance of random features and speakers that HSIC is the square of."""

        def statistic(features: Tensor, targets: Tensor) -> Tensor:
            with torch.no_grad():
                found = _features(fourier, _told(*encode(weights, features)))
            speaker = targets[:, len(self.balance) :] - self.shares
            return found[:, :, None] * speaker[:, None, :]

        return door.mean(
            statistic, purpose="dependence on the speaker", sample=sample, per_class=False
        )


def reversal(done: float) -> float:
    """Strength of the gradient reversal after a share of the steps (Ganin and Lempitsky 2015).

    >>> reversal(0.0), round(reversal(0.5), 3), round(reversal(1.0), 3)
    (0.0, 0.987, 1.0)
    """
    return 2 / (1 + math.exp(-10 * done)) - 1


def voices_of(weights: Weights, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n voice"]:
    """Who says it: a few numbers of an utterance's statistics, in (-1, 1)."""
    return _linear(weights, "voice", statistics_of(features)).tanh()


def _told(
    logits: Float[Tensor, "n emotion"], content: Float[Tensor, "n content step"]
) -> Float[Tensor, "n code"]:
    """All of the codes that an adversary hears: the emotions, and what content does over time."""
    emotion = logits.softmax(dim=1)
    return torch.cat([emotion, mean_and_deviation(content)], dim=1) if content.numel() else emotion


def _adversary(weights: Weights, codes: Float[Tensor, "n code"]) -> Float[Tensor, "n speaker"]:
    """One hidden layer."""
    hidden = functional.silu(_linear(weights, f"{ADVERSARY}.hidden", codes))
    return _linear(weights, f"{ADVERSARY}.out", hidden)


def _linear(weights: Weights, name: str, rows: Tensor) -> Tensor:
    return functional.linear(rows, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _fourier(emotions: int, content: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Directions and phases of random features of codes.

    For Gaussian kernels as wide as each part is: of probabilities, two of which are at most the
    root of 2 apart, and of content, whose statistics are each about 1 apart.
    """
    scales = torch.cat([torch.full((emotions,), 1 / WIDTH_OF_EMOTIONS), torch.ones(2 * content)])
    scales[emotions:] /= math.sqrt(max(1, 2 * content))
    directions = scales[:, None] * torch.randn(len(scales), FOURIER, generator=draws)
    return directions, 2 * math.pi * torch.rand(FOURIER, generator=draws)


def _features(
    fourier: tuple[Tensor, Tensor], codes: Float[Tensor, "n code"]
) -> Float[Tensor, "n feature"]:
    directions, phases = (each.to(codes) for each in fourier)
    return math.sqrt(2 / len(phases)) * (codes @ directions + phases).cos()
