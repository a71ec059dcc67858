"""Where a candidate starts: from utterances, real or public, from means, or from noise."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill.objectives.objective import Student
from distill.spectrum import LENGTH, RELEASE, SPECTRUM, Spectrum
from evaluation.baselines.herding import herd
from evaluation.baselines.k_means import medoids
from evaluation.students import embeddings_of
from synth_data.curator import Choice, Curator, Members
from synth_data.ledger import Release

CLASS_MEANS = "class means, to start from"

# (door, student, items per class, generator) to items in the order of their classes, their targets,
# and which of them need noise to differ from others.
Begin = Callable[
    [Curator, Student, int, torch.Generator],
    tuple[Float[Tensor, "n mel frame"], Float[Tensor, "n column"], Bool[Tensor, " n"]],
]


@dataclass(frozen=True)
class Initialisation:
    """A way to start.

    Attributes:
        begin: makes the items, without noise.
        real: whether they are utterances of the speech that is distilled.
        public: whether they are utterances of a public corpus, whose door it is then given.
        releases: what it asks of a door that guards units.
    """

    begin: Begin
    real: bool
    public: bool = False
    releases: tuple[Release, ...] = ()


def _random(
    curator: Curator,
    student: Student,  # noqa: ARG001 - nobody looks
    per_class: int,
    draws: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    def choose(members: Members, count: int) -> list[int]:
        return torch.randperm(len(members), generator=draws)[:count].tolist()

    return _chosen(curator, per_class, choose)


def _k_means(
    curator: Curator, student: Student, per_class: int, draws: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    def choose(members: Members, count: int) -> list[int]:
        order = torch.randperm(len(members), generator=draws)
        points = embeddings_of(student.network, student.start, members.features[order]).cpu()
        return order[medoids(points, count, draws)].tolist()

    return _chosen(curator, per_class, choose)


def _herding(
    curator: Curator,
    student: Student,
    per_class: int,
    draws: torch.Generator,  # noqa: ARG001 - nothing is drawn
) -> tuple[Tensor, Tensor, Tensor]:
    def choose(members: Members, count: int) -> list[int]:
        return herd(embeddings_of(student.network, student.start, members.features).cpu(), count)

    return _chosen(curator, per_class, choose)


def _class_means(
    curator: Curator,
    student: Student,  # noqa: ARG001 - nobody looks
    per_class: int,
    draws: torch.Generator,  # noqa: ARG001 - nothing is drawn
) -> tuple[Tensor, Tensor, Tensor]:
    mels, frames = curator.spec.shape
    means = curator.mean(
        lambda features, _: features, purpose=CLASS_MEANS, bound=(mels * frames) ** 0.5
    )
    items = means.repeat_interleave(per_class, dim=0)
    # Under a budget a second answer would have to be paid for: the cells' middles are public.
    asked = curator.task.dimensions and curator.exact
    targets = curator.mean_targets() if asked else curator.task.middles
    return items, _each(targets, per_class), torch.ones(len(items), dtype=torch.bool)


def _spectrum(
    curator: Curator,
    student: Student,  # noqa: ARG001 - nobody looks
    per_class: int,
    draws: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    spectrum = Spectrum(curator.spec)
    answer = curator.mean(
        lambda features, _: spectrum(features), purpose=SPECTRUM, per_class=False, bound=LENGTH
    )
    count = per_class * len(curator.task.groups)
    items = spectrum.draw(answer, count, draws).to(curator.device)
    targets = _each(curator.task.middles, per_class)
    return items, targets, torch.zeros(count, dtype=torch.bool)


def _nothing(
    curator: Curator,
    student: Student,  # noqa: ARG001 - nobody looks
    per_class: int,
    draws: torch.Generator,  # noqa: ARG001 - nothing is drawn
) -> tuple[Tensor, Tensor, Tensor]:
    items = per_class * len(curator.task.groups)
    nothing = torch.zeros(items, *curator.spec.shape, device=curator.device)
    return nothing, _each(curator.task.middles, per_class), torch.ones(items, dtype=torch.bool)


def _chosen(curator: Curator, per_class: int, choose: Choice) -> tuple[Tensor, Tensor, Tensor]:
    """Real utterances with their own targets; for an unknown emotion, those of its cell."""
    features, targets, again = curator.choose_real_with_targets(per_class, choose)
    if (unknown := targets.isnan()).any():
        usual = _each(curator.mean_targets(), per_class).to(targets)
        targets = torch.where(unknown, usual, targets)
    return features, targets.cpu(), again


def _each(targets: Float[Tensor, "group column"], per_class: int) -> Float[Tensor, "n column"]:
    """The same for all items of a class."""
    return targets.cpu().repeat_interleave(per_class, dim=0)


# By the names that they have in settings. k-means and herding look through the eyes of the fixed
# initialisation, which has seen nothing.
INITIALISATIONS: dict[str, Initialisation] = {
    "real": Initialisation(_random, real=True),
    "k-means": Initialisation(_k_means, real=True),
    "herding": Initialisation(_herding, real=True),
    "class-means": Initialisation(_class_means, real=False, releases=(Release(CLASS_MEANS, 1.0),)),
    "spectrum": Initialisation(_spectrum, real=False, releases=(RELEASE,)),
    "noise": Initialisation(_nothing, real=False),
    "public": Initialisation(_random, real=False, public=True),
}
