"""Features of many utterances: in one process, or in as many as there are cores."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic

import torch
from joblib import cpu_count
from torch import Tensor

from synth_data.errors import AudioError
from synth_data.feature_cache import Rows
from synth_data.progress import SILENT, bar
from synth_data.representation import Representation
from synth_data.side_by_side import side_by_side
from synth_data.utterance import Source, Utterance

# Utterances: below, one process is done before others have started.
WORTH_PROCESSES, WORTH_PROCESSES_IF_SLOW = 3000, 100
KEEP_EVERY = 120.0  # seconds between two times that features are put by,
SELDOM = 10  # or as many times as long as that took: all are written each time


def digests(sources: Sequence[Source]) -> list[bytes | AudioError]:
    """Each source's digest, or why it cannot be read."""

    def digest(source: Source) -> bytes | AudioError:
        try:
            return source.digest()
        except OSError as error:
            return AudioError(f"cannot be read: {error}")
        except AudioError as error:
            return error

    with ThreadPoolExecutor() as threads:  # hashing releases the interpreter's lock
        return list(threads.map(digest, sources))


def processes(utterances: int, spec: Representation) -> int:
    """How many are worth starting: one for few utterances, one per core for many."""
    slow = any(part.slow for part in spec.parts)
    return 1 if utterances < (WORTH_PROCESSES_IF_SLOW if slow else WORTH_PROCESSES) else cpu_count()


def extract(
    utterances: Mapping[int, Utterance],
    spec: Representation,
    jobs: int | None,
    progress: bool,
    keep: Callable[[Rows], None] = lambda _: None,
) -> tuple[Rows, list[AudioError]]:
    """Computes features; the same bits whatever the number of processes.

    Args:
        utterances: by row.
        spec: the recipe.
        jobs: processes; if None, as `processes` says.
        progress: show a bar on stderr.
        keep: what puts features by so that an interruption does not lose them, given all so far:
            every few minutes, less often where that takes long, and at the end, whatever ends it.

    Returns:
        The features by row, and why the other rows have none.
    """
    if jobs is None:
        jobs = processes(len(utterances), spec)
    results = side_by_side(jobs, _features, ((each, spec) for each in utterances.values()))
    rows: Rows = {}
    refused = []
    shown = bar("features") if progress and utterances else SILENT
    kept, wait, since = 0, KEEP_EVERY, monotonic()
    try:
        with shown(total=len(utterances), unit="utterance") as done:
            for row, result in zip(utterances, results, strict=True):
                if isinstance(result, Tensor):
                    rows[row] = result
                else:
                    refused.append(result)
                done.update()
                if monotonic() - since >= wait and len(rows) > kept:
                    began = monotonic()
                    keep(rows)
                    kept, since = len(rows), monotonic()
                    wait = max(KEEP_EVERY, SELDOM * (since - began))
    finally:
        if len(rows) > kept:
            keep(rows)
    return rows, refused


def _features(utterance: Utterance, spec: Representation) -> Tensor | AudioError:
    try:
        with _one_thread():
            return spec.of(utterance)
    except AudioError as error:
        return error


@contextmanager
def _one_thread() -> Iterator[None]:
    """Many threads gain nothing on one utterance, and their number may change the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
