"""What a set looks and sounds like on the page."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from page_reports import EMOTIONS, SPEC, exhibit, plain_report
from PIL import Image

from evaluation.page.colours import palette
from evaluation.page.exhibit import Exhibit
from evaluation.page.gallery import ITEMS, PER_CLASS, gallery
from evaluation.page.page import html
from evaluation.page.picture import heat_map
from synth_data.errors import UserError
from synth_data.features import FeatureSpec


def content(uri: str) -> bytes:
    return base64.b64decode(uri.split(",", 1)[1])


def test_a_heat_map_has_low_bands_at_the_bottom() -> None:
    values = np.array([[-9.0, 0.0, 0.5], [1.0, 1.0, 9.0]])  # beyond the ends as the ends
    drawn = Image.open(io.BytesIO(content(heat_map(values, 0.0, 1.0, "x").source))).convert("RGB")
    dark, middle, bright = (tuple(palette()[step].tolist()) for step in (0, 128, 255))
    assert [drawn.getpixel((x, 1)) for x in range(3)] == [dark, dark, middle]
    assert [drawn.getpixel((x, 0)) for x in range(3)] == [bright] * 3


def test_the_gallery_shows_items_beside_means_and_plays_them() -> None:
    shown = exhibit()
    (room,) = gallery([shown])
    assert [shelf.emotion for shelf in room.shelves] == list(EMOTIONS)
    assert [shelf.mean is None for shelf in room.shelves] == [False] * 6 + [True]
    assert [len(shelf.items) for shelf in room.shelves] == [2] * 7
    assert room.shelves[0].items[1].label == "anger 2"
    features = shown.synthetic.features[0]
    alt = room.shelves[0].items[0].picture.alt
    assert f"to {float(features.max()):.1f}" in alt
    assert f"at {int(features.argmax()) % SPEC.frames * SPEC.hop:.1f} s" in alt
    sound = room.shelves[0].items[0].sound
    assert sound is not None
    waveform, rate = soundfile.read(io.BytesIO(content(sound)))
    assert rate == SPEC.sample_rate
    assert len(waveform) / rate == pytest.approx(SPEC.frames * SPEC.hop, abs=0.2)
    assert np.abs(waveform).max() > 0.1
    # What whoever made the set has to say of it stands beside it.
    assert room.remarks == shown.synthetic.provenance.notes != ()


def test_the_gallery_says_what_it_leaves_out() -> None:
    crowds = [exhibit("first", PER_CLASS + 2), exhibit("second", PER_CLASS + 2)]
    (alone,) = gallery(crowds[:1])
    assert [len(shelf.items) for shelf in alone.shelves] == [PER_CLASS] * 7
    assert alone.remarks[0].startswith("70 of 84 items are shown, the first 10 of each emotion")
    rooms = gallery(crowds)
    assert sum(len(shelf.items) for room in rooms for shelf in room.shelves) == 112 <= ITEMS


def test_soft_labels_are_shown() -> None:
    shown = exhibit(per_class=1)
    targets = 0.72 * torch.eye(7) + 0.04
    soft = replace(shown.synthetic, targets=targets)
    (room,) = gallery([Exhibit("soft", soft, shown.means)])
    assert room.shelves[0].items[0].label == "anger 1 (labelled 76 %)"


def test_features_that_cannot_be_heard_are_still_seen() -> None:
    shown = exhibit(per_class=1)
    gaps = replace(shown.synthetic, spec=FeatureSpec(mels=16, frames=40, hop=0.02))
    (room,) = gallery([Exhibit("gaps", gaps, shown.means)])
    assert {item.sound for shelf in room.shelves for item in shelf.items} == {None}
    assert "There is no sound: features with a window of 0.025 s" in room.remarks[0]
    page = html(plain_report(), [Exhibit("gaps", gaps, shown.means)])
    assert page.count("<img ") == 14  # six means, seven items, one colour scale
    assert "<audio" not in page


@pytest.mark.parametrize("means", [[None] * 6, [torch.zeros(3, 4), *[None] * 6]])
def test_means_must_be_those_of_the_set(means: list[torch.Tensor | None]) -> None:
    with pytest.raises(UserError, match=r"one class mean \(or None\) for each of 7 emotions"):
        Exhibit("wrong", exhibit().synthetic, means)
