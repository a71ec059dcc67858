"""Moments of a public map of speech, asked twice; all the rest is made of the answers.

The form of distillation that a privacy budget goes furthest with ("summarise, privatise,
synthesise": the family of DP-MERF, Harder et al. 2021): what is asked has few numbers, is asked of
everybody at once, and does not depend on the set, so that any amount of optimisation follows for
free. Two questions are asked in the eyes of the map phi (`distill.modulations`):

1. its mean, around which the second question's numbers are small;
2. in one vector, the mean of phi in each emotion, the share of each emotion, and the second
   moments over all emotions; beside them a few zeros, whose answers tell how noisy the others are.

Where dimensions are told, cells of the label space stand for emotions, and the mean targets of each
cell are asked with its mean of phi. Under a privacy budget nobody may know which cells have speech:
one that hardly anybody is believed to be in is made of what one with many was found to be, and
tells what that one tells.

So each emotion is a normal distribution in the eyes of the map, all with one covariance, whose
noise is cut off below. Every item has a place of its own, drawn from its emotion's distribution,
and is moved until it is seen there:

    mean over items of |W^(-1/2) (phi(x) - place)|^2 / size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from distill.modulations import Modulations
from distill.objectives.objective import Candidate, Cost, Objective, State, Student
from distill.symmetric import Symmetric
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.ledger import Release
from synth_data.randomness import generator
from synth_data.representation import Representation
from synth_data.settings import Count, Positive
from synth_data.task import Task

MIDDLE, MOMENTS = "middle of the modulations", "moments of the modulations in each emotion"
TOLD = "mean targets"  # as the state names those of cells
TELL = 0.3  # of a target, in the vector that is asked: three dimensions have half a place's length
MARK = 0.5  # of an utterance's own emotion, where places have a length of 1 at most
CUT = 0.6  # of the longest that an answer can be, about as long as those of speech are
BLANKS = 64  # zeros that are asked for
SHARE_LEAST = 0.25  # of an even share, that an emotion is taken to have at least
LEAST_VARIANCE = 0.02  # of a coordinate, whose deviation is about 1
BELOW_NOISE = 0.5  # of the largest eigenvalue that noise alone has, up to which none is believed


@dataclass(frozen=True)
class ReleasedMoments(Objective):
    """Items that are seen where a few released moments say.

    Attributes:
        regions: of the spectrum that the map tells apart, at most one for each band.
        middle: share of what the two questions may cost that goes into the first.
        reach: distance from the middle up to which utterances are believed, over the root of the
            map's size; those further away are moved there.
        second: weight of second moments in the second question, relative to means.

    Raises:
        UserError: a question that may cost nothing.
    """

    name: ClassVar[str] = "released-moments"
    teaches: ClassVar[bool] = True
    tells_dimensions_privately: ClassVar[bool] = True

    regions: Count = 4
    middle: Positive = 0.1
    reach: Positive = 1.0
    second: Positive = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.middle < 1:
            raise UserError(
                f"middle is the share of the first of two questions, above 0 and below 1; found "
                f"{self.middle:g}"
            )

    def init(self, curator: Curator, student: Student, seed: int) -> State:  # noqa: ARG002
        seen = Modulations(curator.spec, self.regions)
        task = curator.task
        emotions, size = len(task.groups), seen.size
        root = size**0.5

        def middle(features: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG001 - for the door
            return _at_most(seen(features) / root, 2 * self.reach)

        centre = curator.mean(middle, purpose=MIDDLE, per_class=False, bound=2 * self.reach)
        symmetric = Symmetric(size)
        even = emotions**0.5  # so that a unit with all emotions alike has a length of about 1

        def moments(features: Tensor, targets: Tensor) -> Tensor:
            place = _at_most((seen(features) / root - centre) / self.reach, 1.0)
            told = TELL * targets[:, : _told(task)].nan_to_num(0.0)
            marked = functional.pad(torch.cat([place, told], dim=1), (0, 1), value=MARK)
            own = task.in_groups(targets)
            means = even * (own[:, :, None] * marked[:, None, :]).flatten(1)
            squares = symmetric.pack(place[:, :, None] * place[:, None, :])
            return functional.pad(torch.cat([means, self.second * squares], dim=1), (0, BLANKS))

        bound = self._bound(curator, emotions)
        row = size + _told(task) + 1
        answer = curator.mean(moments, purpose=MOMENTS, per_class=False, bound=bound)
        numbers = [emotions * row, symmetric.numbers, BLANKS]
        first, second, blank = answer.split(numbers, dim=0)
        first = first.reshape(emotions, row) / even
        least = 1e-6 if curator.exact else SHARE_LEAST / emotions  # noise may leave nothing
        believed = first[:, -1] / MARK
        share = believed.clamp_min(least)
        means = first[:, :size] / share[:, None] * root * self.reach
        told = first[:, size:-1] / share[:, None] / TELL
        squares = symmetric.unpack(second / self.second)
        # The largest eigenvalue of noise alone, since what stands off the diagonal is weighted by
        # the root of 2 (`Symmetric`).
        noise = float(blank.std()) / self.second * (2 * size) ** 0.5
        if task.dimensions and not curator.exact:  # cells with hardly anybody move nothing
            share = torch.where(believed < least, 1e-12, share)
        within = squares * size * self.reach**2 - _spread(means, share / share.sum())
        covariance = _believed(within, BELOW_NOISE * noise * size * self.reach**2)
        if task.dimensions and not curator.exact:
            means, told = (_filled(each, believed, least) for each in (means, told))
        return {
            "centre": centre * root,
            "means": means.contiguous(),
            # In one order of memory, here and from a checkpoint: sums depend on it.
            "factor": torch.linalg.cholesky(covariance).contiguous(),
            **({TOLD: task.settled(told)} if task.dimensions else {}),
            "seed": torch.tensor(int(generator(seed, self.name).initial_seed() % 2**31)),
        }

    def step(
        self,
        state: State,
        candidate: Candidate,
        curator: Curator,
        student: Student,  # noqa: ARG002 - the set is for any
        generator: torch.Generator,  # noqa: ARG002 - nothing is drawn on the way
    ) -> tuple[Float[Tensor, ""], State]:
        seen = Modulations(curator.spec, self.regions)(candidate.features) - state["centre"]
        apart = seen - self._places(state, candidate)
        whitened = torch.linalg.solve_triangular(state["factor"], apart.T, upper=False)
        return whitened.square().mean(), state

    def hears(
        self,
        state: State,
        items: Float[Tensor, "n mel frame"],
        spec: Representation,
        student: Student,
    ) -> Float[Tensor, "n column"]:
        """Linear discriminants: logarithms of the emotions' densities, all being alike frequent.

        Where dimensions are told, what cells are like on average, as likely as each is.
        """
        seen = Modulations(spec, self.regions)(items) - state["centre"]
        rows, means = (
            torch.linalg.solve_triangular(state["factor"], each.T, upper=False).T
            for each in (seen, state["means"])
        )
        logits = rows @ means.T - 0.5 * means.square().sum(dim=1)
        if TOLD not in state:
            return logits
        task, told = student.task, logits.softmax(dim=1) @ state[TOLD]
        return torch.cat([task.shares(told).clamp_min(1e-6).log(), task.numbers(told)], dim=1)

    def _places(self, state: State, candidate: Candidate) -> Float[Tensor, "n size"]:
        """Where items should be seen: always the same places for so many items."""
        emotions, size = state["means"].shape
        draws = torch.Generator().manual_seed(int(state["seed"]))
        # One after the other, so that the first items of a nested set have the same places in each
        # of its sizes, up to the middle, which is to be the one that was asked for.
        one_by_one = [
            torch.randn(emotions, size, generator=draws) for _ in range(candidate.per_class)
        ]
        normal = torch.stack(one_by_one, dim=1)
        if candidate.per_class > 1:
            normal = normal - normal.mean(dim=1, keepdim=True)
        around = normal.to(state["factor"]) @ state["factor"].T
        return (state["means"][:, None] + around).flatten(0, 1)

    def _bound(self, curator: Curator, emotions: int) -> float:
        """The length that answers are cut to.

        The longest are those of a unit with all emotions alike, or of an utterance. Where all are
        cut by the same factor the count of units is as well, and the moments are the same.
        """
        together = 1.0 if curator.unit != "utterance" else float(emotions)
        task = curator.task
        told = TELL**2 * ((len(task.emotions) > 0) + len(task.dimensions)) if _told(task) else 0.0
        return CUT * float((together * (1 + MARK**2 + told) + self.second**2) ** 0.5)

    @property
    def learns_labels(self) -> bool:
        return False

    def learned(self) -> dict[str, Tensor]:
        return {}

    def schedule(self, learned: Mapping[str, Tensor], per_class: int) -> None:  # noqa: ARG002
        return None  # any training will do

    def cost(self, per_class: int, utterances: int) -> Cost:  # noqa: ARG002 - the same for each item
        # Its many filters take as long as about five passes of the default student.
        return Cost(real_passes=2.0 * utterances, step_passes=5.0, checkpoints=0)

    def numbers(
        self,
        student: Student,
        spec: Representation,
        emotions: int,
    ) -> dict[str, int]:
        size = Modulations(spec, self.regions).size
        row = size + _told(student.task) + 1
        moments = emotions * row + Symmetric(size).numbers + BLANKS
        return {MIDDLE: size, MOMENTS: moments}

    def releases(self, steps: int) -> list[Release]:  # noqa: ARG002 - all before the first
        first = ((1 - self.middle) / self.middle) ** 0.5
        return [Release(MIDDLE, first), Release(MOMENTS, 1.0)]


def _told(task: Task) -> int:
    """Numbers of an utterance's target that are asked for; none where emotions alone are told."""
    return len(task.columns) if task.dimensions else 0


