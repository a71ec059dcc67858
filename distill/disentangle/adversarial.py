"""An encoder with a branch for how something is said and one for who says it, and an adversary.

Codes of speech should tell its emotion; an adversary who learns to tell the speaker from them
should not be able to:

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
training is that codes have little room.

With the voice, a few numbers of an utterance's statistics that tell its speaker, a decoder makes
speech of the codes again. Applied, it has the same average voice for everybody.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from distill.disentangle.disentangler import Disentangler
from distill.real_step import real_step
from evaluation.students import cross_entropy, warm_cosine
from synth_data.curator import Curator, Draw
from synth_data.errors import UserError
from synth_data.progress import SILENT, Progress
from synth_data.randomness import generator
from synth_data.settings import Count, NotNegative, Positive, Whole
from synth_data.transforms import ReRender, Transform
from synth_data.transforms.erase import statistics_of
from synth_data.transforms.re_render import (
    ENCODER,
    KERNEL,
    SHORTER,
    SMALLEST,
    decode,
    encode,
    means_of,
)

WARM_UP = 50  # steps
FASTER = 3.0  # the adversary's learning rate, over the encoder's
FOURIER = 128  # random features, for HSIC
DECODER_WIDTH = 64
ADVERSARY = "adversary"
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Adversarial(Disentangler):
    """Keeps of speech what its emotion needs, in codes of little room; says it in one voice.

    Attributes:
        codes: numbers in each code: less room leaves less of the speaker; 0 for as many as there
            are emotions.
        every: frames for each code, rounded down to a multiple of eight; 0: one code for the
            utterance.
        voice: numbers that describe a voice.
        width: channels of the encoder, a multiple of eight.
        against: how the encoder meets the adversary.
        strength: of that, at its height.
        hsic: weight of the dependence by random features.
        club: weight of the bound on mutual information.
        content: weight with which the codes are to keep the speech itself, beside its emotion; at 0
            they serve the emotion alone, and the decoder makes of them what it can.
        steps: of AdamW, with a cosine to zero.
        learning_rate: at its peak; the adversary's is three times that.
        batch: utterances per step, on average.
        weight_decay: of AdamW.
    """

    codes: Whole = 0
    every: Whole = 0
    voice: Count = 16
    width: Count = 128
    against: Literal["reversal", "entropy"] = "entropy"
    strength: NotNegative = 0.2
    hsic: NotNegative = 0.0
    club: NotNegative = 0.0
    content: NotNegative = 0.0
    steps: Count = 400
    learning_rate: Positive = 3e-3
    batch: Count = 64
    weight_decay: NotNegative = 0.05
    name: ClassVar[str] = "adversarial"

    @property
    def passes(self) -> int:
        return 2 * self.steps * self.batch  # what is said again is heard again

    @property
    def note(self) -> str:
        return (
            f"{super().note}; its transform has learned from the recordings what emotions sound "
            f"like, as a network's weights would have"
        )

    def fit(self, curator: Curator, seed: int = 0, progress: Progress = SILENT) -> Transform:
        weights, steps = self._learned(curator, seed, progress)
        voice = curator.mean(
            lambda features, _: voices_of(weights, features),
            purpose="the average voice",
            per_class=False,
        )
        kept = {
            name: weight.cpu()
            for name, weight in weights.items()
            if name.split(".")[0] in ReRender.layers
        }
        return ReRender(kept, voice.cpu(), torch.tensor([float(steps)]))

    def branches(self, curator: Curator, seed: int = 0) -> "Branches":
        """Both branches and the decoder, to be looked at one by one."""
        return Branches(*self._learned(curator, seed, SILENT))

    def _learned(
        self, curator: Curator, seed: int, progress: Progress
    ) -> tuple[dict[str, Tensor], int]:
        """Weights of everything, and the encoder's steps for each code."""
        if not self.codes:
            whole = replace(self, codes=len(curator.emotions))
            return whole._learned(curator, seed, progress)
        speakers = curator.source.speakers
        mels, frames = curator.spec.shape
        self.require_speakers(speakers)
        if self.width % 8 or frames < SHORTER:
            raise UserError(
                f"{self.name} needs a width that is a multiple of 8 and {SHORTER} frames or more; "
                f"found {self.width} and {frames}"
            )
        draws = generator(seed, "disentangler")
        emotions = len(curator.emotions)
        every = max(1, (self.every or frames) // SHORTER)
        weights = self._drawn(mels, emotions, speakers, every < frames // SHORTER, draws)
        weights = {name: weight.to(curator.device) for name, weight in weights.items()}
        door = curator.naming_speakers()
        shares = door.mean(
            lambda _, targets: targets[:, emotions:], purpose="speakers' shares", per_class=False
        )
        game = _Game(self, every, curator.class_balance(), shares)
        optimiser = torch.optim.AdamW(
            [
                {"params": [w for n, w in weights.items() if n.startswith(ADVERSARY) == its]}
                for its in (False, True)
            ],
            weight_decay=self.weight_decay,
        )
        fourier = _fourier(self.codes, draws) if self.hsic else None
        sample = Draw(min(1.0, self.batch / curator.source.utterances), draws)
        for step in progress(range(self.steps)):
            warm = self.learning_rate * warm_cosine(step, self.steps, WARM_UP)
            for group, faster in zip(optimiser.param_groups, (1.0, FASTER), strict=True):
                group["lr"] = faster * warm
            game.strength = self.strength * reversal(step / self.steps)
            if fourier is not None:
                game.coupled = fourier, game.coupling(door, weights, fourier, sample)
            real_step(door, game.loss, weights, optimiser, sample, "a disentangler's lesson")
        return weights, every

    def _drawn(
        self, mels: int, emotions: int, speakers: int, several: bool, draws: torch.Generator
    ) -> dict[str, Tensor]:
        """Random weights of everything, uniform in +-1/sqrt(fan in), with biases of zero."""
        inside = (1 + several) * self.codes
        kernels = {name: kernel for name, (kernel, *_) in ENCODER.items()}
        shapes: dict[str, tuple[int, ...]] = {
            "first": (self.width, mels, kernels["first"]),
            "second": (self.width, self.width, kernels["second"]),
            "third": (self.width, self.width, kernels["third"]),
            "code": (self.codes, 2 * self.width, 1),
            "spread": (DECODER_WIDTH, self.codes + self.voice, KERNEL),
            "mels": (mels, DECODER_WIDTH, KERNEL),
            "voice": (self.voice, 2 * mels),
            "speaker": (speakers, self.voice),
            "emotion": (emotions, inside),
            f"{ADVERSARY}.hidden": (self.width, inside),
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
        every: steps of the encoder for each code.
    """

    weights: Weights
    every: int

    def codes(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n code time"]:
        """How something is said, in (-1, 1)."""
        return encode(self.weights, features, self.every)

    def voices(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n voice"]:
        """Who says it, in (-1, 1)."""
        return voices_of(self.weights, features)

    def speech(
        self,
        codes: Float[Tensor, "n code time"],
        voices: Float[Tensor, "n voice"],
        frames: int,
    ) -> Float[Tensor, "n mel frame"]:
        """The one said by the other."""
        return decode(self.weights, codes, voices, frames)


@dataclass(eq=False)
class _Game:
    """What encoder, branches, decoder and adversary are after.

    Attributes:
        settings: of the disentangler.
        every: steps of the encoder for each code.
        balance: `[emotion]`, weights under which emotions count alike.
        shares: `[speaker]`, of the utterances.
        strength: against the adversary, by now.
        coupled: random features, and their cross-covariance with speakers by now.
    """

    settings: Adversarial
    every: int
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
        codes, voices = encode(at, features, self.every), voices_of(at, features)
        heard = _linear(at, "emotion", _over_time(at, "emotion", codes))
        total = cross_entropy(heard, emotion * self.balance)
        total = total + cross_entropy(_linear(at, "speaker", voices), speaker)
        # The decoder learns from codes as they are, and these from it as far as they are to.
        kept = codes.detach() + self.settings.content * (codes - codes.detach())
        rendered = decode(at, kept, voices, features.shape[2])
        apart = means_of(rendered - features, SHORTER)
        total = total + apart.square().mean(dim=(1, 2))
        # Where it makes speech that is heard as it was meant, codes are not lost on who hears it.
        again = encode({name: w.detach() for name, w in at.items()}, rendered, self.every)
        total = total + (again - codes.detach()).square().mean(dim=(1, 2))
        # The adversary learns, and the codes are as they are.
        total = total + cross_entropy(_adversary(at, codes.detach()), speaker)
        # The encoder moves, and the adversary is as it is.
        still = {name: w.detach() for name, w in at.items() if name.startswith(ADVERSARY)}
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
                found = _features(fourier, encode(weights, features, self.every))
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


def _adversary(weights: Weights, codes: Float[Tensor, "n code time"]) -> Float[Tensor, "n speaker"]:
    """One hidden layer."""
    parts = _over_time(weights, f"{ADVERSARY}.hidden", codes)
    hidden = functional.silu(_linear(weights, f"{ADVERSARY}.hidden", parts))
    return _linear(weights, f"{ADVERSARY}.out", hidden)


def _over_time(
    weights: Weights, name: str, codes: Float[Tensor, "n code time"]
) -> Float[Tensor, "n statistic"]:
    """The codes' mean over time; where a layer takes twice as much, their deviation as well."""
    mean = codes.mean(dim=2)
    if weights[f"{name}.weight"].shape[1] == codes.shape[1]:
        return mean
    return torch.cat([mean, (codes.var(dim=2, correction=0) + SMALLEST).sqrt()], dim=1)


def _linear(weights: Weights, name: str, rows: Tensor) -> Tensor:
    return functional.linear(rows, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _fourier(codes: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Directions and phases of random features of codes, for a kernel of width 1 per number."""
    directions = torch.randn(codes, FOURIER, generator=draws) / math.sqrt(codes)
    return directions, 2 * math.pi * torch.rand(FOURIER, generator=draws)


def _features(
    fourier: tuple[Tensor, Tensor], codes: Float[Tensor, "n code time"]
) -> Float[Tensor, "n feature"]:
    directions, phases = (each.to(codes) for each in fourier)
    return math.sqrt(2 / len(phases)) * (codes.mean(dim=2) @ directions + phases).cos()
