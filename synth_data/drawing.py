"""More items than a set has, from the decoder that makes them: the set as a generator.

A decoder turns any code into an item (`synth_data.decoder`), so whoever has a set of this kind can
draw more, with the classes balanced, as Ritter-Gutierrez et al. 2024 do ("Dataset-distillation
generative model for speech emotion recognition"). Codes of their generator are normal noise; here
they are learned, and a new one mixes those c and c' of two items that are drawn from a class, with
replacement, as does its label:

    code = m + sqrt(w) (c - m) + sqrt(1 - w) (c' - m),    label = w y + (1 - w) y',

where m is the mean over the class and w uniform in [0, 1]. So new codes have the mean and the
spread of the class' own, on average; plain means of two would have less. No recording is asked
anything for it, so a guarantee stays what it was.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synth_data.decoder import Decoder
from synth_data.errors import SetError
from synth_data.set_tensors import LARGEST

OF_THE_OTHER = "of the set that it was drawn from: "


def require_drawable(
    codec: object, per_class: int, classes: int, mels: int, frames: int
) -> Decoder:
    """The decoder of a set that so many items of each class can be drawn from.

    Args:
        codec: how the set's items are stored; None as they are.
        per_class: items of each class that are asked for.
        classes: emotions, or cells of the label space.
        mels: of an item.
        frames: of an item.

    Raises:
        SetError: no decoder makes its items, or they would be no item or more than a set can hold.
    """
    if not isinstance(codec, Decoder):
        raise SetError(
            "items are drawn by a set's decoder, and this set stores its items: make one with "
            '`decoder = "generator"` under [parameterisation] (distill-data --config)'
        )
    most = LARGEST // (classes * max(mels, codec.width) * frames)  # as sets are read
    if not 1 <= per_class <= most:
        raise SetError(f"from 1 to {most:,} items of each class can be drawn; found {per_class}")
    return codec


def mixed(
    codes: Float[Tensor, "n code"],
    targets: Float[Tensor, "n column"],
    classes: Int[Tensor, " n"],
    per_class: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "m code"], Float[Tensor, "m column"], Int[Tensor, " m"]]:
    """Codes that mix two of a class, as many of each class, with their targets and classes.

    Args:
        codes: of a set's items.
        targets: of the same; where one of two is NaN, the other's counts alone.
        classes: that the items were made for, whatever their targets say.
        per_class: new items of each class.
        generator: of what is drawn.

    Raises:
        SetError: a class has one item only, of which all mixtures are the same.
    """
    made = []
    for own in classes.unique().tolist():
        (rows,) = torch.where(classes == own)
        if len(rows) < 2:
            raise SetError(
                "new items mix two of a class, and one class of this set has a single item: make "
                "the set with a larger --ipc"
            )
        one, other = rows[torch.randint(len(rows), (2, per_class), generator=generator)]
        weight = torch.rand(per_class, 1, generator=generator)
        middle = codes[rows].mean(dim=0)
        code = middle + weight.sqrt() * (codes[one] - middle)
        code = code + (1 - weight).sqrt() * (codes[other] - middle)
        said = torch.lerp(targets[other], targets[one], weight)
        said = said.where(~targets[one].isnan(), targets[other])
        said = said.where(~targets[other].isnan(), targets[one])
        made.append((code, said, torch.full((per_class,), own)))
    new, targets_of, classes_of = (torch.cat(parts) for parts in zip(*made, strict=True))
    return new, targets_of, classes_of


def drawn_notes(
    per_class: int, before: int, digest: str, seed: int, notes: Sequence[str], schedule_lost: bool
) -> tuple[str, ...]:
    """What a reader of drawn items must know of them.

    Args:
        per_class: items of each class.
        before: items of the set whose decoder drew them.
        digest: SHA-256 of that set's tensors.
        seed: of what was drawn.
        notes: of that set.
        schedule_lost: whether it has a native schedule.
    """
    lost = "; the native schedule of that set is for its own items, and is left out"
    drawn = (
        f"its items, {per_class} of each class, were drawn with seed {seed} by the decoder of a "
        f"set of {before} items (whose set.safetensors has the SHA-256 {digest}): each code mixes "
        f"two of that set's, as does each label{lost if schedule_lost else ''}"
    )
    return (*(f"{OF_THE_OTHER}{note.removeprefix(OF_THE_OTHER)}" for note in notes), drawn)