def _filled(
    rows: Float[Tensor, "cell number"], shares: Float[Tensor, " cell"], least: float
) -> Float[Tensor, "cell number"]:
    """Rows in which cells with hardly anybody are like those with most, the most populous first."""
    full = [cell for cell in shares.argsort(descending=True).tolist() if shares[cell] >= least]
    empty = [cell for cell in range(len(rows)) if cell not in full]
    filled = rows.clone()
    for place, cell in enumerate(empty):
        filled[cell] = rows[full[place % len(full)]] if full else 0.0
    return filled


def _at_most(rows: Float[Tensor, "n size"], length: float) -> Float[Tensor, "n size"]:
    return rows * (length / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp_max(1.0)


def _spread(
    means: Float[Tensor, "emotion size"], shares: Float[Tensor, " emotion"]
) -> Float[Tensor, "size size"]:
    """Second moments that the emotions' means alone have."""
    return (means * shares[:, None]).T @ means


def _believed(matrix: Float[Tensor, "size size"], least: float) -> Float[Tensor, "size size"]:
    """The nearest covariance whose directions have a least variance."""
    values, directions = torch.linalg.eigh(matrix.double())
    values = values.clamp_min(max(LEAST_VARIANCE, least))
    return ((directions * values) @ directions.T).float()
