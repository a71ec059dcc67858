"""How students hear real speech: through the transforms of the set that they were trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from evaluation.named_sets import NamedSet
from evaluation.runs import FULL, FULL_AS
from synth_data.errors import SetError
from synth_data.real import RealSet
from synth_data.transforms import Transform, hear


@dataclass(frozen=True, eq=False)
class Hearing:
    """Sets whose students hear speech in the same way.

    Attributes:
        transforms: that speech goes through, in order.
        sets: that were made from such speech.
    """

    transforms: tuple[Transform, ...]
    sets: tuple[NamedSet, ...]

    def of(self, side: RealSet) -> RealSet:
        """Utterances as these students hear them."""
        return replace(side, features=hear(self.transforms, side.features, side.speakers))

    @property
    def full(self) -> str:
        """The name of full data through this, in reports."""
        transforms = self.transforms
        return (
            f"{FULL_AS}{self.sets[0].name}" if len(transforms) > len(_plain(transforms)) else FULL
        )


def by_hearing(sets: Sequence[NamedSet]) -> tuple[Hearing, list[Hearing]]:
    """Speech as it is but for normalisation, perhaps without sets; then all other ways.

    Raises:
        SetError: sets normalise in different ways, so that there is no speech as it is; or sets
            of one name hear it differently.
    """
    plains = [_plain(one.synthetic.transforms) for one in sets]
    for one, plain in zip(sets, plains, strict=True):
        if not _alike(plain, plains[0]):
            raise SetError(
                f"{one.name} and {sets[0].name} transform real speech in different ways before "
                f"anything is done about speakers, so their students would not be tested on the "
                f"same features: judge them in separate reports"
            )
    ways: list[list[NamedSet]] = [[]]
    for one, plain in zip(sets, plains, strict=True):
        transforms = one.synthetic.transforms
        if len(transforms) == len(plain):
            ways[0].append(one)
            continue
        for way in ways[1:]:
            if _alike(way[0].synthetic.transforms, transforms):
                way.append(one)
                break
        else:
            ways.append([one])
    plain_one, *others = ways
    names = [way[0].name for way in others]
    if again := [name for name in names if names.count(name) > 1]:
        raise SetError(
            f"several sets are called {again[0]} whose students hear speech in different ways, so "
            f"full data through each would have one name: name them, as in first=FOLDER"
        )
    return Hearing(plains[0], tuple(plain_one)), [
        Hearing(way[0].synthetic.transforms, tuple(way)) for way in others
    ]


def _plain(transforms: Sequence[Transform]) -> tuple[Transform, ...]:
    """Those before the first that takes the speaker out."""
    hiding = [transform.hides_speaker for transform in transforms]
    return tuple(transforms[: hiding.index(True)] if True in hiding else transforms)


def _alike(some: Sequence[Transform], others: Sequence[Transform]) -> bool:
    if [one.name for one in some] != [one.name for one in others]:
        return False
    pairs = [(one.tensors(), other.tensors()) for one, other in zip(some, others, strict=True)]
    return all(
        one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
        for one, other in pairs
    )
