"""How large a set is, in items as they are: its rivals have as many of each class."""

import math
from dataclasses import dataclass

from synth_data.errors import SetError

SPARE = 0.1  # of the bytes: targets did not count when earlier versions cut prefixes


@dataclass(frozen=True)
class SetSize:
    """What the items of a set take, each with its targets.

    What comes with them is counted apart: transforms, a schedule, the fixed initialisation.

    Attributes:
        bytes: of all items as they are stored, and of what decodes them.
        item: bytes of one of them.
        whole: bytes of one as students meet it, which is how real items are.
        per_class: items of each class (or cell of the label space); a mean where they are uneven.
        groups: how many classes.

    >>> whole, small = 4 * 64 * 300 + 16, 4804 + 16
    >>> [SetSize(4 * n * small, 4820.0, whole, float(n), 4).ipc for n in (8, 16, 17)]
    [1, 1, 2]
    """

    bytes: int
    item: float
    whole: int
    per_class: float
    groups: int

    @property
    def ipc(self) -> int:
        """Items of each class, as they are, in the same bytes.

        To the nearest item that is stored, as distillation counts: of each class it makes as many
        as come nearest to the bytes of so many as they are.
        """
        return max(1, math.ceil(self._in_whole))

    def require(self, asked: int) -> None:
        """Passes a number of items per class that the set may say were asked for.

        It may hold less than that, where there is no speech for as many items; but not half.

        Raises:
            SetError: it holds more, so that rivals of that size would be smaller than the set; or
                less than half.
        """
        if self._in_whole <= (1 + SPARE) * asked and asked <= 2 * max(self.per_class, self.ipc):
            return
        raise SetError(
            f"it says that it was made to be as large as {asked:,} items of each class as they "
            f"are, and holds {self.per_class:,.4g} of each in the bytes of {self.ipc:,}: it would "
            f"be compared with real items of another size. Get a fresh copy, or make a set of its "
            f"tensors by `synth-data import`, which counts them"
        )

    @property
    def _in_whole(self) -> float:
        return (self.bytes / self.groups - self.item / 2) / self.whole
