"""A synthetic set as the page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from synth_data.errors import UserError
from synth_data.synthetic import SyntheticSet


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A set to be seen and heard, beside what it stands for.

    Attributes:
        name: in the report.
        synthetic: the set.
        means: by emotion (or cell of the label space), the mean over its real training utterances,
            in the set's own feature space (after its transforms); None where the training side has
            no such utterance.

    Raises:
        UserError: the means are not one for each emotion (or cell), of the shape of the items.
    """

    name: str
    synthetic: SyntheticSet
    means: Sequence[Float[Tensor, "mel frame"] | None]

    def __post_init__(self) -> None:
        expected = tuple(self.synthetic.features.shape[1:])
        shapes = {tuple(mean.shape) for mean in self.means if mean is not None}
        task = self.synthetic.task
        if len(self.means) != len(task.groups) or shapes - {expected}:
            raise UserError(
                f"an exhibit needs one class mean (or None) for each of "
                f"{len(task.groups)} {'cells' if task.dimensions else 'emotions'}, of shape "
                f"{list(expected)} as the items; found {len(self.means)} of shapes "
                f"{sorted(map(list, shapes))}: take the means after the set's transforms"
            )
