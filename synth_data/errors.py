"""Errors a user can mend: what was found, what is allowed, what to do.

The commands print such an error as one message and leave with exit code 2; every other
exception is a defect of this package.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """Something given from outside does not fit; the message says what to do."""


class CorpusError(UserError):
    """A corpus' tree, labels or speakers are not what its reader needs."""


class AudioError(UserError):
    """A recording cannot be used: unreadable, empty, silent or not finite."""


class SetError(UserError):
    """A synthetic set on disk is damaged, unknown or does not fit what it is used for."""


def unknown_name(kind: str, found: str, allowed: Iterable[str], of: str = "") -> UserError:
    """The error for a name that is in no table, with the nearest right one.

    >>> str(unknown_name("corpus", "emdb", ["emodb", "ravdess"]))
    "unknown corpus 'emdb': did you mean 'emodb'? Known: emodb, ravdess"
    """
    names = list(allowed)
    near = get_close_matches(found, names, n=1, cutoff=0.5)
    hint = f": did you mean '{near[0]}'?" if near else "."
    return UserError(f"unknown {kind} '{found}'{of}{hint} Known: {', '.join(names)}")
