"""What a set looks and sounds like: its log-mels beside the real class means, and as sound.

All pictures of a set share one colour scale. A sound is made of the item alone, by
`synth_data.inversion`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from evaluation.page.exhibit import Exhibit
from evaluation.page.picture import Picture, data_uri, heat_map
from evaluation.page.wording import MINUS
from evaluation.page.wording import count as counted
from synth_data.errors import UserError
from synth_data.features import FeatureSpec
from synth_data.inversion import encoded, restored, waveforms
from synth_data.randomness import generator
from synth_data.task import Task

PER_CLASS = 10  # items shown of each emotion
ITEMS = 120  # on the page: about 50 kB each


@dataclass(frozen=True)
class Item:
    """A synthetic item: its label, its picture, and its sound (a data URI) where there is one."""

    label: str
    picture: Picture
    sound: str | None


@dataclass(frozen=True)
class Shelf:
    """The items of one emotion, or cell, and the mean of the real utterances they stand for."""

    emotion: str
    mean: Picture | None
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Room:
    """A set in the gallery.

    Attributes:
        name: of the set.
        shelves: by emotion.
        scale: of the colours, from low to high; `low` and `high` are its ends, printed.
        axes: what the pictures' sides stand for.
        remarks: what is left out and why, and the notes of whoever made the set.
    """

    name: str
    shelves: tuple[Shelf, ...]
    scale: Picture
    low: str
    high: str
    axes: str
    remarks: tuple[str, ...]


def gallery(exhibits: Sequence[Exhibit]) -> list[Room]:
    """A room per set; of each emotion the first items, as many as the page has space for."""
    return [_room(exhibit, _limit(exhibits)) for exhibit in exhibits]


def _limit(exhibits: Sequence[Exhibit]) -> int:
    """Items of each emotion that are shown: as many as fit, and at least one."""
    counts = [count for exhibit in exhibits for count in exhibit.synthetic.per_class.values()]
    for limit in range(PER_CLASS, 1, -1):
        if sum(min(limit, count) for count in counts) <= ITEMS:
            return limit
    return 1


def _room(exhibit: Exhibit, limit: int) -> Room:
    synthetic = exhibit.synthetic
    task = synthetic.task
    groups = task.group_of(synthetic.targets)
    rows = [(groups == g).nonzero()[:limit, 0].tolist() for g in range(len(task.groups))]
    shown = [row for of_one in rows for row in of_one]
    means = [mean for mean in exhibit.means if mean is not None]
    low, high = _ends(torch.cat([synthetic.features[shown], *(mean[None] for mean in means)]))
    sounds, remarks = _sounds(exhibit, shown)
    if len(shown) < len(synthetic):
        remarks.insert(
            0,
            f"{len(shown)} of {counted(len(synthetic), 'item')} are shown, the first "
            f"{limit} of each {'cell' if task.dimensions else 'emotion'}, so that this file stays "
            f"small.",
        )

    def shelf(c: int, emotion: str) -> Shelf:
        mean = exhibit.means[c]
        items = []
        for number, row in enumerate(rows[c], start=1):
            label = f"{emotion} {number}{_label(task, synthetic.targets[row])}"
            alt = f"Synthetic item {label}: {_in_words(synthetic.features[row], synthetic.spec)}"
            picture = heat_map(synthetic.features[row].numpy(), low, high, alt)
            items.append(Item(label, picture, sounds.get(row)))
        shown_mean = None
        if mean is not None:
            alt = f"Mean of the real utterances of {emotion}: {_in_words(mean, synthetic.spec)}"
            shown_mean = heat_map(mean.numpy(), low, high, alt)
        return Shelf(emotion, shown_mean, tuple(items))

    spec = synthetic.spec
    ramp = torch.linspace(low, high, 256)[None].numpy()
    ends = _number(low), _number(high)
    return Room(
        name=exhibit.name,
        shelves=tuple(shelf(c, emotion) for c, emotion in enumerate(task.groups)),
        scale=heat_map(
            ramp, low, high, f"Colour scale from {ends[0]} (dark) to {ends[1]} (bright)"
        ),
        low=ends[0],
        high=ends[1],
        axes=(
            f"{spec.frames * spec.hop:.1f} s from left to right; {spec.mels} mel bands from "
            f"{spec.f_min:,.0f} Hz at the bottom to {spec.f_max:,.0f} Hz at the top"
        ),
        remarks=(*remarks, *synthetic.provenance.notes),
    )


def _ends(values: Float[Tensor, "n mel frame"]) -> tuple[float, float]:
    """A colour scale for all but the rarest values, which would leave the rest one colour."""
    ordered = values.flatten().sort().values
    cut = len(ordered) // 1000
    return float(ordered[cut]), float(ordered[-1 - cut])


def _sounds(exhibit: Exhibit, rows: Sequence[int]) -> tuple[dict[int, str], list[str]]:
    """Data URIs of the items' sounds; or none, and why."""
    synthetic = exhibit.synthetic
    features = restored(synthetic.features[list(rows)], synthetic.transforms)
    try:
        sounds = waveforms(features, synthetic.spec, generator(0, "gallery"))
    except UserError as reason:
        return {}, [f"There is no sound: {reason}."]
    rate = synthetic.spec.sample_rate
    return {
        row: data_uri(*encoded(sound, rate)) for row, sound in zip(rows, sounds, strict=True)
    }, []


def _label(task: Task, target: Float[Tensor, " column"]) -> str:
    """What an item tells of dimensions; or its largest share, where its label is soft."""
    if task.dimensions:
        values = task.on_scale(task.numbers(target[None]))[0].tolist()
        named = zip(task.dimensions, values, strict=True)
        return f" ({', '.join(f'{name} {_number(value)}' for name, value in named)})"
    top = float(target.max())
    return "" if top == 1 else f" (labelled {100 * top:.0f} %)"


def _in_words(values: Float[Tensor, "mel frame"], spec: FeatureSpec) -> str:
    """Range and loudest place."""
    band, frame = divmod(int(values.argmax()), values.shape[1])
    return (
        f"log-mel values from {_number(float(values.min()))} to {_number(float(values.max()))}, "
        f"the highest at {frame * spec.hop:.1f} s near {_centre(band, spec):,.0f} Hz."
    )


def _centre(band: int, spec: FeatureSpec) -> float:
    """Of a mel band, in Hz."""
    low, high = (2595 * torch.log10(torch.tensor(1 + f / 700)) for f in (spec.f_min, spec.f_max))
    mel = low + (high - low) * (band + 1) / (spec.mels + 1)
    return float(700 * (10 ** (mel / 2595) - 1))


def _number(value: float) -> str:
    return f"{value:.1f}".replace("-", MINUS)
