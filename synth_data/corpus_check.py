"""Whether a copy of a corpus is the corpus: what is missing, what differs, what can be run on it.

Derived copies circulate under the genuine names: cut to one length, resampled, incomplete. Labels
and counts tell some of them, durations and sampling rates the others. Only the headers of
recordings are read.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import soundfile

from synth_data import audio
from synth_data.corpora.facts import Corpus, Recordings
from synth_data.corpora.tree import IncompleteError, few, is_companion, notes_of
from synth_data.errors import CorpusError, UserError
from synth_data.features import FEATURES
from synth_data.progress import SILENT, Progress
from synth_data.ratings import task_of, usable
from synth_data.utterance import AudioFile, Utterance

ROUNDING = 0.06  # seconds; published durations have one digit
TOTAL_ROUNDING = 0.005  # of the published total


@dataclass(frozen=True)
class _Header:
    """What the header of a recording says: sampling rate in Hz, duration in seconds."""

    sample_rate: int
    seconds: float


@dataclass(frozen=True)
class Check:
    """What was found of a corpus.

    Attributes:
        corpus: its facts.
        root: where it was looked for; None for one that is built in.
        faults: what is missing or differs from the published corpus.
        remarks: what differs harmlessly.
        counts: utterances per emotion.
        speakers: how many.
        durations: of the utterances whose recording is a file that can be read, in seconds.
        sample_rates: number of recordings by sampling rate in Hz.
        protocols: by name the number of folds, or why it cannot be run.
        rated: utterances with dimensions, or why these cannot be told; None where there are none.
    """

    corpus: Corpus
    root: Path | None
    faults: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    speakers: int = 0
    durations: tuple[float, ...] = ()
    sample_rates: Mapping[int, int] = field(default_factory=dict)
    protocols: Mapping[str, int | str] = field(default_factory=dict)
    rated: int | str | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing and nothing differs."""
        return not self.faults


def check(corpus: Corpus, root: Path | None, progress: Progress = SILENT) -> Check:
    """Looks for everything that is published of a corpus.

    Args:
        corpus: which.
        root: its folder, or the table; None for a corpus that is built in.
        progress: shows how many recordings have been looked at.
    """
    try:
        utterances: Sequence[Utterance] = corpus.read(root, False)
        missing: list[str] = []
    except IncompleteError as found:
        utterances, missing = found.utterances, list(_missing(found))
    except CorpusError as found:
        return Check(corpus, root, faults=(str(found),))
    headers, unreadable = _headers(utterances, progress)
    durations, outside = _durations(utterances, headers)
    sample_rates = Counter(header.sample_rate for header in headers.values())
    counts = Counter(utterance.emotion for utterance in utterances)
    speakers = len({utterance.speaker for utterance in utterances})
    faults = [*missing, *_miscounts(corpus, counts, speakers)]
    if unreadable:
        faults.append(f"recordings that cannot be read: {len(unreadable)} ({few(unreadable)})")
    if outside:
        faults.append(f"segments that are not in their recording: {len(outside)} ({few(outside)})")
    remarks = [*_companions(headers), *notes_of(utterances)]
    if corpus.recordings and durations:
        faults += _odd_durations(corpus.recordings, durations, whole=not faults)
        rate_faults, rate_remarks = _odd_rates(corpus.recordings, sample_rates)
        faults += rate_faults
        remarks += rate_remarks
    return Check(
        corpus=corpus,
        root=root,
        faults=tuple(faults),
        remarks=tuple(remarks),
        counts=counts,
        speakers=speakers,
        durations=tuple(durations.values()),
        sample_rates=sample_rates,
        protocols=_protocols(corpus, utterances),
        rated=_rated(corpus, root),
    )


def _missing(found: IncompleteError) -> Iterator[str]:
    for what, names in (
        ("labels without audio", found.without_audio),
        ("audio without a label", found.without_label),
    ):
        if names:
            yield f"{what}: {len(names)} ({few(names)})"


def _headers(
    utterances: Sequence[Utterance], progress: Progress
) -> tuple[dict[Path, _Header], list[str]]:
    """Of each recording, and the recordings whose header cannot be read."""
    paths = sorted({u.audio.path for u in utterances if isinstance(u.audio, AudioFile)})
    headers, unreadable = {}, []
    for path in progress(paths):
        try:
            found = soundfile.info(path)
        except (OSError, soundfile.LibsndfileError):
            unreadable.append(str(path))
            continue
        if not found.frames:
            unreadable.append(f"{path}: empty")
        elif found.frames > audio.UNTOLD:
            unreadable.append(f"{path}: {audio.WITHOUT_LENGTH}")
        else:
            headers[path] = _Header(found.samplerate, found.frames / found.samplerate)
    return headers, unreadable


