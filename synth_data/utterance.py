"""One utterance of a corpus: where its speech is and what was annotated."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TypedDict

from jaxtyping import Float
from torch import Tensor

from synth_data import audio


class Source(ABC):
    """Where an utterance's speech comes from."""

    @abstractmethod
    def waveform(self, sample_rate: int) -> Float[Tensor, " sample"]:
        """The speech, mono float32 at `sample_rate` Hz.

        Raises:
            AudioError: it cannot be read, or is empty, silent or not finite.
        """

    @abstractmethod
    def digest(self) -> bytes:
        """A digest of the speech: two sources with one digest sound the same."""


@dataclass(frozen=True)
class AudioFile(Source):
    """A file, or the part of it between two times in seconds."""

    path: Path
    start: float | None = None
    end: float | None = None

    def waveform(self, sample_rate: int) -> Float[Tensor, " sample"]:
        return audio.read(self.path, sample_rate, start=self.start, end=self.end)

    def digest(self) -> bytes:
        found = self.path.stat()
        file = _file_digest(self.path, found.st_size, found.st_mtime_ns)
        return sha256(file + f"{self.start} {self.end}".encode()).digest()


@lru_cache(maxsize=65_536)
def _file_digest(path: Path, size: int, modified: int) -> bytes:  # noqa: ARG001 - keys
    """Of a file's content, read once for all the parts that are taken from it."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").digest()


class Ratings(TypedDict):
    """The dimensions of an utterance, on the corpus' own scale."""

    valence: float
    activation: float
    dominance: float


UNKNOWN = "unknown: "  # how a speaker's name begins who may be anybody; the utterance's follows


@dataclass(frozen=True)
class Utterance:
    """A row of a corpus: speech, emotion and speaker.

    Attributes:
        name: unique within the corpus.
        audio: where the speech is.
        emotion: one of the corpus' emotions; any other is not told.
        speaker: unique within the corpus.
        session: the recording session, where the corpus has sessions.
        gender: "female" or "male", where it is known.
        split: the side that the corpus lists, where it does: "train", "validation", "test", or
            several tests by name.
        valence: on the corpus' own scale; `activation` and `dominance` likewise.
        place: where its label stands, as errors name it.
        text: the transcript, where there is one.
    """

    name: str
    audio: Source
    emotion: str
    speaker: str
    session: str | None = None
    gender: str | None = None
    split: str | None = None
    valence: float | None = None
    activation: float | None = None
    dominance: float | None = None
    text: str | None = None
    place: str | None = None

    @property
    def of_unknown_speaker(self) -> bool:
        """Whether nobody knows who speaks: then the speaker's name is for this utterance alone."""
        return self.speaker.startswith(UNKNOWN)
