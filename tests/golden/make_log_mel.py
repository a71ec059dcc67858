"""Makes log_mel.json: a log-mel computed slowly and plainly, without torch.

Run as `python tests/golden/make_log_mel.py`. The definition is that of Davis and Mermelstein
(1980) with HTK's mel scale: each frame is multiplied by a periodic Hann window, its power
spectrum is weighted by triangles that are equally wide on the mel scale and have unit peak, and
the logarithm is taken over a floor.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("log_mel.json")

# Written out, so that the golden numbers stay what they are when a default changes.
RECIPE = {
    "sample_rate": 16_000,
    "window": 0.025,
    "hop": 0.010,
    "mels": 64,
    "f_min": 50.0,
    "f_max": 8_000.0,
    "floor": 1e-6,
    "frames": 51,
    "normalisation": "training",
}


def waveform() -> NDArray[np.float32]:
    """Half a second of a gliding vowel-like tone in noise, at 16 kHz."""
    random = np.random.default_rng(20)
    time = np.arange(8_000) / 16_000
    phase = 2 * np.pi * (140 * time + 60 * time**2)
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 20))
    return (0.1 * harmonics + 0.01 * random.standard_normal(8_000)).astype(np.float32)


def slow_log_mel(
    waveform: NDArray[np.float32],
    *,
    sample_rate: int,
    window: float,
    hop: float,
    mels: int,
    f_min: float,
    f_max: float,
    floor: float,
) -> NDArray[np.float64]:
    """`[mel, frame]` by loops, in float64; frames are centred on multiples of the hop."""
    length, step = round(window * sample_rate), round(hop * sample_rate)
    hann = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / length) for n in range(length)])
    edges = _from_mel(np.linspace(_to_mel(f_min), _to_mel(f_max), mels + 2))
    padded = np.pad(waveform.astype(np.float64), length // 2, mode="reflect")
    frames = []
    for first in range(0, len(padded) - length + 1, step):
        power = np.abs(np.fft.rfft(padded[first : first + length] * hann)) ** 2
        frequency = np.arange(len(power)) * sample_rate / length
        energies = [
            sum(p * _triangle(f, *edges[m : m + 3]) for p, f in zip(power, frequency, strict=True))
            for m in range(mels)
        ]
        frames.append(np.log(np.array(energies) + floor))
    return np.stack(frames, axis=1)


def _triangle(frequency: float, low: float, middle: float, high: float) -> float:
    rising, falling = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    return max(0.0, min(rising, falling))


def _to_mel(frequency: float) -> float:
    return 2595 * np.log10(1 + frequency / 700)


def _from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700 * (10 ** (mel / 2595) - 1)


if __name__ == "__main__":
    recipe = {k: v for k, v in RECIPE.items() if k not in ("frames", "normalisation")}
    log_mel = slow_log_mel(waveform(), **recipe)
    sampled = np.round(log_mel[::7, ::5], 4).tolist()
    FILE.write_text("[\n" + ",\n".join(json.dumps(row) for row in sampled) + "\n]\n")
