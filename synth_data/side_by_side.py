"""Work side by side, in processes that leave Ctrl-C to the one that started them."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from joblib import Parallel, delayed

T = TypeVar("T")
PATIENCE = 2.0  # seconds between two looks at whether the process that asked is there
REPLACED = "A worker stopped while some jobs were given"  # how joblib's warning of it begins


def side_by_side(
    jobs: int, work: Callable[..., T], arguments: Iterable[tuple[object, ...]], ordered: bool = True
) -> Iterator[T]:
    """The results of `work` for each tuple of arguments, as they come.

    Within a process started here, further work is done in threads.

    Args:
        jobs: how many run at once; one: in this process.
        work: what is to be done.
        arguments: of each call.
        ordered: in the order of `arguments`; if not, as each is done.
    """
    how = "generator" if ordered else "generator_unordered"
    # A process that grew gives way to a new one. Joblib warns of it in the thread that hands out
    # the work: where warnings are errors that thread dies, and the results never come.
    warnings.filterwarnings("ignore", REPLACED, UserWarning)
    with _interrupts_ignored():  # as the processes that start here inherit
        results: Iterator[T] = Parallel(jobs, return_as=how)(
            delayed(_attended)(work, os.getpid(), *each) for each in arguments
        )
    return results


def _attended(work: Callable[..., T], parent: int, *arguments: object) -> T:
    """Work that ends with the process that asked for it, even if that was killed."""
    here = os.getppid() == parent  # and not on a machine of a cluster
    if here and not any(isinstance(one, _Attendant) for one in threading.enumerate()):
        _Attendant(parent).start()
    return work(*arguments)


class _Attendant(threading.Thread):
    """Ends this process when the one that started it has ended."""

    def __init__(self, parent: int) -> None:
        super().__init__(daemon=True)
        self._parent = parent

    def run(self) -> None:
        while os.getppid() == self._parent:
            time.sleep(PATIENCE)
        os._exit(1)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A terminal sends Ctrl-C to every process; only the first one should answer."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
