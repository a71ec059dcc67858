"""Log-mel features -> sound, so that a synthetic item can be listened to.

Mel power -> power spectrogram by Richardson-Lucy updates (Lee and Seung, 2001, for the
Kullback-Leibler divergence), which stay positive: the lowest filters hold one or two frequencies
each and hardly differ, so that least squares (torchaudio's `InverseMelScale`) answers with large
positive and negative values and loses the latter. Then the phase by fast Griffin-Lim (Perraudin,
Balazs and Søndergaard, 2013).

Features with normalisation "utterance" lack each band's mean and their overall deviation. Two
assumptions stand in for them: the spectrum of average speech, of many talkers in many languages
(`AVERAGE_SPEECH`, up to a constant), and one typical deviation (`DEVIATION`). So timbre and level
are the average's, not the speaker's; only the modulation over time and frequency is the item's.
"""

import io
from collections.abc import Sequence

import numpy as np
import soundfile
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from synth_data.errors import UserError
from synth_data.features import FeatureSpec
from synth_data.pure_torchaudio import torchaudio
from synth_data.transforms import Transform

# Long-term average speech spectrum: level in dB of each one-third octave band by its centre in
# Hz, 13 languages, women and men, 70 dB in all. Byrne et al., "An international comparison of
# long-term average speech spectra", J. Acoust. Soc. Am. 96(4), 1994, doi:10.1121/1.410152.
AVERAGE_SPEECH = {
    63: 38.6, 80: 43.5, 100: 54.4, 125: 57.7, 160: 56.8, 200: 60.2, 250: 60.3, 315: 59.0,
    400: 62.1, 500: 62.1, 630: 60.5, 800: 56.8, 1_000: 53.7, 1_250: 53.0, 1_600: 52.0,
    2_000: 48.7, 2_500: 48.1, 3_150: 46.8, 4_000: 45.6, 5_000: 44.5, 6_300: 44.3, 8_000: 43.7,
    10_000: 43.4, 12_500: 41.3, 16_000: 40.7,
}  # fmt: skip

DEVIATION = 3.7  # nats, of log-mel bands about their means: found in EmoDB and in RAVDESS alike
UNMIXING = 20  # updates from mel bands to frequencies
ITERATIONS = 32  # of Griffin-Lim
MOMENTUM = 0.99  # as its authors recommend
PEAK = 10 ** (-3 / 20)  # -3 dB of full scale

MP3_RATES = frozenset({8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000})


def average_speech(hertz: Float[Tensor, " frequency"]) -> Float[Tensor, " frequency"]:
    """The power density of average speech, up to a constant; below 63 Hz as at 63 Hz.

    Args:
        hertz: frequencies, 0 or more.

    Returns:
        Power per Hz, interpolated in dB over the logarithm of the frequency.

    >>> low, high = average_speech(torch.tensor([500.0, 4_000.0]))
    >>> round(float(10 * (low / high).log10()), 1)  # 16.5 in the table; the band is 8 times as wide
    25.5
    """
    centres = np.array(list(AVERAGE_SPEECH), dtype=float)
    widths = centres * (2 ** (1 / 6) - 2 ** (-1 / 6))
    density = np.array(list(AVERAGE_SPEECH.values())) - 10 * np.log10(widths)
    octaves = np.log2(hertz.double().clamp_min(1.0).numpy())
    return torch.from_numpy(10 ** (np.interp(octaves, np.log2(centres), density) / 10)).to(hertz)


def restored(
    features: Float[Tensor, "n mel frame"], transforms: Sequence[Transform]
) -> Float[Tensor, "n mel frame"]:
    """A set's features before its transforms: what its feature recipe gives for a waveform."""
    for transform in reversed(transforms):
        features = transform.inverse(features)
    return features


def waveform(
    item: Float[Tensor, "mel frame"], spec: FeatureSpec, generator: torch.Generator
) -> Float[Tensor, " sample"]:
    """The sound of one item: `waveforms` of a batch of one."""
    return waveforms(item[None], spec, generator)[0]


def waveforms(
    items: Float[Tensor, "n mel frame"], spec: FeatureSpec, generator: torch.Generator
) -> Float[Tensor, "n sample"]:
    """The sounds of items, each with its peak at -3 dB of full scale.

    Args:
        items: as the recipe gives them: after the set's transforms were undone (`restored`).
        spec: the recipe.
        generator: of the phases that Griffin-Lim starts from.

    Returns:
        At `spec.sample_rate`; a hop of samples per frame.

    Raises:
        UserError: the recipe's hop is longer than half its window.
    """
    window, hop = round(spec.window * spec.sample_rate), round(spec.hop * spec.sample_rate)
    if 2 * hop > window:
        raise UserError(
            f"features with a window of {spec.window:g} s and a hop of {spec.hop:g} s leave gaps, "
            f"so they cannot be made into sound; that needs a hop of at most half the window"
        )
    filters = torchaudio.functional.melscale_fbanks(
        window // 2 + 1, spec.f_min, spec.f_max, spec.mels, spec.sample_rate
    )
    log_mel = items.detach().cpu().double()  # whatever finite values: they cannot overflow
    if spec.normalisation == "utterance":
        bins = torch.linspace(0, spec.sample_rate / 2, window // 2 + 1)
        average = (average_speech(bins) @ filters).clamp_min(1e-10)  # a filter may be empty
        log_mel = DEVIATION * log_mel + average.log()[:, None]
    mel = (log_mel - log_mel.amax(dim=(1, 2), keepdim=True)).exp().float()
    # A few more frames, cut off again, since the last half window of a transform is lost.
    power = _unmixed(pad(mel, (0, window // hop + 2), mode="replicate"), filters)
    with torch.random.fork_rng(devices=[]):  # torchaudio draws from the global generator
        torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        sounds = torchaudio.functional.griffinlim(
            power,
            window=torch.hann_window(window),
            n_fft=window,
            hop_length=hop,
            win_length=window,
            power=2.0,
            n_iter=ITERATIONS,
            momentum=MOMENTUM,
            length=None,
            rand_init=True,
        )[:, : items.shape[2] * hop]
    return sounds * (PEAK / sounds.abs().amax(dim=1, keepdim=True).clamp_min(1e-20))


def encoded(waveform: Float[Tensor, " sample"], rate: int) -> tuple[bytes, str]:
    """A small sound file for a web page.

    Args:
        waveform: full scale is 1.
        rate: in Hz.

    Returns:
        The file's content and its media type: MP3, which every browser plays, or 16-bit WAV where
        libsndfile is older than 1.1 or MP3 knows no such rate.
    """
    mp3 = rate in MP3_RATES and "MP3" in soundfile.available_formats()
    file = io.BytesIO()
    soundfile.write(
        file,
        waveform.numpy(),
        rate,
        format="MP3" if mp3 else "WAV",
        subtype="MPEG_LAYER_III" if mp3 else "PCM_16",
    )
    return file.getvalue(), "audio/mpeg" if mp3 else "audio/wav"


def _unmixed(
    mel: Float[Tensor, "n mel frame"], filters: Float[Tensor, "frequency mel"]
) -> Float[Tensor, "n frequency frame"]:
    """A power spectrogram that the filters turn into this mel power, nearly."""
    tiny = 1e-20
    shares = filters / filters.sum(dim=1, keepdim=True).clamp_min(tiny)
    power = mel.mean(dim=1, keepdim=True).expand(-1, len(filters), -1)
    for _ in range(UNMIXING):
        power = power * (shares @ (mel / (filters.T @ power).clamp_min(tiny)))
    return power
