"""Both kinds of distillation at once: a set whose soft labels come from a teacher.

A set of log-mels has items that no encoder can hear, as there is no speech to them. A set in the
encoder's own representation has (`--feature`): there the teacher is the network that representation
distillation teaches with, trained on all real training utterances in that representation, and an
item's targets are what it says of it.
"""

from dataclasses import replace

import torch
from torch import Tensor

from evaluation.systems.fitting import Recipe, answers, fit
from evaluation.systems.sequences import Sequences
from evaluation.systems.tc_gru import TCGRU, TEACHER, Size, drawn, settle
from synth_data.errors import SetError
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet
from synth_data.task import Task
from synth_data.transforms import hear

RECIPE = Recipe()


def teach(
    synthetic: SyntheticSet,
    train: RealSet,
    validation: RealSet,
    size: Size = TEACHER,
    recipe: Recipe = RECIPE,
    seed: int = 0,
) -> SyntheticSet:
    """The set with targets that a teacher gives its items.

    What the set knew of its training (a native schedule, sizes that it was nested for, a guarantee)
    was about other targets, so a set that has any of these is refused.

    Args:
        synthetic: of dimensions.
        train: the real utterances it was made from, in its representation.
        validation: of other speakers, whom the teacher stops by.
        size: of the teacher.
        recipe: how it is trained.
        seed: of everything random.

    Raises:
        SetError: the set tells no dimensions, the recordings are in another representation, tell
            something else or on another scale, or weigh it otherwise, or the set holds what would
            no longer be true.
    """
    task = synthetic.task
    if not task.dimensions:
        raise SetError("only sets that tell dimensions are taught here: make it with --task")
    if (train.spec, train.task.columns) != (synthetic.spec, task.columns):
        raise SetError(
            "the teacher must hear what the set is made of, and tell the same: load the "
            "recordings in the set's own feature recipe and for its task"
        )
    if (train.task.scale, train.task.weights) != (task.scale, task.weights):
        raise SetError(
            f"the set was made to tell {task.told}, and its teacher would learn to tell "
            f"{train.task.told}: load the recordings with scale={task.scale}, and use "
            f"real.weighed({task.weights})"
        )
    held = [
        name
        for name, found in (
            ("a native schedule", synthetic.schedule),
            ("a guarantee", synthetic.guarantee),
            ("nested sizes", synthetic.nested),
        )
        if found
    ]
    if held:
        raise SetError(
            f"the set has {' and '.join(held)}, which would not be true with other targets: teach "
            f"a set without (--native-steps 0, no --nested, no --epsilon)"
        )
    sides = [
        Sequences.of_features(hear(synthetic.transforms, side.features, side.speakers))
        for side in (train, validation)
    ]
    network = _teacher(sides, train, validation, size, recipe, seed)
    _, outputs = answers(network, Sequences.of_features(synthetic.features))
    made = synthetic.provenance
    note = "targets are what a teacher on all training utterances says of the items"
    return replace(
        synthetic,
        targets=as_targets(outputs, task),
        provenance=replace(made, notes=(*made.notes, note)),
    )


def as_targets(outputs: Tensor, task: Task) -> Tensor:
    """Outputs as rows of targets: shares of the emotions, and numbers in [-1, 1].

    >>> task = Task(emotions=("calm", "anger"), dimensions=("valence",))
    >>> as_targets(torch.tensor([[0.0, 0.0, 3.0]]), task).tolist()
    [[0.5, 0.5, 1.0]]
    """
    shares = task.shares(outputs).softmax(dim=1)
    return torch.cat([shares, task.numbers(outputs).clamp(-1.0, 1.0)], dim=1)


def _teacher(
    sides: list[Sequences],
    train: RealSet,
    validation: RealSet,
    size: Size,
    recipe: Recipe,
    seed: int,
) -> TCGRU:
    heard, tested = sides
    start = generator(seed, "taught set", "weights")
    network = drawn(heard.dim, train.targets.shape[1], size, start)
    settle(network, heard)
    batches = generator(seed, "taught set", "batches")
    fit(
        *(network, heard, train.targets, tested, validation.targets, train.task, recipe),
        generator=batches,
    )
    return network
