"""Speech of one corpus under the emotions of another, by a stated map."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.errors import CorpusError, UserError, unknown_name
from synth_data.real import RealSet
from synth_data.task import Task

LEFT_OUT = ""  # what an emotion is mapped to if its utterances are left out


def parse(text: str) -> dict[str, str]:
    """A map as it is written on a command line.

    >>> parse("calm=neutral, boredom=")
    {'calm': 'neutral', 'boredom': ''}

    Raises:
        UserError: it is not written like that, or says something twice.
    """
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    for emotion, equals, _ in pairs:
        if not equals or not emotion.strip():
            raise UserError(
                f"a label map is written THEIRS=OURS,THEIRS=OURS, with nothing after = for an "
                f"emotion to leave out; found '{text}'"
            )
    found: dict[str, str] = {}
    for emotion, _, ours in pairs:
        name = emotion.strip()
        if name in found:
            raise UserError(
                f"the label map says twice what '{name}' is, {found[name] or 'left out'} and "
                f"{ours.strip() or 'left out'}: say it once"
            )
        found[name] = ours.strip()
    return found


def require_known(real: RealSet, emotions: tuple[str, ...], label_map: Mapping[str, str]) -> None:
    """Raises `UserError` if a map is from an emotion, or to one, that is not there."""
    for theirs, ours in label_map.items():
        if theirs not in real.emotions:
            raise unknown_name(f"emotion of {real.facts.title}", theirs, real.emotions)
        if ours != LEFT_OUT and ours not in emotions:
            raise unknown_name("emotion of the set", ours, emotions)


def relabelled(
    real: RealSet,
    emotions: tuple[str, ...],
    label_map: Mapping[str, str],
    dimensions: tuple[str, ...] | None = None,
) -> RealSet:
    """The utterances under other emotions; those of unmapped ones are left out.

    Dimensions need no map: both ends of each scale mean the same.

    Args:
        real: the utterances.
        emotions: the class names that the result has, in order.
        label_map: from an emotion of `real` to one of `emotions`, or to `LEFT_OUT`. An emotion
            of the same name in both need not be in it.
        dimensions: that the result has; None: those of `real`.

    Raises:
        UserError: the map names an emotion that is not there, or leaves open what one means; or
            a dimension is not there.
        CorpusError: no utterance is left.
    """
    task = _of_dimensions(real, emotions, dimensions)
    if not emotions and not label_map:
        numbers = _numbers(real, task)
        return replace(real, task=task, targets=numbers)
    require_known(real, emotions, label_map)
    whole = {name: name for name in real.emotions if name in emotions} | dict(label_map)
    if unsaid := [name for name in real.emotions if name not in whole]:
        raise UserError(
            f"the set has no {', '.join(unsaid)}: say what they are with --label-map, such as "
            f"{unsaid[0]}={emotions[0]}, or {unsaid[0]}= to leave them out. The set's emotions: "
            f"{', '.join(emotions)}"
        )
    # Where dimensions are told, an emotion that is not `real`'s is not told, and stays so.
    untold = {u.emotion: u.emotion for u in real.utterances} if real.task.dimensions else {}
    left_out = {name for name, meant in whole.items() if meant == LEFT_OUT}
    rows = [row for row, u in enumerate(real.utterances) if u.emotion not in left_out]
    if not rows:
        raise CorpusError(f"the label map leaves no utterance of {real.facts.title}")
    kept = real.select(rows)
    utterances = tuple(replace(u, emotion=(untold | whole)[u.emotion]) for u in kept.utterances)
    shares = torch.tensor([Task(emotions).targets_of(u.emotion, ()) for u in utterances])
    changed = [f"{a}->{whole[a] or 'left out'}" for a in real.emotions if whole[a] != a]
    note = f"label map: {', '.join(changed) or 'same names'}"
    return replace(
        kept,
        task=task,
        utterances=utterances,
        targets=torch.cat([shares, _numbers(kept, task)], dim=1),
        notes=(*kept.notes, note),
    )


def _of_dimensions(
    real: RealSet, emotions: tuple[str, ...], dimensions: tuple[str, ...] | None
) -> Task:
    """The task with these emotions and dimensions."""
    own = real.task
    if dimensions is None:
        dimensions = own.dimensions
    if missing := [name for name in dimensions if name not in own.dimensions]:
        raise UserError(
            f"{real.facts.title} does not tell {', '.join(missing)}, which the set does: judge the "
            f"set on a corpus that does"
        )
    if not dimensions:
        return Task(emotions)
    return Task(emotions, dimensions, own.scale, proxies=own.proxies)


def _numbers(real: RealSet, task: Task) -> Float[Tensor, "n dimension"]:
    """The columns of the dimensions of a task."""
    own = real.task.numbers(real.targets)
    return own[:, [real.task.dimensions.index(name) for name in task.dimensions]]
