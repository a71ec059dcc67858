"""The kinds of representation that stand for themselves, as manifests tell them apart."""

from typing import Annotated

from pydantic import Discriminator, Tag

from synth_data.features import FeatureSpec
from synth_data.representations.egemaps import Egemaps
from synth_data.representations.encoder import SpeechEncoder
from synth_data.representations.kaldi import KaldiFilterbank
from synth_data.representations.text import TextEncoder

LOG_MEL = "log-mel"  # which says no kind: sets were written before there were others


def kind_of(value: object) -> str | None:
    """The kind that a recipe, or its entry in a manifest, says it is."""
    kind = value.get("kind", LOG_MEL) if isinstance(value, dict) else _own(value)
    return kind if isinstance(kind, str) else None


def _own(value: object) -> object:
    return getattr(value, "kind", LOG_MEL)


Kinds = (
    Annotated[FeatureSpec, Tag(LOG_MEL)]
    | Annotated[KaldiFilterbank, Tag("fbank")]
    | Annotated[Egemaps, Tag("egemaps")]
    | Annotated[SpeechEncoder, Tag("speech encoder")]
    | Annotated[TextEncoder, Tag("text encoder")]
)
Single = Annotated[Kinds, Discriminator(kind_of)]
