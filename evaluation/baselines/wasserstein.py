"""A class-conditional generator, trained against a critic and through the eyes of a network.

    critic:     mean D(made) - mean D(real) + penalty mean (|dD/dx| - 1)^2, at x between the two,
    generator:  -mean D(made) + matching |s(made) - s(real)|^2 + diversity / spread(made),

where s is the mean over a class of what a network that was trained on the real data makes of
utterances: its softmax and its embedding, and spread is how far apart items of a class are, for how
far apart their codes are (Mao et al. 2019, "Mode seeking generative adversarial networks").
Gulrajani et al. 2017 ("Improved training of Wasserstein GANs"), told the emotion as Miyato and
Koyama 2018 do ("cGANs with projection discriminator").
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from evaluation.networks import Weights, draw_weights, embedded
from evaluation.networks.layers import statistics
from synth_data.decoder import SHORTER, Decoder
from synth_data.schedule import Momentum
from synth_data.settings import Count, NotNegative, Positive

BETAS = (0.0, 0.9)  # of Adam, as Gulrajani et al. set them
SMALLEST = 1e-3  # distance of two items, and slope of a critic


class Critic(nn.Module):
    """Says how real features sound, for the emotion that they are said to have.

    Args:
        mels: mel bands of the input.
        emotions: number of classes.
        channels: width.
    """

    def __init__(self, mels: int, emotions: int, channels: int) -> None:
        super().__init__()
        self.frames = nn.Sequential(
            nn.Conv1d(mels, channels, 5, stride=2, padding=2),
            nn.SiLU(),
            nn.Conv1d(channels, channels, 3, padding=1),
            nn.SiLU(),
        )
        self.any = nn.Linear(2 * channels, 1)
        self.own = nn.Linear(2 * channels, emotions, bias=False)

    def forward(
        self, short: Float[Tensor, "n mel fewer"], emotion: Float[Tensor, "n emotion"]
    ) -> Float[Tensor, " n"]:
        """The larger, the more real.

        Args:
            short: means of a few frames each, of which a decoder makes no more.
            emotion: one-hot.
        """
        heard = statistics(self.frames(short))
        score: Tensor = self.any(heard).squeeze(1) + (self.own(heard) * emotion).sum(dim=1)
        return score


@dataclass(frozen=True, eq=False)
class Eyes:
    """A network that was trained on the real utterances, and what it makes of them.

    Attributes:
        network: without weights.
        weights: its own.
        scale: of embeddings, so that all of one together count about as much as a softmax.
        real: the mean of `seen` for each class of real utterances that there is.
    """

    network: nn.Module
    weights: Weights
    scale: Float[Tensor, " embedding"]
    real: Float[Tensor, "present seen"]

    @classmethod
    def of(
        cls,
        network: nn.Module,
        weights: Weights,
        embeddings: Float[Tensor, "n embedding"],
        logits: Float[Tensor, "n emotion"],
        rows: Sequence[Sequence[int]],
    ) -> "Eyes":
        """These eyes, after they have seen the real utterances.

        Args:
            network: without weights.
            weights: its own.
            embeddings: of the real utterances.
            logits: of the same.
            rows: which of them are of each class that there is.
        """
        deviation = embeddings.std(dim=0, correction=0).clamp_min(SMALLEST)
        scale = 1 / (deviation * embeddings.shape[1] ** 0.5)
        seen = torch.cat([logits.softmax(dim=1), embeddings * scale], dim=1)
        means = [seen[torch.tensor(of_one)].mean(dim=0) for of_one in rows]
        return cls(network, weights, scale, torch.stack(means))

    def apart(self, items: Float[Tensor, "n mel frame"]) -> Float[Tensor, ""]:
        """How far the classes of items are from the real ones, squared.

        A class' items are in two halves, and the difference of one is multiplied with that of the
        other: the square of a few items' mean would ask for items that are all alike. This has no
        such bias, and can be below 0.

        Args:
            items: of each class in turn, as many, of an even number.
        """
        embedding, logits = embedded(self.network, self.weights, items)
        seen = torch.cat([logits.softmax(dim=1), embedding * self.scale], dim=1)
        means = seen.unflatten(0, (len(self.real), 2, -1)).mean(dim=2)
        first, second = means[:, 0] - self.real, means[:, 1] - self.real
        return (first * second).sum(dim=1).mean()


@dataclass(frozen=True)
class WassersteinGAN:
    """How a generator is trained: by Adam, and a moving average of its weights is what stays.

    Chosen on validation speakers of the toy corpus. Less matching than this made a generator of
    items that show no emotion, more one of items that are all alike.

    Attributes:
        steps: of the generator.
        critic_steps: of the critic, before each.
        pairs: of items of each class in a step.
        learning_rate: of both.
        penalty: on slopes of the critic that are not one.
        matching: weight of the classes' means, as a network sees them.
        diversity: weight of items of a class that are alike although their codes are not.
        average: keeps so much of itself at every step.
        channels: of the critic.
    """

    steps: Count = 1_500
    critic_steps: Count = 3
    pairs: Count = 2
    learning_rate: Positive = 5e-3
    penalty: NotNegative = 10.0
    matching: NotNegative = 1.0
    diversity: NotNegative = 0.1
    average: Momentum = 0.99
    channels: Count = 64

    def fit(
        self,
        decoder: Decoder,
        features: Float[Tensor, "n mel frame"],
        targets: Float[Tensor, "n emotion"],
        rows: Sequence[Sequence[int]],
        eyes: Eyes,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Weights with which codes of normal noise become items.

        Args:
            decoder: to be trained.
            features: of real utterances.
            targets: one-hot.
            rows: which of them are of each class that there is.
            eyes: that have seen them.
            generator: of all that is drawn.
        """
        (_, mels, frames), emotions = features.shape, targets.shape[1]
        with torch.device("meta"):
            critic = Critic(mels, emotions, self.channels)
        judging = _free(draw_weights(critic, generator))
        making = _free(decoder.draw(mels, frames, emotions, generator))
        averaged = {name: weight.detach().clone() for name, weight in making.items()}
        critics, makers = (
            torch.optim.Adam(weights.values(), lr=self.learning_rate, betas=BETAS, fused=True)
            for weights in (judging, making)
        )
        short = shortened(features)
        wanted = targets[[of_one[0] for of_one in rows]].repeat_interleave(2 * self.pairs, dim=0)

        def score(items: Float[Tensor, "n mel fewer"]) -> Float[Tensor, " n"]:
            said: Tensor = torch.func.functional_call(critic, judging, (items, wanted))
            return said

        def drawn() -> Float[Tensor, "n code"]:
            return torch.randn(len(wanted), decoder.code, generator=generator)

        for _ in range(self.steps):
            for _ in range(self.critic_steps):
                real = short[_some(rows, 2 * self.pairs, generator)]
                with torch.no_grad():
                    made = shortened(decoder(making, drawn(), wanted, frames))
                share = torch.rand(len(real), 1, 1, generator=generator)
                loss = score(made).mean() - score(real).mean()
                loss = loss + self.penalty * steepness(score, torch.lerp(made, real, share))
                critics.zero_grad(set_to_none=True)
                loss.backward(inputs=list(judging.values()))
                critics.step()
            codes = drawn()
            items = decoder(making, codes, wanted, frames)
            loss = self.matching * eyes.apart(items) - score(shortened(items)).mean()
            loss = loss + self.diversity / spread(items, codes)
            makers.zero_grad(set_to_none=True)
            loss.backward(inputs=list(making.values()))
            makers.step()
            with torch.no_grad():
                for name, weight in averaged.items():
                    weight.lerp_(making[name], 1 - self.average)
        return averaged


