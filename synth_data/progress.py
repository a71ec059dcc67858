"""Progress bars on stderr, as a value that is handed down to where the work is."""

import threading
from functools import partial

from tqdm import tqdm

# Its own lock holds a semaphore for processes that are forked, and none is here. Where processes
# are ended with their work, Python warns of each.
tqdm.set_lock(threading.RLock())

# Called like tqdm, with an iterable or a total.
Progress = partial[tqdm]

SILENT: Progress = partial(tqdm, disable=True)


def bar(description: str, position: int = 0) -> Progress:
    """A bar that vanishes when it is full.

    Args:
        description: what is being done.
        position: the line it stands on, where several run side by side.
    """
    return partial(tqdm, desc=description, position=position, leave=False)
