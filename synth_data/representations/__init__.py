"""What speech is turned into before anything is learned from it, by name: `--feature`.

A name is that of a preset; or a kind of encoder, a colon, a folder or a name on the Hugging Face
hub, and options after commas; or several of these with + between them:

    logmel64    egemaps    wav2vec2:facebook/wav2vec2-base-960h,layer=6,pool=sequence    a+b
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Annotated

from pydantic import Discriminator, Tag

from synth_data.errors import UserError, unknown_name
from synth_data.features import FEATURES
from synth_data.representation import Representation
from synth_data.representations import encoder, text
from synth_data.representations.egemaps import Egemaps
from synth_data.representations.fusion import Fusion
from synth_data.representations.kaldi import KaldiFilterbank
from synth_data.representations.kinds import Kinds, Single, kind_of

__all__ = ["HELP", "OPENED", "PRESETS", "Fusion", "Recorded", "Single", "known_feature", "name_of"]

PRESETS: dict[str, Single] = {
    **FEATURES,
    "fbank80": KaldiFilterbank(),
    "egemaps": Egemaps(),
    "egemaps-lld": Egemaps(level="descriptors", frames=300),
}
# From what stands behind the colon, and the options, to a representation.
OPENED: dict[str, Callable[[str, Mapping[str, str]], Single]] = {
    "hubert": partial(encoder.opened, "hubert"),
    "wav2vec2": partial(encoder.opened, "wav2vec2"),
    "wavlm": partial(encoder.opened, "wavlm"),
    "text": text.opened,
}
HELP = (
    f"{', '.join(PRESETS)}; {', '.join(f'{kind}:FOLDER' for kind in OPENED)} (or a name on the "
    f"Hugging Face hub), with options such as ,layer=6,pool=sequence; several with + between them"
)
# As a manifest records it.
Recorded = Annotated[Kinds | Annotated[Fusion, Tag("fusion")], Discriminator(kind_of)]


@lru_cache
def known_feature(words: str) -> Representation:
    """The representation that the words name.

    Raises:
        UserError: there is no such, an option of it is wrong, or this machine lacks what computes
            it.
    """
    *first, last = re.split(rf"\+(?=(?:{'|'.join([*PRESETS, *OPENED])})\b)", words)
    parts = tuple(_single(part) for part in (*first, last))
    for part in parts:
        part.require_here()
    if len(parts) == 1:
        return parts[0]
    fusion = Fusion(parts)
    for name, (least, value, most) in fusion.limits().items():
        if not least <= value <= most:
            raise UserError(f"{words}: {name}: {value:g}, allowed is {least:g} to {most:g}")
    return fusion


def name_of(spec: Representation) -> str:
    """What reports call a representation: the preset's name, or its title."""
    names = (name for name, preset in PRESETS.items() if preset == spec)
    return next(names, spec.title)


def _single(words: str) -> Single:
    kind, colon, rest = words.partition(":")
    if not colon:
        if words not in PRESETS:
            raise unknown_name("feature", words, [*PRESETS, *(f"{kind}:..." for kind in OPENED)])
        return PRESETS[words]
    if kind not in OPENED:
        raise unknown_name("kind of feature", kind, OPENED)
    where, *options = re.split(r",(?=\w+=)", rest)
    if not where:
        raise UserError(
            f"{words!r} names no encoder: give {kind}:FOLDER, or {kind}:NAME with a name on the "
            f"Hugging Face hub"
        )
    given: dict[str, str] = {}
    for option in options:
        name, _, value = option.partition("=")
        if name in given:
            raise UserError(f"{words!r} says {name} twice: say it once")
        given[name] = value
    return OPENED[kind](where, given)
