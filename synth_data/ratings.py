"""What a corpus' labels tell of its utterances: emotions, and dimensions on which scale."""

import math
from collections.abc import Sequence
from itertools import chain

from synth_data.corpora import CORPORA
from synth_data.corpora.facts import Corpus
from synth_data.corpora.tree import few
from synth_data.errors import CorpusError, UserError
from synth_data.task import DIMENSIONS, Task, TaskName
from synth_data.utterance import Utterance

Scale = tuple[float, float]


def parse_scale(text: str) -> Scale:
    """A scale as it is written on a command line.

    >>> parse_scale("1,7")
    (1.0, 7.0)

    Raises:
        UserError: it is not written like that.
    """
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = math.nan, math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"a scale is written LOWEST,HIGHEST, such as 1,7; found '{text}'")
    return low, high


def parse_weights(text: str) -> tuple[float, ...]:
    """Weights of dimensions as they are written on a command line; `Task` says which are possible.

    >>> parse_weights("2,1,1")
    (2.0, 1.0, 1.0)

    Raises:
        UserError: they are not numbers between commas.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(
            f"weights of dimensions are numbers between commas, such as 2,1,1; found '{text}'"
        ) from error


def task_of(
    corpus: Corpus, name: TaskName, utterances: Sequence[Utterance], scale: Scale | None = None
) -> Task:
    """A task on a corpus.

    Emotions and dimensions are those of the corpus; where it leaves them open, those that occur.
    A scale that it leaves open is the first of the known ones that holds all values, if none is
    given.

    Args:
        corpus: its facts.
        name: what is to be told.
        utterances: all of it.
        scale: of the dimensions; None: the corpus' own.

    Raises:
        UserError: dimensions are to be told, and the corpus has none, or another scale, or none
            that is known; or they are not, and a scale is given.
    """
    occurring = {utterance.emotion for utterance in utterances} - {""}
    emotions = corpus.emotions or tuple(sorted(occurring))
    if name == "categorical":
        if scale is not None:
            raise UserError(
                f"a scale ({scale[0]:g} to {scale[1]:g}) is of dimensions, and none are to be "
                f"told: leave it out, or give --task dimensional"
            )
        return Task(emotions)
    dimensions = tuple(
        dimension
        for dimension in corpus.dimensions
        if any(getattr(utterance, dimension) is not None for utterance in utterances)
    )
    if not dimensions:
        others = ", ".join(known.name for known in CORPORA.values() if known.dimensions)
        raise UserError(
            f"{corpus.title} has no {', '.join(DIMENSIONS)}: use --task categorical, or a corpus "
            f"with dimensions: {others}"
        )
    if name == "both" and not emotions:
        raise UserError(
            f"{corpus.title} has no emotions: use --task dimensional, or complete the labels"
        )
    found = _scale(corpus, dimensions, utterances, scale)
    return Task(emotions if name == "both" else (), dimensions, found, proxies=corpus.proxies)


def usable(
    corpus: Corpus, task: Task, utterances: Sequence[Utterance], allow_missing: bool
) -> list[Utterance]:
    """The utterances of which anything is known that is to be told.

    Args:
        corpus: its facts.
        task: what is to be told.
        utterances: all of it.
        allow_missing: take utterances that lack a value of a dimension, too: for what else is known
            of them.

    Raises:
        CorpusError: some lack a value, and that is not allowed; none has all; or values are not on
            the scale.
    """
    lacking: dict[str, list[str]] = {}
    odd = []
    low, high = task.scale
    for utterance in utterances:
        where = utterance.place or utterance.name
        for dimension in task.dimensions:
            value = getattr(utterance, dimension)
            if value is None:
                lacking.setdefault(utterance.name, []).append(f"{where}: {dimension}")
            elif not low <= value <= high:  # nor is NaN
                odd.append(f"{where}: {dimension} {value:g}")
    if odd:
        cure = "mend them"
        if corpus.scales:
            cure += ", or give the scale they are on with --scale LOWEST,HIGHEST"
        raise CorpusError(
            f"values of {corpus.title} that are not on its scale from {low:g} to {high:g}: "
            f"{len(odd)} ({few(odd)}); {cure}"
        )
    if lacking and not allow_missing:
        raise CorpusError(
            f"utterances of {corpus.title} without a value: {len(lacking)} of {len(utterances)} "
            f"({few(chain.from_iterable(lacking.values()))}). Complete them, or learn from them "
            f"what else is known of them with --allow-missing"
        )
    if lacking and len(lacking) == len(utterances):
        raise CorpusError(
            f"no utterance of {corpus.title} has a value of each of "
            f"{', '.join(task.dimensions)}: complete the labels"
        )
    return [utterance for utterance in utterances if _tells(task, utterance)]


def notes(
    corpus: Corpus, task: Task, utterances: Sequence[Utterance], listed: int, given: bool
) -> list[str]:
    """What a reader of a number must know of dimensions; what is in brackets, where space is.

    Args:
        corpus: its facts.
        task: what is told.
        utterances: that are used.
        listed: how many there were before those that tell nothing were left out.
        given: whether the user said the scale.
    """
    if not task.dimensions:
        return []
    found = []
    low, high = task.scale
    if corpus.scales and not given:
        least, most = _range(task.dimensions, utterances)
        found.append(
            f"scale {low:g} to {high:g} taken from the values (which go from {least:g} to "
            f"{most:g}; --scale says another)"
        )
    if same := [name for name in task.dimensions if len({*_range([name], utterances)}) == 1]:
        found.append(
            f"{', '.join(same)} the same for all utterances (of which nothing can be learned)"
        )
    rated = sum(_rated(task, utterance) for utterance in utterances)
    if corpus.rated is not None and rated != corpus.rated:
        found.append(f"{rated} rated utterances instead of the published {corpus.rated}")
    if left := listed - len(utterances):
        found.append(f"{left} utterances of which nothing is known left out")
    found += [
        f"{unknown} utterances without a value of {name} (no item starts as one; students learn "
        f"and are tested on what else is known of them)"
        for name in task.dimensions
        if (unknown := sum(getattr(utterance, name) is None for utterance in utterances))
    ]
    if task.emotions and (
        unknown := sum(utterance.emotion not in task.emotions for utterance in utterances)
    ):
        found.append(f"{unknown} utterances without an emotion (they tell dimensions alone)")
    return found


def _tells(task: Task, utterance: Utterance) -> bool:
    """Whether anything is known of it."""
    return not task.dimensions or _rated(task, utterance) or utterance.emotion in task.emotions


def _rated(task: Task, utterance: Utterance) -> bool:
    """Whether a dimension is known of it."""
    return any(getattr(utterance, name) is not None for name in task.dimensions)


def _scale(
    corpus: Corpus, dimensions: Sequence[str], utterances: Sequence[Utterance], given: Scale | None
) -> Scale:
    if not corpus.scales:
        if given not in (None, corpus.scale):
            low, high = corpus.scale
            raise UserError(
                f"{corpus.title} has values from {low:g} to {high:g}, and a scale from "
                f"{given[0]:g} to {given[1]:g} was given: leave it out"
            )
        return corpus.scale
    if given is not None:
        return given
    least, most = _range(dimensions, utterances)
    for low, high in corpus.scales:
        if low <= least and most <= high:
            return low, high
    known = ", ".join(f"{low:g} to {high:g}" for low, high in corpus.scales)
    raise UserError(
        f"the values go from {least:g} to {most:g}, which is on none of the scales that are tried "
        f"({known}): give yours with --scale LOWEST,HIGHEST"
    )


def _range(dimensions: Sequence[str], utterances: Sequence[Utterance]) -> Scale:
    """The smallest and the largest value."""
    values = [getattr(u, dimension) for u in utterances for dimension in dimensions]
    told = [value for value in values if value is not None and not math.isnan(value)]
    return min(told), max(told)
