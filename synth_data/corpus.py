"""A corpus on disk -> its features: `load`, and what is printed with every number about it."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from synth_data import content
from synth_data.corpora import CORPORA, twins
from synth_data.corpora.facts import Corpus
from synth_data.corpora.tree import notes_of
from synth_data.corpus_notes import NAMED, counted, differences, licences
from synth_data.errors import AudioError, CorpusError, UserError, unknown_name
from synth_data.extraction import digests, extract
from synth_data.feature_cache import FeatureCache, default_folder
from synth_data.features import FEATURES
from synth_data.protocol import Protocol
from synth_data.ratings import Scale, notes, task_of, usable
from synth_data.real import RealSet
from synth_data.representation import Representation
from synth_data.task import Task, TaskName
from synth_data.utterance import Utterance

log = logging.getLogger(__name__)


def load(
    corpus: str | Corpus,
    root: Path | str | None = None,
    spec: Representation = FEATURES["logmel64"],
    *,
    task: TaskName = "categorical",
    scale: Scale | None = None,
    allow_missing: bool = False,
    skip_bad: bool = False,
    cache: Path | None = None,
    jobs: int | None = None,
    progress: bool = False,
) -> RealSet:
    """Reads a corpus and computes its features, or takes them from the cache.

    Args:
        corpus: a name in `CORPORA`, or the facts of a corpus that is not in it.
        root: the corpus' folder (a CSV for `table`); from the environment if None (`find_root`).
        spec: the feature recipe.
        task: what is to be told: emotions, dimensions, or both.
        scale: of the dimensions, where the corpus has none of its own; if None, the first of its
            `scales` that holds all values.
        allow_missing: go on when labels lack audio or a value, or audio lacks labels.
        skip_bad: leave out recordings that cannot be used, also for lack of a transcript where the
            features are of those, and say so in the notes.
        cache: folder of feature caches; the platform's if None (`feature_cache.default_folder`).
        jobs: processes that compute features; if None, as many as are worth starting. The
            features do not depend on it.
        progress: show a bar on stderr.

    Returns:
        All utterances in the order of their names, with the targets of the task.

    Raises:
        CorpusError: there is no root, the tree is not the corpus', utterances lack what the recipe
            needs, or nothing usable is in it; values of dimensions are missing or not on the scale.
        AudioError: recordings cannot be used, and `skip_bad` is not set. All are looked at first.
        UserError: the corpus is unknown, has no such task or scale, `jobs` is less than 1, or what
            computes the features is not here.
    """
    if isinstance(corpus, str):
        corpus = known_corpus(corpus)
    if jobs is not None and jobs < 1:
        raise UserError(f"jobs is {jobs}: give the number of processes, 1 or more")
    spec.require_here()
    listed, told, remarks = _labels(corpus, root, allow_missing, task, scale)
    complete, incomplete = _with_all_needed(corpus, listed, spec, skip_bad)

    hashed = list(zip(complete, digests([u.audio for u in complete]), strict=True))
    unreadable = [found for _, found in hashed if isinstance(found, AudioError)]
    readable = [(utterance, found) for utterance, found in hashed if isinstance(found, bytes)]

    heard = content.of_speech(readable, with_text=not all(part.hears for part in spec.parts))
    store = FeatureCache(cache or default_folder(), heard, spec, len(readable))
    rows = store.read()
    missing = {row: u for row, (u, _) in enumerate(readable) if row not in rows}
    if missing:
        for part in spec.parts:
            if part.licence:
                log.warning(part.licence)
    new, unusable = extract(missing, spec, jobs, progress, lambda new: store.write(rows | new))
    rows |= new

    refused = incomplete + unreadable + unusable
    if refused and not skip_bad:
        raise AudioError(_refusal(corpus, refused, len(listed)))
    if not rows:
        raise CorpusError(
            f"no utterance of {corpus.title} is left: {len(listed)} found, {len(refused)} of them "
            f"skipped as unusable; check the recordings, or get the corpus again: {corpus.url}"
        )
    twice = twins.of_recordings(readable) if corpus.access == "own" else []
    for note in twice:
        log.warning("%s: %s", corpus.title, note)
    kept = sorted(rows)
    utterances = [readable[row][0] for row in kept]
    return RealSet(
        facts=corpus,
        task=told,
        spec=spec,
        utterances=tuple(utterances),
        features=torch.stack([rows[row] for row in kept]),
        targets=_targets(utterances, told),
        digest=content.of_speech([readable[row] for row in kept]),
        ratings=content.of_ratings(utterances, told),
        transcripts=content.of_transcripts(utterances, spec),
        notes=(*differences(corpus, told, utterances, refused), *remarks, *twice, *licences(spec)),
    )


def listing(
    corpus: Corpus,
    root: Path | str | None,
    spec: Representation,
    *,
    task: TaskName = "categorical",
    scale: Scale | None = None,
    allow_missing: bool = False,
    skip_bad: bool = False,
) -> RealSet:
    """The corpus as its labels list it: what `load` gives, but without a look at the speech.

    Its features have no frames and its digest is empty.

    Raises:
        CorpusError: as `load`.
    """
    listed, told, remarks = _labels(corpus, root, allow_missing, task, scale)
    utterances, _ = _with_all_needed(corpus, listed, spec, skip_bad)
    return RealSet(
        facts=corpus,
        task=told,
        spec=spec,
        utterances=tuple(utterances),
        features=torch.empty(len(utterances), spec.mels, 0),
        targets=_targets(utterances, told),
        digest="",
        notes=(*differences(corpus, told, utterances, []), *remarks, *licences(spec)),
    )


def known_corpus(name: str) -> Corpus:
    """The facts of a corpus by its name on the command line.

    Raises:
        UserError: there is no such corpus; the message tells the nearest name.
    """
    if name not in CORPORA:
        raise unknown_name("corpus", name, CORPORA)
    return CORPORA[name]


def protocol_of(corpus: Corpus, name: str | None, root: Path | str | None = None) -> Protocol:
    """A protocol of the corpus by name; its default if None.

    Args:
        corpus: its facts.
        name: of the protocol.
        root: as `load` takes it. A table whose column `split` says who trains and who is tested has
            that as its default, so nothing but the table says what its default is.

    Raises:
        CorpusError: the default is asked for, and the table that says it is not there.
        UserError: the corpus has no such protocol; the message tells the nearest name.
    """
    if name is None and corpus.listed_protocol is not None:
        place = find_root(corpus, root, "--data-root (root in Python)")
        name = corpus.listed_protocol(place)
    if name is None:
        return next(iter(corpus.protocols.values()))
    if name not in corpus.protocols:
        raise unknown_name("protocol", name, corpus.protocols, f" of {corpus.title}")
    return corpus.protocols[name]


def protocol_line(real: RealSet, protocol: Protocol | None, feature: str) -> str:
    """The line that is printed with every number.

    Args:
        real: the whole corpus, not one side of a fold.
        protocol: how it is split; None when all speakers are used and nothing is tested.
        feature: what the representation is called (`representations.name_of`).

    Raises:
        CorpusError: the protocol cannot split this corpus.
    """
    parts = [real.facts.title]
    if real.emotions:
        note = f" ({real.facts.label_note})" if real.facts.label_note else ""
        parts.append(counted(len(real.emotions), "class", "classes") + note)
    if real.task.dimensions:
        parts.append(real.task.told)
    if real.task.proxies:
        parts.append(f"dimensions: {real.task.proxies}")
    parts.append(counted(len(real), "utterance"))
    if protocol is None:
        parts.append("all speakers, no test")
    else:
        folds = len(protocol.folds(real.utterances))
        parts.append(f"{protocol.name}, {counted(folds, 'fold')}")
        parts.append(f"validation: {protocol.validation}")
    parts.append(feature)
    if protocol is not None and not protocol.speaker_independent:
        parts.append("SPEAKER-DEPENDENT")
    return " · ".join(parts + [note.partition(" (")[0] for note in real.notes])


def find_root(corpus: Corpus, root: Path | str | None, option: str = "--data-root") -> Path | None:
    """Where a corpus is: as given, else `$<NAME>_ROOT`, else `$SER_DATA_ROOT/<name>`.

    None for a corpus that is built in.

    Args:
        corpus: its facts.
        root: what was given, if anything.
        option: that it is given by, as errors name it.

    Raises:
        CorpusError: none of them says.
    """
    if root is not None:
        return Path(root).expanduser()
    if corpus.access == "built-in":
        return None
    variable = f"{corpus.name.upper().replace('-', '_')}_ROOT"
    if own := os.environ.get(variable):
        return Path(own).expanduser()
    shared = os.environ.get("SER_DATA_ROOT")
    if shared and (folder := Path(shared).expanduser() / corpus.name).exists():
        return folder
    if corpus.access == "own" and not corpus.emotions:  # a list of somebody's own recordings
        raise CorpusError(
            f"the corpus '{corpus.name}' needs {option}: a CSV of your recordings with the columns "
            f"file, emotion and speaker, or one of the other lists that the README names"
        )
    looked_for = f"{folder} does not exist" if shared else "SER_DATA_ROOT is not set either"
    raise CorpusError(
        f"where is {corpus.title}? No data root was given, {variable} is not set, and "
        f"{looked_for}. Give {option} FOLDER, or set {variable} to the corpus' folder, or "
        f"SER_DATA_ROOT to a folder that holds '{corpus.name}'. To get the corpus: {corpus.url}"
    )


def _labels(
    corpus: Corpus,
    root: Path | str | None,
    allow_missing: bool,
    task: TaskName,
    scale: Scale | None,
) -> tuple[list[Utterance], Task, list[str]]:
    """The utterances in the order of their names, what is to be told of them, and notes on that."""
    read = corpus.read
    if task != "categorical" and corpus.read_rated is not None:
        read = corpus.read_rated
    found = read(find_root(corpus, root), allow_missing)
    listed = sorted(found, key=lambda u: u.name)
    told = task_of(corpus, task, listed, scale)
    kept = usable(corpus, told, listed, allow_missing)
    of_values = notes(corpus, told, kept, len(listed), given=scale is not None)
    return kept, told, [*notes_of(found), *of_values]


def _targets(utterances: Sequence[Utterance], task: Task) -> Tensor:
    rows = [
        task.targets_of(u.emotion, [getattr(u, name) for name in task.dimensions])
        for u in utterances
    ]
    return torch.tensor(rows)


def _with_all_needed(
    corpus: Corpus, listed: Sequence[Utterance], spec: Representation, skip_bad: bool
) -> tuple[list[Utterance], list[AudioError]]:
    """The utterances with all that the recipe needs, and what others lack, where they are skipped.

    Raises:
        CorpusError: some lack something, and should not be skipped.
    """
    found = [(utterance, spec.lacks(utterance)) for utterance in listed]
    lacking = [(utterance.name, what) for utterance, what in found if what]
    if lacking and not skip_bad:
        named = ", ".join(name for name, _ in lacking[:NAMED])
        more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
        raise CorpusError(
            f"{len(lacking)} of {len(listed)} utterances of {corpus.title} lack {lacking[0][1]}, "
            f"which {spec.title} is made from: {named}{more}. Add what is missing, use another "
            f"--feature, or leave them out with --skip-bad (skip_bad=True in Python)"
        )
    return (
        [utterance for utterance, what in found if not what],
        [AudioError(f"{name} lacks {what}") for name, what in lacking],
    )


def _refusal(corpus: Corpus, refused: Sequence[AudioError], listed: int) -> str:
    named = "".join(f"\n  {reason}" for reason in refused[:NAMED])
    for reason in refused[NAMED:]:
        log.debug("cannot be used either: %s", reason)
    more = f"\n  and {len(refused) - NAMED} more (-v names all)" if len(refused) > NAMED else ""
    return (
        f"{len(refused)} of {listed} recordings of {corpus.title} cannot be used:{named}{more}\n"
        "Mend or replace them, or leave them out with --skip-bad (skip_bad=True in Python)"
    )
