"""A recording on disk -> a mono waveform: the only place that opens audio."""

import math
import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.signal import firwin, resample_poly
from torch import Tensor

from synth_data.errors import AudioError

SILENCE = 1e-4  # amplitude (-80 dB full scale) under which a recording holds no speech
SLACK = 0.1  # seconds; segment times and length fields are rounded, and padding is not counted
SHORTEST = 0.025  # seconds; what is not even a window of the usual features is no recording
STREAMED = 0x7FFF0000  # a length field this large was written before the length was known
UNTOLD = 2**62  # libsndfile says more samples than this where the header gives no length
WITHOUT_LENGTH = (
    "its header gives no length, as of a file that was written to a pipe; write it again, such as "
    "with `ffmpeg -i OLD NEW`"
)


def read(
    path: Path, sample_rate: int, *, start: float | None = None, end: float | None = None
) -> Float[Tensor, " sample"]:
    """Reads a recording, or a part of it, as mono float32; full scale is 1.

    The format is taken from the file's content, not from its name (AIFF inside `.wav` occurs in
    published corpora). Channels are averaged.

    Args:
        path: any format of libsndfile: WAV, FLAC, AIFF, Ogg, MP3.
        sample_rate: of the result, in Hz.
        start: of the part, in seconds; from the beginning if None.
        end: of the part, in seconds; to the end if None.

    Raises:
        AudioError: the file is missing, unreadable, truncated, empty, shorter than `SHORTEST`,
            silent or not finite, does not say how long it is, or the part lies outside it.
    """
    try:
        with path.open("rb") as stream, soundfile.SoundFile(stream) as file:
            rate = file.samplerate
            if not 1_000 <= rate <= 384_000:
                raise AudioError(
                    f"{path}: its header says {rate} Hz, which is no sampling rate of speech "
                    f"(1,000 to 384,000)"
                )
            first, last = _part(path, file, start, end)
            file.seek(first)
            samples = file.read(last - first, dtype="float32", always_2d=True)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read as audio ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: cannot be read as audio ({error.error_string})") from error
    except AudioError:
        raise
    except (ValueError, MemoryError) as error:  # such as for more samples than there can be
        raise AudioError(f"{path}: cannot be read as audio ({error})") from error
    if len(samples) < last - first - SLACK * rate:
        raise AudioError(
            f"{path}: truncated (of {last - first} samples only {len(samples)} can be read)"
        )
    if len(samples) < SHORTEST * rate:
        raise AudioError(
            f"{path}: too short ({len(samples)} samples, {len(samples) / rate * 1000:.3g} ms; "
            f"{SHORTEST * 1000:g} ms or more are needed)"
        )
    waveform = torch.from_numpy(samples).mean(dim=1)
    if not torch.isfinite(waveform).all():
        raise AudioError(f"{path}: holds values that are not finite")
    if (waveform - waveform.mean()).abs().max() < SILENCE:
        if np.ptp(samples, axis=0).max() > 2 * SILENCE:
            raise AudioError(f"{path}: its channels cancel each other out when they are averaged")
        raise AudioError(f"{path}: silent (never more than {SILENCE:g} of full scale)")
    return resample(waveform, rate, sample_rate)


def resample(
    waveform: Float[Tensor, " sample"], rate: int, sample_rate: int
) -> Float[Tensor, " other"]:
    """The waveform at another rate, band-limited, by a polyphase filter.

    Torchaudio's resampler holds one kernel per phase: 1.6 GB and five seconds for three seconds
    at 24,414 Hz, which is TESS's rate. A polyphase filter takes two milliseconds.

    Args:
        waveform: any amplitude.
        rate: of the waveform, in Hz.
        sample_rate: of the result, in Hz.
    """
    if rate == sample_rate:
        return waveform
    common = math.gcd(rate, sample_rate)
    up, down = sample_rate // common, rate // common
    return torch.from_numpy(
        resample_poly(waveform.numpy(), up, down, window=_low_pass(max(up, down)))
    )


@lru_cache
def _low_pass(factor: int) -> NDArray[np.float32]:
    """Scipy's default for `resample_poly`, kept: its design takes longer than its use."""
    return firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0)).astype(np.float32)


def _part(
    path: Path, file: soundfile.SoundFile, start: float | None, end: float | None
) -> tuple[int, int]:
    """First and last sample, checked against what the file holds."""
    frames, rate = file.frames, file.samplerate
    if frames <= 0:
        raise AudioError(f"{path}: empty (no samples)")
    if frames > UNTOLD:
        raise AudioError(f"{path}: {WITHOUT_LENGTH}")
    # libsndfile shortens a WAV that was cut off to what is there, and only its log tells.
    if shortened := re.search(r"data : (\d+) \(should be (\d+)\)", file.extra_info):
        declared, present = map(int, shortened.groups())
        if present < 0.99 * declared and declared < STREAMED:
            raise AudioError(
                f"{path}: truncated (its header says {declared} bytes of samples, "
                f"{present} are there)"
            )
    first = round((start or 0.0) * rate)
    last = frames if end is None else round(end * rate)
    if not 0 <= first < min(last, frames) or last > frames + SLACK * rate:
        raise AudioError(
            f"{path}: lasts {frames / rate:.2f} s, so the part from {first / rate:.2f} s "
            f"to {last / rate:.2f} s is not in it"
        )
    return first, min(last, frames)
