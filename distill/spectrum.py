"""Noise that is to a network what speech is on average: with the spectrum of real recordings.

What is asked are second moments over all emotions. An utterance is looked at 25 times a second, and
its Fourier transform X_w along time is taken: of each rate w its energy, and over each of a few
ranges of rates the bands' covariance,

    s_w = |X_w|^2 / energy,      B_range = sum over w of Re X_w X_w^H / energy.

From the answer stationary normal processes are drawn, in which bands vary together as they do in
speech, and at each rate as strongly. That is where texture synthesis starts from (Portilla and
Simoncelli 2000; for sounds McDermott and Simoncelli 2011): where nothing pulls an item afterwards,
it stays like speech. Of a noisy answer about as much is believed as noise alone does not explain;
the rest is that of coloured noise, which is public.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from distill.modulations import coloured_noise
from distill.symmetric import Symmetric
from synth_data.ledger import Release
from synth_data.randomness import generator
from synth_data.representation import Representation

SPECTRUM = "spectrum of the speech, to start from"
RELEASE = Release(SPECTRUM, 2.0)  # a start may be noisier than what items are pulled to

RATE = 25.0  # looks a second
RANGES = (1.5, 4.5)  # Hz, between ranges: of phrases, syllables, onsets
LENGTH = 0.6  # that utterances' vectors are cut to; those of speech have 0.5 to 0.9
LEAST_KEPT = 0.5  # of utterances' vectors, at least, that is taken to be left when they are cut
BLANKS = 64  # zeros that are asked for, whose answers tell how noisy the others are
MARGIN = 1.15  # for how little they tell, and for the largest eigenvalue being larger by chance
NOISES = 256  # pieces of coloured noise whose spectrum is believed where nothing else is
RIDGE = 1e-3  # of the variance


@dataclass(frozen=True)
class Spectrum:
    """What is asked of utterances of one recipe, and what can be drawn from the answer.

    Attributes:
        spec: whose features it takes.
    """

    spec: Representation

    @property
    def _hop(self) -> float:
        return self.spec.seconds_per_frame("the initialisation 'spectrum'")

    @property
    def size(self) -> int:
        """Numbers that are asked for."""
        return len(self._ranges) * self._bands.numbers + len(self._rates) + BLANKS

    def __call__(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n size"]:
        """What is asked of each utterance, of a length of `LENGTH` at most."""
        slow = functional.avg_pool1d(features, self._look)
        rates = torch.fft.rfft(slow, dim=2) * self._weight.to(features.device)
        energy = rates.abs().square().sum(dim=(1, 2)).clamp_min(1e-12)
        parts = []
        for here in self._ranges:
            some = rates[:, :, here.to(features.device)]
            parts.append(self._bands.pack(torch.einsum("nmw,nkw->nmk", some, some.conj()).real))
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
        covariances, energies = self.believed(answer.cpu())
        normal = torch.randn(count, len(energies), self.spec.mels, 2, generator=draws)
        factors = torch.linalg.cholesky(covariances).float()
        scale = torch.zeros(len(energies), self.spec.mels, self.spec.mels)
        for factor, here in zip(factors, self._ranges, strict=True):
            scale[here] = factor * energies[here].sqrt()[:, None, None]
        rates = torch.einsum(
            "wmk,nwk->nmw", scale.to(torch.complex64), torch.view_as_complex(normal)
        )
        # A look is a mean over frames, and so has heard less of what is fast.
        heard = torch.sinc(self._rates * self._look * self._hop)
        whole = self._looks * self._look
        noise = torch.fft.irfft(rates / heard, n=whole, dim=2)
        noise = noise[:, :, torch.arange(self.spec.frames) % whole]  # it goes round
        noise = noise - noise.mean(dim=2, keepdim=True)
        return noise / noise.std(dim=(1, 2), correction=0, keepdim=True).clamp_min(1e-6)

    def believed(
        self, answer: Float[Tensor, " size"]
    ) -> tuple[Float[Tensor, "range mel mel"], Float[Tensor, " rate"]]:
        """The bands' covariance in each range, of trace 1, and the energy of each rate.

        Args:
            answer: the mean over utterances, which may be noisy.
        """
        usual_matrices, usual_energies = self._parts(_coloured(self))
        matrices, energies = self._parts(answer)
        kept = energies.sum().clamp_min(LEAST_KEPT)
        noise = float(answer[-BLANKS:].std() / kept)
        energies = _energies(energies / kept, usual_energies / usual_energies.sum(), noise)
        covariances = [
            _covariance(matrix / kept, other, noise, energies[here].sum())
            for matrix, other, here in zip(matrices, usual_matrices, self._ranges, strict=True)
        ]
        return torch.stack(covariances), energies

    def _parts(
        self, answer: Float[Tensor, " size"]
    ) -> tuple[Float[Tensor, "range mel mel"], Float[Tensor, " rate"]]:
        """The covariances, and the energies."""
        numbers = len(self._ranges) * self._bands.numbers
        vectors, energies, _ = answer.split([numbers, len(self._rates), BLANKS])
        return self._bands.unpack(vectors.unflatten(0, (len(self._ranges), -1))), energies

    @property
    def _bands(self) -> Symmetric:
        return Symmetric(self.spec.mels)

    @property
    def _look(self) -> int:
        """Frames that are looked at together."""
        return max(1, min(round(1 / (RATE * self._hop)), self.spec.frames // 2))

    @property
    def _looks(self) -> int:
        return self.spec.frames // self._look

    @cached_property
    def _rates(self) -> Float[Tensor, " rate"]:
        """In Hz."""
        return torch.fft.rfftfreq(self._looks, self._look * self._hop)

    @cached_property
    def _ranges(self) -> list[Tensor]:
        """Which rates are in each range."""
        place = torch.bucketize(self._rates, torch.tensor(RANGES))
        return [place == here for here in range(len(RANGES) + 1)]

    @cached_property
    def _weight(self) -> Float[Tensor, " rate"]:
        """Of each rate, so that energies add up: all stand for two but the first and the half."""
        weight = torch.full(self._rates.shape, 2**0.5)
        weight[0] = 1.0
        if self._looks % 2 == 0:
            weight[-1] = 1.0
        return weight


def _energies(
    found: Float[Tensor, " rate"], usual: Float[Tensor, " rate"], noise: float
) -> Float[Tensor, " rate"]:
    """As far from the usual ones as they are beyond their noise (James and Stein 1961), of sum 1.

    Twice the noise that is expected is taken off, since some of it is more than expected.
    """
    apart, expected = found - usual, len(found) * noise**2
    believed = (1 - 2 * expected / apart.square().sum().clamp_min(1e-12)).clamp_min(0.0)
    if expected > 1.0:  # more than there is of energy
        believed = torch.zeros(())
    energies = (usual + believed * apart).clamp_min(0.01 / len(found))
    return energies / energies.sum()


def _covariance(
    found: Float[Tensor, "mel mel"],
    usual: Float[Tensor, "mel mel"],
    noise: float,
    energy: Float[Tensor, ""],
) -> Float[Tensor, "mel mel"]:
    """The directions that rise above noise, filled up with the usual covariance, of trace 1.

    Args:
        found: with noise of such a deviation in its numbers.
        usual: what is believed otherwise.
        noise: this deviation; off the diagonal less by the root of 2.
        energy: that the range has.
    """
    values, directions = torch.linalg.eigh(found.double())
    # Noise alone has eigenvalues up to this (Wigner 1955), and adds to larger ones as much as is
    # taken off here (Gavish and Donoho 2017).
    edge = MARGIN * noise * (2 * len(values)) ** 0.5
    above = (values > edge) & (edge < energy)  # which no eigenvalue is larger than
    values = torch.where(above, (values.square() - edge**2).clamp_min(0.0).sqrt(), 0.0)
    sure = (directions * values) @ directions.T / energy.clamp_min(1e-12)
    sure = sure / sure.trace().clamp_min(1.0)
    rest = 1 - sure.trace()
    even = RIDGE / len(values) * torch.eye(len(values), dtype=values.dtype)
    whole = sure + rest * usual / usual.trace().clamp_min(1e-12) + even
    return whole / whole.trace()


@lru_cache
def _coloured(spectrum: Spectrum) -> Float[Tensor, " size"]:
    """Of coloured noise."""
    noise = coloured_noise(NOISES, spectrum.spec, generator(0, "spectrum"))
    return spectrum(noise).mean(dim=0)
