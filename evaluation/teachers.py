"""Model distillation: teachers that have heard all real training utterances, and their pupils.

Where data distillation ships a few items, model distillation ships a small network that a better
one has taught, on all the real data (Hinton et al. 2015). A teacher is a function from a `School`
to a `Teacher`; each is judged by its own lead over the student it teaches.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from evaluation.baselines import Competitor, NotAvailable
from evaluation.jobs import Heard, Job
from evaluation.networks import draw_weights, skeleton
from evaluation.runner import Done, Runner
from evaluation.runs import CLEAN, FULL
from evaluation.students import Examples, StudentRecipe, embeddings_of, logits_of
from synth_data.curator import Curator
from synth_data.normalisation import normalised
from synth_data.randomness import generator
from synth_data.real import RealSet

FACULTY = ("tdnn", "crnn", "transformer")  # architectures that judge together


@dataclass(frozen=True, eq=False)
class Teacher:
    """What a teacher says.

    Attributes:
        name: as in the report.
        logits: of the training utterances.
        embeddings: of the same, if it is a single network: several have no space in common.
        test: its logits of the test utterances, by how they are heard.
        seconds: to train it.
        parameters: of all its networks.
    """

    name: str
    logits: Float[Tensor, "n emotion"]
    embeddings: Float[Tensor, "n any"] | None
    test: Mapping[str, Tensor]
    seconds: float
    parameters: int


@dataclass(frozen=True, eq=False)
class School:
    """What teachers are made from.

    Attributes:
        train: the real training utterances, as students hear them.
        heard: the validation and test utterances.
        graduates: students of the network to be taught, trained on all of `train`.
        recipes: by student.
        runner: trains others.
        seed: of everything random.
        richer: the training, validation and test utterances in a recipe with more detail, where
            they are at hand.
    """

    train: RealSet
    heard: Heard
    graduates: Sequence[Done]
    recipes: Mapping[str, StudentRecipe]
    runner: Runner
    seed: int
    richer: tuple[RealSet, RealSet, RealSet] | None = None


def ensemble(school: School) -> Teacher:
    """The full-data students of the network itself, together."""
    return _together("ensemble", school.graduates, school.train.features, school.heard)


def architectures(school: School) -> Teacher:
    """One full-data student of each of several networks, together.

    Raises:
        NotAvailable: none could be trained.
    """
    full = Competitor(
        FULL, Examples(school.train.features, school.train.targets), None, "real items"
    )
    jobs = [_job(name, full, school) for name in FACULTY]
    return _together("architectures", school.runner.run(jobs), school.train.features, school.heard)


def richer_features(school: School) -> Teacher:
    """The network itself, once, on features with more detail than the students hear.

    Raises:
        NotAvailable: there are no such features, or training failed.
    """
    if school.richer is None:
        raise NotAvailable(
            "the recordings are not at hand to compute richer features from, or the features are "
            "no log-mels, of which alone there are richer ones"
        )
    # As the students' own are, where the recipe leaves normalisation to the training side.
    train, validation, test = _normalised(school.richer)
    heard = Heard(validation.features, {CLEAN: test.features})
    full = Competitor(FULL, Examples(train.features, train.targets), None, "real items")
    runner = Runner(
        heard,
        school.runner.score,
        jobs=school.runner.jobs,
        outcomes=school.runner.outcomes,
    )
    name = school.graduates[0].job.student
    done = runner.run([_job(name, full, school)])
    return _together("richer features", done, train.features, heard)


TEACHERS: dict[str, Callable[[School], Teacher]] = {
    "ensemble": ensemble,
    "architectures": architectures,
    "richer-features": richer_features,
}


def _normalised(sides: tuple[RealSet, RealSet, RealSet]) -> tuple[RealSet, RealSet, RealSet]:
    """The sides as their recipe wants them heard, by statistics of the first."""
    door = normalised(Curator(sides[0]))
    train, validation, test = (replace(side, features=door.seen(side)) for side in sides)
    return train, validation, test


def _job(name: str, full: Competitor, school: School) -> Job:
    features, targets = full.examples.features, full.examples.targets
    network = skeleton(name, features.shape[1], targets.shape[1])
    weights = draw_weights(network, generator(school.seed, "student", name, 0))
    recipe = school.recipes[name]
    return Job(full, name, "random", weights, recipe, "generic", 0, school.seed, keep=True)


def _together(
    name: str, members: Sequence[Done], train: Float[Tensor, "n mel frame"], heard: Heard
) -> Teacher:
    """A teacher of several networks: the logarithm of their mean probabilities.

    Raises:
        NotAvailable: all of them failed.
    """
    able = [member for member in members if not member.outcome.error]
    if not able:
        raise NotAvailable(f"its networks could not be trained: {members[0].outcome.error}")
    networks, weights = [], []
    for member in able:
        assert member.outcome.weights is not None
        targets = member.job.competitor.examples.targets
        networks.append(skeleton(member.job.student, train.shape[1], targets.shape[1]))
        weights.append(member.outcome.weights)

    def logits(features: Tensor) -> Tensor:
        said = [logits_of(n, w, features) for n, w in zip(networks, weights, strict=True)]
        mean: Tensor = torch.stack([each.softmax(dim=1) for each in said]).mean(dim=0)
        return mean.clamp_min(1e-8).log()

    return Teacher(
        name=name,
        logits=logits(train),
        embeddings=embeddings_of(networks[0], weights[0], train) if len(able) == 1 else None,
        test={speech: logits(features) for speech, features in heard.test.items()},
        seconds=sum(member.outcome.seconds for member in able),
        parameters=sum(member.outcome.parameters for member in able),
    )
