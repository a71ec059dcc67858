"""Anonymisation by the McAdams coefficient: what attackers on disentangled speech are held against.

Patino et al., "Speaker anonymisation using the McAdams coefficient", Interspeech 2021,
arXiv:2011.01130; baseline B2 of VoicePrivacy 2024. It needs no training: the angles of each short
frame's poles, which are its formants, are raised to a power.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter
from torch import Tensor

from synth_data.degradation import Degradation

FRAME, ORDER = 0.020, 20  # seconds, of half overlapping frames; of linear prediction
POWERS = (0.5, 0.9)  # of which each utterance draws one
STEADY = 1e-6  # of a frame's energy, as noise, so that silence has a predictor


@dataclass(frozen=True)
class McAdams(Degradation):
    """Moves formants by raising the angles of poles, in radians, to a power.

    The coefficient is drawn for each utterance, as in VoicePrivacy 2024.

    Attributes:
        seed: of the coefficients.
    """

    seed: int = 0

    def __call__(
        self, waveform: Float[Tensor, " sample"], sample_rate: int, generator: torch.Generator
    ) -> Float[Tensor, " sample"]:
        low, high = POWERS
        power = low + (high - low) * float(torch.rand(1, generator=generator))
        return torch.from_numpy(moved(waveform.double().numpy(), sample_rate, power)).to(waveform)


def moved(
    waveform: Float[np.ndarray, " sample"], sample_rate: int, power: float
) -> Float[np.ndarray, " sample"]:
    """The waveform with the angles of its poles raised to a power; 1 changes nothing.

    Args:
        waveform: any amplitude.
        sample_rate: in Hz.
        power: the McAdams coefficient.
    """
    hop = round(FRAME * sample_rate / 2)
    window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop))  # squared, they add up to 1
    count = len(waveform) // hop + 1
    padded = np.pad(waveform, (hop, (count + 1) * hop - len(waveform)))
    frames = np.stack([padded[k * hop : (k + 2) * hop] for k in range(count)]) * window
    predictors = np.stack([_predictor(frame) for frame in frames])
    # Poles are the eigenvalues of the predictor's companion matrix.
    companion = np.zeros((count, ORDER, ORDER))
    companion[:, 0] = -predictors[:, 1:]
    companion[:, np.arange(1, ORDER), np.arange(ORDER - 1)] = 1
    poles = np.linalg.eigvals(companion)
    angles = np.angle(poles)
    bent = np.where(poles.imag != 0, np.sign(angles) * np.abs(angles) ** power, angles)
    made = np.zeros_like(padded)
    for k, (frame, predictor, size, angle) in enumerate(
        zip(frames, predictors, np.abs(poles), bent, strict=True)
    ):
        again = np.poly(np.minimum(size, 0.999) * np.exp(1j * angle)).real
        residual = lfilter(predictor, [1.0], frame)
        made[k * hop : (k + 2) * hop] += lfilter([1.0], again, residual) * window
    made = made[hop : hop + len(waveform)]
    return made * (np.std(waveform) / max(float(np.std(made)), 1e-12))


def _predictor(frame: Float[np.ndarray, " sample"]) -> Float[np.ndarray, " coefficient"]:
    """Of linear prediction by autocorrelation: 1, then minus what predicts the next sample."""
    full = np.correlate(frame, frame, "full")[len(frame) - 1 :][: ORDER + 1]
    full[0] = full[0] * (1 + STEADY) + 1e-12
    return np.concatenate([[1.0], solve_toeplitz(full[:-1], -full[1:])])