def shortened(features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel fewer"]:
    """Means of as many frames as a decoder makes one for."""
    return functional.avg_pool1d(features, SHORTER, ceil_mode=True)


def steepness(
    score: Callable[[Tensor], Tensor], at: Float[Tensor, "n mel fewer"]
) -> Float[Tensor, ""]:
    """How far the slope of a score is from one, squared, as a mean; differentiable."""
    at = at.detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(at).sum(), at, create_graph=True)
    length = (slope.square().sum(dim=(1, 2)) + SMALLEST**2).sqrt()
    return (length - 1).square().mean()


def spread(
    items: Float[Tensor, "n mel frame"], codes: Float[Tensor, "n code"]
) -> Float[Tensor, ""]:
    """How far apart neighbouring items are, for how far apart their codes are: a mean of pairs."""

    def apart(values: Tensor) -> Tensor:
        return (values[0::2] - values[1::2]).flatten(1).abs().mean(dim=1)

    return (apart(items) / apart(codes).clamp_min(SMALLEST)).mean().clamp_min(SMALLEST)


def _free(weights: Weights) -> dict[str, Tensor]:
    return {name: weight.detach().clone().requires_grad_() for name, weight in weights.items()}


def _some(
    rows: Sequence[Sequence[int]], count: int, generator: torch.Generator
) -> Int[Tensor, " n"]:
    """Rows of each class in turn, so many, drawn with replacement."""
    picked = [torch.randint(len(one), (count,), generator=generator) for one in rows]
    return torch.cat([torch.tensor(one)[at] for one, at in zip(rows, picked, strict=True)])