def _durations(
    utterances: Sequence[Utterance], headers: Mapping[Path, _Header]
) -> tuple[dict[str, float], list[str]]:
    """Of each utterance in seconds, and the utterances that are not in their recording."""
    durations, outside = {}, []
    for utterance in utterances:
        part = utterance.audio
        if not isinstance(part, AudioFile) or part.path not in headers:
            continue
        whole = headers[part.path].seconds
        start, end = part.start or 0.0, whole if part.end is None else part.end
        if start >= whole or end > whole + audio.SLACK:
            outside.append(utterance.name)
        else:
            durations[utterance.name] = min(end, whole) - start
    return durations, outside


def _miscounts(corpus: Corpus, counts: Mapping[str, int], speakers: int) -> Iterator[str]:
    differing = [
        f"{emotion} {counts[emotion]} of {published}"
        for emotion, published in corpus.counts.items()
        if counts[emotion] != published
    ]
    if differing:
        yield f"utterances per emotion differ from the published: {', '.join(differing)}"
    if corpus.speakers is not None and speakers != corpus.speakers:
        yield f"speakers differ from the published: {speakers} of {corpus.speakers}"


def _companions(recordings: Mapping[Path, object]) -> Iterator[str]:
    places = {path.parent for path in recordings}
    found = sum(is_companion(path) for place in places for path in place.iterdir())
    if found:
        yield f"files of macOS among the recordings, which are passed over: {found}"


def _odd_durations(
    published: Recordings, durations: Mapping[str, float], whole: bool
) -> Iterator[str]:
    low, high = published.shortest - ROUNDING, published.longest + ROUNDING
    odd = [f"{name}: {d:.2f} s" for name, d in durations.items() if not low <= d <= high]
    if odd:
        yield (
            f"recordings shorter or longer than the published {published.shortest:g} to "
            f"{published.longest:g} s: {len(odd)} ({few(odd)})"
        )
    total = sum(durations.values())
    if whole and abs(total - published.total) > TOTAL_ROUNDING * published.total:
        yield (
            f"the recordings last {total:,.0f} s in all instead of the published "
            f"{published.total:,.0f} s: they were cut, padded or changed in speed"
        )


def _odd_rates(
    published: Recordings, sample_rates: Mapping[int, int]
) -> tuple[list[str], list[str]]:
    """Faults and remarks: resampling is harmless as long as features lose nothing by it."""
    needed = max(spec.sample_rate for spec in FEATURES.values())
    faults, remarks = [], []
    for rate, count in sorted(sample_rates.items()):
        if rate == published.sample_rate:
            continue
        line = (
            f"recordings at {rate:,} Hz instead of the published {published.sample_rate:,}: {count}"
        )
        if rate < needed:
            faults.append(f"{line}, which is less than the {needed:,} Hz of the features")
        else:
            remarks.append(line)
    return faults, remarks


def _rated(corpus: Corpus, root: Path | None) -> int | str | None:
    """Utterances with dimensions; recordings that only these need are no fault of a copy."""
    try:
        utterances = (corpus.read_rated or corpus.read)(root, False)
        if all(getattr(u, name) is None for u in utterances for name in corpus.dimensions):
            return None
        return len(usable(corpus, task_of(corpus, "dimensional", utterances), utterances, False))
    except UserError as error:
        return str(error)


def _protocols(corpus: Corpus, utterances: Sequence[Utterance]) -> dict[str, int | str]:
    emotions = set(corpus.emotions) or {utterance.emotion for utterance in utterances}
    ready: dict[str, int | str] = {}
    for name, protocol in corpus.protocols.items():
        try:
            folds = protocol.folds(utterances)
        except CorpusError as error:
            ready[name] = str(error)
            continue
        ready[name] = len(folds)
        for number, fold in enumerate(folds, start=1):
            if lacking := emotions - {utterances[row].emotion for row in fold.train}:
                ready[name] = (
                    f"the training side of fold {number} has no utterance of "
                    f"{', '.join(sorted(lacking))}"
                )
                break
    return ready
