"""A recording on disk -> a mono waveform: the only place that opens audio."""

from pathlib import Path

import soundfile
import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.errors import AudioError
from synth_data.pure_torchaudio import resample

SILENCE = 1e-4  # peak amplitude (-80 dB full scale) under which a recording holds no speech


def read(
    path: Path, sample_rate: int, *, start: float | None = None, end: float | None = None
) -> Float[Tensor, " sample"]:
    """Reads a recording, or a part of it, as mono float32 in [-1, 1].

    The format is taken from the file's content, not from its name (AIFF inside `.wav` occurs in
    published corpora). Channels are averaged. The resampler is torchaudio's windowed sinc
    (Hann, 6 zero crossings).

    Args:
        path: any format of libsndfile: WAV, FLAC, AIFF, Ogg, MP3.
        sample_rate: of the result, in Hz.
        start: of the part, in seconds; from the beginning if None.
        end: of the part, in seconds; to the end if None.

    Raises:
        AudioError: the file is missing, unreadable, empty, silent or not finite, or the part
            lies outside it.
    """
    try:
        with path.open("rb") as stream, soundfile.SoundFile(stream) as file:
            rate = file.samplerate
            first = round((start or 0.0) * rate)
            last = file.frames if end is None else round(end * rate)
            if not 0 <= first < last <= file.frames + rate // 10:
                _refuse_part(path, first, last, file.frames, rate)
            file.seek(first)
            samples = file.read(last - first, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioError(f"{path}: cannot be read as audio ({error})") from error
    waveform = torch.from_numpy(samples).mean(dim=1)
    if not torch.isfinite(waveform).all():
        raise AudioError(f"{path}: holds values that are not finite")
    if waveform.abs().max() < SILENCE:
        raise AudioError(f"{path}: silent (peak below {SILENCE:g} of full scale)")
    return resample(waveform, rate, sample_rate) if rate != sample_rate else waveform


def _refuse_part(path: Path, first: int, last: int, frames: int, rate: int) -> None:
    if frames == 0:
        raise AudioError(f"{path}: empty (no samples)")
    raise AudioError(
        f"{path}: lasts {frames / rate:.2f} s, so the part from {first / rate:.2f} s "
        f"to {last / rate:.2f} s is not in it"
    )
