"""What a representation of speech is: an utterance -> a tensor `[mel, frame]`.

The first axis is called mel throughout the package, whatever a representation has there: mel bands,
the numbers of an encoder's layer, functionals. One that describes an utterance as a whole has a
single frame.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from synth_data.errors import UserError
from synth_data.utterance import Utterance

MOST_NUMBERS, MOST_FRAMES = 65_536, 1_000_000  # that a recipe from a foreign file may ask for
Number = int | float
Limits = Mapping[str, tuple[Number, Number, Number]]


class Representation(ABC):
    """A recipe, complete: the same utterance gives the same tensor anywhere.

    Those below are frozen dataclasses, whose fields are what travels with a set.

    Attributes:
        licence: of what computes it, where that asks something of whoever uses the result.
        libraries: that decide the numbers, beside torch and those that read audio.
        slow: whether it is worth a process per core for few utterances.
        hears: whether it depends on how an utterance sounds.
    """

    licence: ClassVar[str] = ""
    libraries: ClassVar[tuple[str, ...]] = ()
    slow: ClassVar[bool] = False
    hears: ClassVar[bool] = True

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(mel, frame) of one utterance."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is called in reports."""

    @property
    def mels(self) -> int:
        """Numbers in a frame."""
        return self.shape[0]

    @property
    def frames(self) -> int:
        """One where an utterance is described as a whole."""
        return self.shape[1]

    @property
    def hop(self) -> float | None:
        """Seconds from frame to frame; None where frames are no stretches of time."""
        return None

    @property
    def normalisation(self) -> Literal["utterance", "training"]:
        """By what numbers are brought to one scale: the utterance itself, or training statistics.

        These are asked at the door and stored with the set (`transforms.Standardise`).
        """
        return "training"

    @property
    def parts(self) -> "tuple[Representation, ...]":
        """What it is put together of: itself, but for a fusion."""
        return (self,)

    @property
    def needs(self) -> str:
        """The encoder that it is computed with, by name; empty where there is none."""
        return ""

    def digest(self) -> str:
        """Eight bytes, as hexadecimal, that name this recipe in caches and manifests."""
        return hashlib.sha256(json.dumps(self.settings(), sort_keys=True).encode()).hexdigest()[:16]

    def settings(self) -> dict[str, Any]:
        """Every field by name."""
        return asdict(self)  # type: ignore[call-overload]

    @abstractmethod
    def of(self, utterance: Utterance) -> Float[Tensor, "mel frame"]:
        """The features of one utterance, float32.

        Raises:
            AudioError: its speech cannot be used.
            UserError: what computes it is not here.
        """

    @abstractmethod
    def limits(self) -> Limits:
        """Of each number in the recipe the least, what it is, and the most that can be used."""

    @abstractmethod
    def snippet(self) -> str:
        """The same in Python without this package: from `waveform` or `text` to `features`."""

    def lacks(self, utterance: Utterance) -> str | None:  # noqa: ARG002 - most need speech alone
        """What an utterance has not got that is needed; None if all is there."""
        return None

    def require_here(self) -> None:  # noqa: B027 - most need nothing else
        """Raises `UserError` if this machine lacks what computes it."""

    def seconds_per_frame(self, for_what: str) -> float:
        """`hop`, where there is one.

        Args:
            for_what: needs it, as the error says.

        Raises:
            UserError: frames are no stretches of time.
        """
        if self.hop is None or self.frames < 2:
            raise UserError(
                f"{for_what} needs features that go along time, and {self.title} describes an "
                f"utterance as a whole: use another --feature, such as logmel64"
            )
        return self.hop


class OfSpeech(Representation):
    """One that is computed from a waveform."""

    sample_rate: int  # in Hz

    @abstractmethod
    def __call__(self, waveform: Float[Tensor, " sample"]) -> Float[Tensor, "mel frame"]:
        """The features of a waveform, float32."""

    def of(self, utterance: Utterance) -> Float[Tensor, "mel frame"]:
        return self(utterance.audio.waveform(self.sample_rate))


FIT_LENGTH = """\
features = {name}.repeat(1, -(-{frames} // {name}.shape[1]))  # a short one is repeated,
first = ({name}.shape[1] - {frames}) // 2  # and of a long one the middle is kept
features = features[:, max(first, 0) : max(first, 0) + {frames}]"""


def fit_length(features: Float[Tensor, "mel any"], frames: int) -> Float[Tensor, "mel frame"]:
    """The middle; a shorter one is repeated, so that no artificial silence tells its length."""
    length = features.shape[1]
    if length < frames:
        return features.repeat(1, -(-frames // length))[:, :frames].contiguous()
    first = (length - frames) // 2
    return features[:, first : first + frames].contiguous()


def long_enough(waveform: Float[Tensor, " sample"], shortest: int) -> Float[Tensor, " longer"]:
    """A waveform of so many samples at least, repeated if need be."""
    if waveform.shape[0] >= shortest:
        return waveform
    return waveform.repeat(-(-shortest // waveform.shape[0]))
