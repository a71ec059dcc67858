"""The sets that a command is given: folders of sets, or of runs that hold one set per fold."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.networks import usual_student
from evaluation.options import DP_SGD, EVERY_BASELINE, PUPIL, TEACHER, UNTRAINED
from evaluation.runs import DISTILLED, FULL_AS
from synth_data.errors import SetError, UserError
from synth_data.ledger import PrivacyBudget
from synth_data.manifest import MANIFEST
from synth_data.synthetic import SyntheticSet

COST = "cost.json"  # beside a set: what it took to make it
SECONDS = "distilling_seconds"


@dataclass(frozen=True)
class NamedSet:
    """A set under evaluation.

    Attributes:
        name: in the report.
        synthetic: the set.
        making_seconds: it took to make; None if nobody knows.
        folder: it was loaded from.
    """

    name: str
    synthetic: SyntheticSet
    making_seconds: float | None = None
    folder: Path | None = None

    @property
    def ipc(self) -> int:
        """Items per class that were asked for."""
        return self.synthetic.provenance.per_class

    @property
    def network(self) -> str | None:
        """That it was made for, where there is one."""
        return self.synthetic.start.network if self.synthetic.start else None


def load_sets(words: Sequence[str]) -> list[NamedSet]:
    """Loads all sets that the words of a command line name.

    Args:
        words: each `FOLDER` or `NAME=FOLDER`; the folder of a set, or of a run with `fold-K/set`.

    Raises:
        SetError: a folder holds no set, or a damaged one.
        UserError: two sets of one fold and size would have one name, or one that of a baseline,
            or one that cannot be printed.
    """
    found = [(name, folder) for word in words for name, folder in _folders(word)]
    loaded = [(name, folder, SyntheticSet.load(folder)) for name, folder in found]
    networks = {each.start.network if each.start else None for _, _, each in loaded}
    sets = [
        NamedSet(name or _name(each, len(networks) > 1), each, making_seconds(folder), folder)
        for name, folder, each in loaded
    ]
    seen: dict[tuple[object, ...], Path | None] = {}
    for one in sets:
        if not one.name.isprintable():
            raise UserError(
                f"a set's name must be printable, without line breaks; found {one.name!r}"
            )
        theirs = (TEACHER, PUPIL, FULL_AS, DP_SGD)
        if one.name in (*EVERY_BASELINE, UNTRAINED) or one.name.startswith(theirs):
            raise UserError(
                f"{one.folder} cannot be called {one.name}, as what it is compared with is called "
                f"that: give it another name, as in mine={one.folder}"
            )
        key = one.name, one.synthetic.provenance.fold, one.ipc
        if key in seen:
            raise UserError(
                f"{one.folder} and {seen[key]} are both called {one.name}, at ipc "
                f"{one.ipc} of the same fold: name them, as in first={seen[key]} "
                f"second={one.folder}"
            )
        seen[key] = one.folder
    return sets


def titles(sets: Sequence[NamedSet]) -> list[str]:
    """What each is called where its size does not stand beside it: one name may have several."""
    sizes: dict[str, set[int]] = {}
    for one in sets:
        sizes.setdefault(one.name, set()).add(one.ipc)
    return [one.name if len(sizes[one.name]) == 1 else f"{one.name}, ipc {one.ipc}" for one in sets]


def students_for(sets: Sequence[NamedSet]) -> tuple[str, ...]:
    """Who is trained, if nothing else is said: the networks that sets were made for.

    Sets of other programs were made for none that is known here; if all are such, it is the usual
    student of their features.
    """
    own = tuple(dict.fromkeys(one.network for one in sets if one.network))
    return own or (usual_student(*sets[0].synthetic.spec.shape),)


def budgets_of(sets: Sequence[NamedSet]) -> tuple[PrivacyBudget, ...]:
    """Under which sets are private, each once."""
    guarantees = [one.synthetic.guarantee for one in sets]
    return tuple(dict.fromkeys(found.budget for found in guarantees if found is not None))


def making_seconds(folder: Path) -> float | None:
    """What a set took to make, as the run that made it noted beside it; None if it did not."""
    try:
        seconds = float(json.loads((folder.parent / COST).read_text(encoding="utf-8"))[SECONDS])
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        return None
    return seconds if 0 <= seconds < math.inf else None


def by_fold(sets: Sequence[NamedSet]) -> Mapping[int | None, list[NamedSet]]:
    """The sets made without each fold's test speakers; None: made from all speakers."""
    folds: dict[int | None, list[NamedSet]] = {}
    for one in sets:
        folds.setdefault(one.synthetic.provenance.fold, []).append(one)
    return folds


def _folders(word: str) -> list[tuple[str, Path]]:
    name, equals, path = word.partition("=")
    if not equals or Path(word).exists():
        name, path = "", word
    folder = Path(path)
    if (folder / MANIFEST).exists() or not folder.is_dir():
        return [(name.strip(), folder)]
    inside = sorted(folder.glob("fold-*/set"), key=lambda each: (len(str(each)), str(each)))
    folds = [each for each in inside if each.parent.name != "fold-none"]
    if not folds:
        raise SetError(
            f"{folder} is neither the folder of a set ({MANIFEST}) nor that of a run "
            f"(fold-1/set, ...): give one of those"
        )
    return [(name.strip(), each) for each in folds]


def _name(synthetic: SyntheticSet, tell_networks: bool) -> str:
    if tell_networks and synthetic.start:
        return f"{DISTILLED} for {synthetic.start.network}"
    return DISTILLED
