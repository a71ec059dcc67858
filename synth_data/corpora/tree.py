"""A corpus' tree on disk: finding it, and saying what is wrong with it."""

import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from synth_data.corpora.facts import Corpus
from synth_data.errors import CorpusError
from synth_data.utterance import Utterance

logger = logging.getLogger(__name__)

AUDIO_SUFFIXES = (".wav", ".flac")
SHOWN = 5  # names in a message; the rest is counted


class Kept(list[Utterance]):
    """The utterances of a corpus, and what its reader left out of them.

    Attributes:
        notes: what was left out, as it stands with every number.
    """

    def __init__(self, utterances: Iterable[Utterance], notes: Iterable[str]) -> None:
        super().__init__(utterances)
        self.notes = tuple(notes)


def notes_of(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """What a reader left out of them; nothing where it says nothing."""
    return utterances.notes if isinstance(utterances, Kept) else ()


class IncompleteError(CorpusError):
    """Labels lack audio, or audio lacks labels.

    Attributes:
        utterances: those that have both.
        without_audio: labels whose recording is not there.
        without_label: recordings that no label is for.
    """

    def __init__(
        self,
        message: str,
        utterances: Sequence[Utterance],
        without_audio: Sequence[str],
        without_label: Sequence[str],
    ) -> None:
        super().__init__(message)
        self.utterances = tuple(utterances)
        self.without_audio = tuple(without_audio)
        self.without_label = tuple(without_label)


def locate(root: Path | None, corpus: Corpus, holds: Callable[[Path], bool]) -> Path:
    """Finds the folder that holds a corpus, at `root` or up to two levels below.

    Archives unpack into a folder of their own or not, so the folder that people name is often one
    off. The shallowest match counts.

    Args:
        root: what the user named.
        corpus: whose title, layout and address the error shows.
        holds: whether a folder is the one.

    Raises:
        CorpusError: there is no root, no match, or more than one at the same depth.
    """
    if root is None:
        raise CorpusError(
            f"{corpus.title} needs the folder it is in: give --data-root. {_want(corpus)}"
        )
    if not root.is_dir():
        raise CorpusError(f"{root}: no such folder. {_want(corpus)}")
    level = [root]
    for _ in range(3):
        matches = [folder for folder in level if holds(folder)]
        if len(matches) > 1:
            raise CorpusError(
                f"{root}: holds several trees of {corpus.title} ({few(map(str, matches))}); "
                f"give one of them as --data-root"
            )
        if matches:
            return matches[0]
        level = [child for folder in level for child in _subfolders(folder)]
    names = sorted(path.name for path in root.iterdir())
    raise CorpusError(
        f"{root}: not a tree of {corpus.title}. Found there: {few(names) or 'nothing'}. "
        f"{_want(corpus)}"
    )


def holding(name: re.Pattern[str]) -> Callable[[Path], bool]:
    """For `locate`: whether a folder itself holds a recording with such a name."""

    def holds(folder: Path) -> bool:
        return any(is_recording(path) and name.fullmatch(path.stem) for path in folder.iterdir())

    return holds


def beside(folder: Path, name: str) -> Path | None:
    """A file that describes the recordings of a folder: in it, or in the one above."""
    places = (folder / name, folder.resolve().parent / name)
    return next((path for path in places if path.is_file()), None)


def recordings(paths: Iterable[Path]) -> dict[str, Path]:
    """The audio files among `paths`, by stem, in sorted order.

    Raises:
        CorpusError: two recordings share a stem, so labels cannot tell them apart.
    """
    found: dict[str, Path] = {}
    for path in sorted(paths):
        if not is_recording(path):
            continue
        if path.stem in found:
            raise CorpusError(
                f"{found[path.stem]} and {path} are two recordings with one name; remove one"
            )
        found[path.stem] = path
    return found


def is_recording(path: Path) -> bool:
    """Whether a file is audio, by its name."""
    return path.suffix.lower() in AUDIO_SUFFIXES and not is_companion(path)


def is_companion(path: Path) -> bool:
    """Whether a file is metadata of macOS (`._x` beside `x`), which archives made there carry."""
    return path.name.startswith("._")


def complete(
    utterances: list[Utterance],
    where: Path,
    *,
    without_audio: Sequence[str],
    without_label: Sequence[str],
    allow_missing: bool,
    looked_in: Path | None = None,
    notes: Sequence[str] = (),
) -> Kept:
    """The utterances, once it is sure that they are all, or that less is allowed.

    Args:
        utterances: those with both speech and label.
        where: the tree or table, as the errors name it.
        without_audio: labels whose recording is not there.
        without_label: recordings that no label is for.
        allow_missing: go on without both.
        looked_in: the folder that recordings were looked for in; if None, `where`.
        notes: what else the reader left out, or what is odd about the labels.

    Raises:
        IncompleteError: something is missing and that is not allowed.
        CorpusError: nothing is left.
    """
    missing = {"labels without audio": without_audio, "audio without a label": without_label}
    missing = {what: names for what, names in missing.items() if names}
    problems = "; ".join(f"{what}: {len(names)} ({few(names)})" for what, names in missing.items())
    if without_audio and not utterances:  # another layout, which is nothing to go on without
        raise IncompleteError(
            f"{where}: no label has its audio. {problems}. Looked for them in "
            f"{(looked_in or where).resolve()}: move the recordings there, or mend the labels",
            *(utterances, without_audio, without_label),
        )
    if problems and not allow_missing:
        raise IncompleteError(
            f"{where}: {problems}. Complete it, or leave these out with --allow-missing",
            *(utterances, without_audio, without_label),
        )
    if problems:
        logger.warning("%s: left out: %s", where, problems)
    if not utterances:
        raise CorpusError(f"{where}: no utterance has both audio and a label. {problems}")
    left_out = [f"{what} left out: {len(names)}" for what, names in missing.items()]
    return Kept(utterances, [*left_out, *notes])


def few(names: Iterable[str]) -> str:
    """The first names of many, with the number of the others.

    >>> few("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _want(corpus: Corpus) -> str:
    return f"Looked for:\n{corpus.layout}\nGet the corpus from {corpus.url}"


def _subfolders(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and os.access(path, os.R_OK | os.X_OK)
    )
