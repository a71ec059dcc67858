"""Noise that is to a network what speech is on average: with the spectrum of real recordings.

What is asked are second moments over all emotions. An utterance is looked at 25 times a second, and
its Fourier transform X_w along time is taken: of each rate w its energy, and over each of a few
ranges of rates the bands' covariance,

    s_w = |X_w|^2 / energy,      B_range = sum over w of Re X_w X_w^H / energy.

From the answer stationary normal processes are drawn, in which bands vary together as they do in
speech, and at each rate as strongly. That is where texture synthesis starts from (Portilla and
Simoncelli 2000; for sounds McDermott and Simoncelli 2011): where nothing pulls an item afterwards,
it stays like speech. Of a noisy answer as much is believed as rises above its noise; the rest is
that of coloured noise, which is public.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from distill.modulations import coloured_noise
from synth_data.features import FeatureSpec
from synth_data.ledger import Release
from synth_data.randomness import generator

SPECTRUM = "spectrum of the speech, to start from"
RELEASE = Release(SPECTRUM, 2.0)  # a start may be noisier than what items are pulled to

RATE = 25.0  # looks a second
RANGES = (1.5, 4.5)  # Hz, between ranges: of phrases, syllables, onsets
LENGTH = 0.6  # of an utterance's vector, at most; speech has about that
BLANKS = 64  # zeros that are asked for, whose answers tell how noisy the others are
NOISES = 256  # pieces of coloured noise whose spectrum is believed where nothing else is
RIDGE = 1e-3  # of the variance


@dataclass(frozen=True)
class Spectrum:
    """What is asked of utterances of one recipe, and what can be drawn from the answer.

    Attributes:
        spec: whose features it takes.
    """

    spec: FeatureSpec

    @property
    def size(self) -> int:
        """Numbers that are asked for."""
        ranges = len(RANGES) + 1
        return ranges * self._upper.shape[1] + len(self._range_of) + BLANKS

    def __call__(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n size"]:
        """What is asked of each utterance, of a length of `LENGTH` at most."""
        slow = functional.avg_pool1d(features, self._look)
        rates = torch.fft.rfft(slow, dim=2) * self._weight.to(features.device)
        energy = rates.abs().square().sum(dim=(1, 2)).clamp_min(1e-12)
        rows, columns = self._upper.to(features.device)
        parts = []
        for here in self._masks:
            some = rates[:, :, here.to(features.device)]
            covariance = torch.einsum("nmw,nkw->nmk", some, some.conj()).real
            parts.append(covariance[:, rows, columns] * self._twice.to(features.device))
        parts.append(rates.abs().square().sum(dim=1))
        together = torch.cat(parts, dim=1) / energy[:, None]
        together = together * (LENGTH / together.norm(dim=1, keepdim=True)).clamp_max(1.0)
        return functional.pad(together, (0, BLANKS))

    def draw(
        self, answer: Float[Tensor, " size"], count: int, draws: torch.Generator
    ) -> Float[Tensor, "n mel frame"]:
        """So many pieces of noise with such a spectrum, normalised as utterances are.

        Args:
            answer: the mean over utterances, which may be noisy.
            count: how many.
            draws: of the noise.
        """
        covariances, energies = self._believed(answer.cpu())
        normal = torch.randn(count, len(energies), self.spec.mels, 2, generator=draws)
        factors = torch.linalg.cholesky(covariances)[self._range_of]
        scale = (factors * energies.sqrt()[:, None, None]).to(torch.complex64)
        rates = torch.einsum("wmk,nwk->nmw", scale, torch.view_as_complex(normal))
        # A look is a mean over frames, and so has heard less of what is fast.
        heard = torch.sinc(self._rates * self._look * self.spec.hop)
        whole = self._looks * self._look
        noise = torch.fft.irfft(rates / self._weight / heard, n=whole, dim=2)
        noise = noise[:, :, torch.arange(self.spec.frames) % whole]  # it goes round
        noise = noise - noise.mean(dim=2, keepdim=True)
        return noise / noise.std(dim=(1, 2), correction=0, keepdim=True).clamp_min(1e-6)

    def _believed(
        self, answer: Float[Tensor, " size"]
    ) -> tuple[Float[Tensor, "range mel mel"], Float[Tensor, " rate"]]:
        """The bands' covariance in each range, of trace 1, and the energy of each rate."""
        *usual, usual_energies = self._parts(_coloured(self))
        *found, energies = self._parts(answer)
        noise = float(answer[-BLANKS:].std())
        # As far from the usual ones as they are beyond their noise (James and Stein 1961).
        apart = energies - usual_energies
        surprise = apart.square().sum().clamp_min(1e-12)
        energies = usual_energies + apart * (1 - len(apart) * noise**2 / surprise).clamp_min(0.0)
        energies = energies.clamp_min(0.01 / len(energies))
        covariances = []
        for matrix, other, here in zip(found, usual, self._masks, strict=True):
            values, directions = torch.linalg.eigh(matrix.double())
            # The largest eigenvalue of noise alone (Wigner 1955).
            values = values * (values > noise * (2 * len(values)) ** 0.5)
            sure = (directions * values) @ directions.T / energies[here].sum().clamp_min(1e-12)
            rest = (1 - sure.trace()).clamp_min(0.0)
            even = RIDGE / len(values) * torch.eye(len(values), dtype=values.dtype)
            whole = sure + rest * other / other.trace().clamp_min(1e-12) + even
            covariances.append(whole / whole.trace())
        return torch.stack(covariances).float(), energies

    def _parts(self, answer: Float[Tensor, " size"]) -> list[Tensor]:
        """The covariance of each range, and the energies."""
        numbers = self._upper.shape[1]
        sizes = [numbers] * len(self._masks) + [len(self._range_of), BLANKS]
        *halves, energies, _ = answer.split(sizes)
        matrices = []
        for half in halves:
            matrix = torch.zeros(self.spec.mels, self.spec.mels)
            matrix[self._upper[0], self._upper[1]] = half / self._twice
            matrices.append(matrix.triu(1).T + matrix)
        return [*matrices, energies]

    @property
    def _look(self) -> int:
        """Frames that are looked at together."""
        return max(1, min(round(1 / (RATE * self.spec.hop)), self.spec.frames // 2))

    @property
    def _looks(self) -> int:
        return self.spec.frames // self._look

    @property
    def _rates(self) -> Float[Tensor, " rate"]:
        """In Hz."""
        return torch.fft.rfftfreq(self._looks, self._look * self.spec.hop)

    @cached_property
    def _range_of(self) -> Int[Tensor, " rate"]:
        """The range that each rate is in."""
        return torch.bucketize(self._rates, torch.tensor(RANGES))

    @property
    def _masks(self) -> list[Tensor]:
        return [self._range_of == place for place in range(len(RANGES) + 1)]

    @property
    def _weight(self) -> Float[Tensor, " rate"]:
        """Of each rate, so that energies add up: all but the first stand for two."""
        weight = torch.full(self._range_of.shape, 2**0.5)
        weight[0] = 1.0
        return weight

    @cached_property
    def _upper(self) -> Int[Tensor, "2 number"]:
        return torch.triu_indices(self.spec.mels, self.spec.mels)

    @property
    def _twice(self) -> Float[Tensor, " number"]:
        """Weights of the upper half of a symmetric matrix, so that lengths are the matrix'."""
        return torch.where(self._upper[0] == self._upper[1], 1.0, 2**0.5)


@lru_cache
def _coloured(spectrum: Spectrum) -> Float[Tensor, " size"]:
    """Of coloured noise."""
    noise = coloured_noise(NOISES, spectrum.spec, generator(0, "spectrum"))
    return spectrum(noise).mean(dim=0)
