"""What teachers say of a corpus, computed once and kept beside the cached features."""

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib.metadata import version
from inspect import getsource
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import avg_pool1d

from evaluation.systems import encoders, opened, sequences, text_encoders
from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.sequences import Ragged
from evaluation.systems.text_encoders import TextEncoder
from synth_data import features
from synth_data.feature_cache import default_folder
from synth_data.features import FeatureSpec
from synth_data.progress import SILENT, Progress
from synth_data.real import RealSet
from synth_data.representations import encoder, loading, text
from synth_data.utterance import Utterance

log = logging.getLogger(__name__)

# Code that decides the numbers, this among it.
CODE = (
    *(sys.modules[__name__], sequences, opened, encoders, text_encoders),
    *(features, encoder, loading, text),
)
SECONDS = "seconds"  # beside what is kept: how long it took
TOGETHER = 2  # frames of a speech encoder whose mean is one of a sequence: 25 a second, of 50


@dataclass(frozen=True)
class StateCache:
    """Where what teachers say is kept.

    Attributes:
        folder: made when something is first kept; one that cannot be written is done without.
        progress: shown while a teacher listens.
        waited: by the name of what was asked for here, the seconds that it took before, and not
            now; 0 of what was computed here.
    """

    folder: Path
    progress: Progress = SILENT
    waited: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of_this_machine(cls, progress: Progress = SILENT) -> "StateCache":
        """Beside the cached features."""
        return cls(default_folder().parent / "states", progress)

    @property
    def spared(self) -> float:
        """Seconds that what was asked for took before, each thing once."""
        return sum(self.waited.values(), 0.0)

    def pooled(
        self, teacher: SpeechEncoder | TextEncoder, real: RealSet
    ) -> Float[Tensor, "n state statistic"]:
        """Mean and deviation along each utterance of every layer's states."""

        def summary() -> dict[str, Tensor]:
            return {"states": summed_up(teacher, real.utterances, self.progress)}

        return self._kept(self._name("pooled", teacher, real), summary)["states"]

    def sequences(self, teacher: SpeechEncoder, real: RealSet, layers: Sequence[int]) -> Ragged:
        """Some layers' states, one beside the other, in half precision."""

        def sequence() -> dict[str, Tensor]:
            found = []
            for one in self.progress(real.utterances, unit="utterance"):
                states = teacher.states(one)
                beside = states[list(layers)].permute(0, 2, 1).flatten(0, 1)  # [layer dim, frame]
                found.append(avg_pool1d(beside, TOGETHER, ceil_mode=True).T.half())
            of_all = Ragged.of(found)
            return {"frames": of_all.frames, "lengths": of_all.lengths}

        what = f"layers {', '.join(map(str, layers))}"
        kept = self._kept(self._name(what, teacher, real), sequence)
        return Ragged(kept["frames"], kept["lengths"])

    def low_level(self, real: RealSet) -> Ragged:
        """The features of the corpus' recipe, but each utterance at its own length."""
        spec = real.spec
        assert isinstance(spec, FeatureSpec)  # as systems load corpora

        def found_features() -> dict[str, Tensor]:
            found = []
            for one in self.progress(real.utterances, unit="utterance"):
                waveform = encoder.middle(one.audio.waveform(spec.sample_rate), spec.sample_rate)
                frames = 1 + len(waveform) // round(spec.hop * spec.sample_rate)
                found.append(replace(spec, frames=frames)(waveform).T.half())
            of_all = Ragged.of(found)
            return {"frames": of_all.frames, "lengths": of_all.lengths}

        kept = self._kept(self._name(repr(real.spec), None, real), found_features)
        return Ragged(kept["frames"], kept["lengths"])

    def _name(self, what: str, teacher: SpeechEncoder | TextEncoder | None, real: RealSet) -> str:
        """Everything that decides the numbers is part of it."""
        words = [one.text for one in real.utterances] if isinstance(teacher, TextEncoder) else []
        names = [one.name for one in real.utterances]
        software = [f"{one} {version(one)}" for one in ("torch", "transformers")]
        code = [getsource(module) for module in CODE]
        who = teacher.digest if teacher else None
        parts = (what, who, real.digest, names, words, software, code)
        return sha256(repr(parts).encode()).hexdigest()[:32]

    def _kept(self, name: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        file = self.folder / f"{name}.safetensors"
        try:
            found, seconds = _read(file)
            self.waited.setdefault(name, seconds)
            return found
        except FileNotFoundError:
            pass
        except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
            log.warning("%s is damaged and made again: %s", file, error)
        began = time.perf_counter()
        found = compute()
        seconds = time.perf_counter() - began
        self.waited.setdefault(name, 0.0)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, part = tempfile.mkstemp(dir=self.folder, suffix=".part")
            os.close(handle)
            try:
                save_file(found, part, {SECONDS: repr(seconds)})
                Path(part).replace(file)
            finally:
                Path(part).unlink(missing_ok=True)
        except (OSError, SafetensorError) as error:
            log.warning("states are not kept in %s: %s", self.folder, error)
        return found


def _read(file: Path) -> tuple[dict[str, Tensor], float]:
    """What is kept, and the seconds that it took."""
    with safe_open(file, "pt") as kept:
        return load_file(file), float(kept.metadata()[SECONDS])


def summed_up(
    encoder: SpeechEncoder | TextEncoder, utterances: Sequence[Utterance], progress: Progress
) -> Float[Tensor, "n state statistic"]:
    """Mean and deviation along each utterance of every layer's states, computed now."""
    found = []
    for one in progress(utterances, unit="utterance"):
        states = encoder.states(one)
        found.append(torch.cat([states.mean(dim=1), states.std(dim=1, correction=0)], dim=1))
    return torch.stack(found)
