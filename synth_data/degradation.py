"""The same recordings as heard in a worse place: in noise, or in a reverberant room."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256

import torch
from jaxtyping import Float
from scipy.signal import fftconvolve
from torch import Tensor

from synth_data.errors import AudioError, UserError, unknown_name
from synth_data.extraction import extract
from synth_data.inversion import average_speech
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.utterance import Source, Utterance

DIRECT_TO_REVERBERANT = 0.0  # dB: the listener is as far away as the critical distance


class Degradation(ABC):
    """What happens to a waveform between the talker and the microphone.

    Attributes:
        seed: of what is random; each utterance has a draw of its own.
    """

    seed: int

    @abstractmethod
    def __call__(
        self, waveform: Float[Tensor, " sample"], sample_rate: int, generator: torch.Generator
    ) -> Float[Tensor, " sample"]:
        """The degraded waveform, equally long; silence stays silence.

        Args:
            waveform: any amplitude.
            sample_rate: in Hz.
            generator: of what is random.
        """


@dataclass(frozen=True)
class Noise(Degradation):
    """Adds noise with the long-term spectrum of average speech (`inversion.AVERAGE_SPEECH`).

    Attributes:
        decibels: power of the whole utterance, pauses included, about its mean, relative to the
            noise's.
        seed: of the noise.

    Raises:
        UserError: `decibels` is not from -100 to 100.
    """

    decibels: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not -100 <= self.decibels <= 100:
            raise UserError(
                f"a signal-to-noise ratio of {self.decibels:g} dB is not possible; "
                f"give one from -100 to 100 dB"
            )

    def __call__(
        self, waveform: Float[Tensor, " sample"], sample_rate: int, generator: torch.Generator
    ) -> Float[Tensor, " sample"]:
        white = torch.randn(waveform.shape, generator=generator)
        hertz = torch.fft.rfftfreq(len(waveform), 1 / sample_rate)
        noise = torch.fft.irfft(torch.fft.rfft(white) * average_speech(hertz).sqrt(), len(waveform))
        wanted = _power(waveform) * 10 ** (-self.decibels / 10)
        return waveform + noise * (wanted / _power(noise).clamp_min(1e-30)).sqrt()


@dataclass(frozen=True)
class Reverberation(Degradation):
    """Convolves with the response of a room: the direct sound, then decaying white noise.

    Polack's model (1988) of a room's late response, from the first sample after the direct sound,
    which has as much energy as all the rest (`DIRECT_TO_REVERBERANT`). What rings on after the
    utterance's end is cut off, and the utterance is as loud afterwards as before.

    Attributes:
        seconds: in which the reverberation decays by 60 dB (RT60).
        seed: of the room.

    Raises:
        UserError: `seconds` is not from 0.05 to 10.
    """

    seconds: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.05 <= self.seconds <= 10:
            raise UserError(
                f"a reverberation time of {self.seconds:g} s is not one of a room; "
                f"give one from 0.05 to 10 s"
            )

    def __call__(
        self, waveform: Float[Tensor, " sample"], sample_rate: int, generator: torch.Generator
    ) -> Float[Tensor, " sample"]:
        time = torch.arange(1, round(self.seconds * sample_rate)) / sample_rate
        tail = torch.randn(time.shape, generator=generator) * 10 ** (-3 * time / self.seconds)
        tail *= 10 ** (-DIRECT_TO_REVERBERANT / 20) / tail.norm()
        room = torch.cat([torch.ones(1), tail])
        heard = torch.from_numpy(fftconvolve(waveform.numpy(), room.numpy())[: len(waveform)])
        return heard * (_power(waveform) / _power(heard).clamp_min(1e-30)).sqrt()


DEGRADATIONS: dict[str, Degradation] = {
    "noise-20dB": Noise(20.0),
    "noise-10dB": Noise(10.0),
    "noise-0dB": Noise(0.0),
    "reverberation-0.4s": Reverberation(0.4),
    "reverberation-1s": Reverberation(1.0),
}


def known_degradation(name: str) -> Degradation:
    """A degradation by its name in reports and on the command line.

    Raises:
        UserError: there is no such degradation; the message tells the nearest name.
    """
    if name not in DEGRADATIONS:
        raise unknown_name("degradation", name, DEGRADATIONS)
    return DEGRADATIONS[name]


@dataclass(frozen=True)
class Degraded(Source):
    """The speech of another source, degraded; the same every time it is asked for.

    Attributes:
        original: whose digest decides, with the degradation's seed, what is random.
        degradation: what happens to it.
    """

    original: Source
    degradation: Degradation

    def waveform(self, sample_rate: int) -> Float[Tensor, " sample"]:
        waveform = self.original.waveform(sample_rate)
        random = generator(self.degradation.seed, "degradation", self.original.digest().hex())
        return self.degradation(waveform, sample_rate, random)

    def digest(self) -> bytes:
        return sha256(self.original.digest() + repr(self.degradation).encode()).digest()


def degraded(utterances: Iterable[Utterance], degradation: Degradation) -> tuple[Utterance, ...]:
    """The utterances as they sound after the degradation; their labels stay."""
    return tuple(
        replace(utterance, audio=Degraded(utterance.audio, degradation)) for utterance in utterances
    )


def degraded_set(real: RealSet, degradation: Degradation, progress: bool = False) -> RealSet:
    """The set with the features of degraded speech; a note says so.

    Args:
        real: with at least one utterance, such as the test side of a fold.
        degradation: of every utterance.
        progress: show a bar on stderr.

    Raises:
        AudioError: a recording can no longer be read.
    """
    utterances = degraded(real.utterances, degradation)
    rows, refused = extract(dict(enumerate(utterances)), real.spec, None, progress)
    if refused:
        raise AudioError(
            f"{len(refused)} of {len(real)} recordings of {real.facts.title} can no longer be "
            f"read, the first: {refused[0]}; put them back, or load the corpus again"
        )
    return replace(
        real,
        utterances=utterances,
        features=torch.stack([rows[row] for row in range(len(utterances))]).to(real.features),
        digest=sha256(f"{real.digest} {degradation!r}".encode()).hexdigest(),
        notes=(*real.notes, f"speech degraded: {degradation!r}"),
    )


def _power(waveform: Float[Tensor, " sample"]) -> Float[Tensor, ""]:
    """About the mean, since a microphone's offset is not heard."""
    return waveform.var(correction=0)
