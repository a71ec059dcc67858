"""Pictures and sounds inside the page, as data URIs."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

from evaluation.page.colours import palette


@dataclass(frozen=True)
class Picture:
    """A picture with what it shows in words.

    Attributes:
        source: a data URI.
        alt: for those who cannot see it, with the main numbers.
        width: in CSS pixels, at its natural size; `height` likewise.
    """

    source: str
    alt: str
    width: int
    height: int


def data_uri(content: bytes, media_type: str) -> str:
    """The content as an address.

    >>> data_uri(b"hm", "text/plain")
    'data:text/plain;base64,aG0='
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def heat_map(values: Float[np.ndarray, "row column"], low: float, high: float, alt: str) -> Picture:
    """A pixel per value, the first row at the bottom.

    Args:
        values: outside of [low, high] they are drawn as its ends.
        low: drawn in the darkest colour.
        high: drawn in the brightest.
        alt: in words.
    """
    share = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    # With a palette a pixel takes one byte, not three.
    picture = Image.fromarray(np.round(255 * share[::-1]).astype(np.uint8), mode="L")
    picture.putpalette(palette().tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return Picture(data_uri(file.getvalue(), "image/png"), alt, picture.width, picture.height)
