"""More items than a set has, from the decoder that makes them: the set as a generator.

A decoder turns any code into an item (`synth_data.decoder`), so whoever has a set of this kind can
draw as many as they like, with the classes balanced, as Ritter-Gutierrez et al. 2024 do
("Dataset-distillation generative model for speech emotion recognition"). Codes of their generator
are normal noise; here they are learned, and new ones lie between two of the same class:

    code = m + sqrt(w) (c - m) + sqrt(1 - w) (c' - m),    label = w y + (1 - w) y',

with the class' mean m and w uniform in [0, 1]. The roots keep the spread of a class, which plain
means of two would shrink. No recording is asked anything for it, so a guarantee stays what it was.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synth_data.decoder import Decoder
from synth_data.errors import SetError
from synth_data.set_tensors import LARGEST

PARENTS = 2


def require_drawable(codec: object, per_class: int, shape: tuple[int, int, int]) -> Decoder:
    """The decoder of a set that so many items of each class can be drawn from.

    Args:
        codec: how the set's items are stored; None as they are.
        per_class: items of each class that are asked for.
        shape: mels and frames of one, and classes.

    Raises:
        SetError: no decoder makes its items, or they would be no item or too many.
    """
    if not isinstance(codec, Decoder):
        raise SetError(
            "items are drawn by a set's decoder, and this set stores its items: make one with "
            '`decoder = "generator"` under [parameterisation] (distill-data --config)'
        )
    mels, frames, classes = shape
    most = LARGEST // (classes * max(mels, codec.width) * frames)
    if not 1 <= per_class <= most:
        raise SetError(f"from 1 to {most:,} items of each emotion can be drawn; found {per_class}")
    return codec


def between(
    codes: Float[Tensor, "n code"],
    targets: Float[Tensor, "n column"],
    classes: Int[Tensor, " n"],
    per_class: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "m code"], Float[Tensor, "m column"], Int[Tensor, " m"]]:
    """Codes between two of a class, as many of each class, with their targets and classes.

    Args:
        codes: of a set's items.
        targets: of the same.
        classes: of the same.
        per_class: new items of each class.
        generator: of what is drawn.

    Raises:
        SetError: a class has one item only, so that there is nothing between.
    """
    made = []
    for own in classes.unique().tolist():
        (rows,) = torch.where(classes == own)
        if len(rows) < PARENTS:
            raise SetError(
                f"new items lie between {PARENTS} of an emotion, and one emotion of this set has "
                f"{len(rows)}: make the set with a larger --ipc"
            )
        first = torch.randint(len(rows), (per_class,), generator=generator)
        further = torch.randint(1, len(rows), (per_class,), generator=generator)
        one, other = rows[first], rows[(first + further) % len(rows)]
        weight = torch.rand(per_class, 1, generator=generator)
        middle = codes[rows].mean(dim=0)
        code = middle + weight.sqrt() * (codes[one] - middle)
        code = code + (1 - weight).sqrt() * (codes[other] - middle)
        said = torch.lerp(targets[other], targets[one], weight)
        made.append((code, said, torch.full((per_class,), own)))
    new, said, own_classes = (torch.cat(parts) for parts in zip(*made, strict=True))
    return new, said, own_classes


def drawn_note(per_class: int, before: int, digest: str, seed: int) -> str:
    """What a reader of drawn items must know of them.

    Args:
        per_class: items of each class.
        before: items of the set whose decoder drew them.
        digest: SHA-256 of that set's tensors.
        seed: of what was drawn.
    """
    return (
        f"its {per_class} items of each emotion were drawn with seed {seed} by the decoder of a "
        f"set of {before} items in all (whose set.safetensors has the SHA-256 {digest}): each lies "
        f"between two of that set, as does its label"
    )
