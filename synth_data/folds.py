"""The sides of a fold, and the folds that leave groups of utterances out.

No speaker is on two sides of any fold that is made here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations, compress
from typing import Literal, overload

from synth_data.errors import CorpusError
from synth_data.utterance import Utterance

Group = Literal["speaker", "session"]


@dataclass(frozen=True)
class Fold:
    """Indices into a corpus' utterances; the three lists are disjoint."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def groups_of(utterances: Sequence[Utterance], group: Group) -> list[str]:
    """The names of all speakers, or sessions, in sorted order.

    Raises:
        CorpusError: an utterance has none.
    """
    return sorted(set(_group_of_each(utterances, group)))


def _group_of_each(utterances: Sequence[Utterance], group: Group) -> list[str]:
    found = []
    for utterance in utterances:
        value = utterance.speaker if group == "speaker" else utterance.session
        if value is None:
            raise CorpusError(
                f"utterance '{utterance.name}' has no {group}: this protocol needs one"
            )
        found.append(value)
    return found


class GroupFolds(Sequence[Fold]):
    """A fold for each of some lists of tested groups; those that follow in sorted order validate.

    A fold is made when it is asked for: all sides of many speakers' folds are far larger than the
    corpus.

    Args:
        utterances: of the corpus.
        group: what is tested as a whole.
        tests: the groups that each fold tests; every group is in one of them.
        validation_share: of the groups that are not tested, at least one.

    Raises:
        CorpusError: an utterance has no group, there are fewer than three groups, or a speaker is
            in two.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        group: Group,
        tests: list[list[str]],
        validation_share: float,
    ) -> None:
        self._names = [name for test in tests for name in test]
        if len(self._names) < 3:
            raise CorpusError(
                f"number of {group}s found: {len(self._names)}. Training, validation and test need "
                f"one each, so at least 3; --fold none distils from all of them without a test"
            )
        self._tests = tests
        self._share = validation_share
        self._size = len(utterances)
        self._rows: dict[str, list[int]] = {}
        keys = _group_of_each(utterances, group)
        for row, name in enumerate(keys):
            self._rows.setdefault(name, []).append(row)
        self._place = {name: place for place, name in enumerate(self._names)}
        self._unknown = {
            key
            for key, one in zip(keys, utterances, strict=True)
            if group == "speaker" and one.of_unknown_speaker
        }
        if group != "speaker":
            _require_one_group_each(utterances, keys)

    def __len__(self) -> int:
        return len(self._tests)

    @overload
    def __getitem__(self, k: int) -> Fold: ...

    @overload
    def __getitem__(self, k: slice) -> list[Fold]: ...

    def __getitem__(self, k: int | slice) -> Fold | list[Fold]:
        if isinstance(k, slice):
            return [self[one] for one in range(*k.indices(len(self)))]
        test = self._tests[k]
        after = self._place[test[-1]] + 1
        tested = set(test)
        rest = [n for n in self._names[after:] + self._names[:after] if n not in tested]
        held = self._held(rest)
        sides = self._rows_of(held), self._rows_of(test)
        trains = bytearray(b"\1") * self._size
        for row in chain(*sides):
            trains[row] = 0
        return Fold(tuple(compress(range(self._size), trains)), *sides)

    def _held(self, rest: Sequence[str]) -> list[str]:
        """A share of them to validate on.

        Of known and of unknown speakers alike: one utterance of somebody unknown is little beside
        all that somebody said.
        """
        held: list[str] = []
        for unknown in (False, True):
            alike = [name for name in rest if (name in self._unknown) == unknown]
            held += alike[: round(self._share * len(alike))]
        return held or [*rest[:1]]

    def _rows_of(self, names: Sequence[str]) -> tuple[int, ...]:
        return tuple(sorted(row for name in names for row in self._rows[name]))


def assigned(
    utterances: Sequence[Utterance], group: Group, test: set[str], validation: set[str]
) -> Fold:
    """The fold whose test and validation groups these are; all others train.

    Raises:
        CorpusError: an utterance has no group, or a speaker is on two sides.
    """
    keys = _group_of_each(utterances, group)
    other = test | validation
    fold = Fold(
        train=tuple(i for i, key in enumerate(keys) if key not in other),
        validation=tuple(i for i, key in enumerate(keys) if key in validation),
        test=tuple(i for i, key in enumerate(keys) if key in test),
    )
    return speakers_apart(utterances, fold)


def speakers_apart(utterances: Sequence[Utterance], fold: Fold) -> Fold:
    """The fold, if no speaker is on two of its sides.

    Sessions and listed splits need not respect speakers, and a number made from such a split
    would pass for a speaker-independent one.
    """
    sides = [{utterances[i].speaker for i in s} for s in (fold.train, fold.validation, fold.test)]
    _require_none_shared({s for a, b in combinations(sides, 2) for s in a & b})
    return fold


def _require_one_group_each(utterances: Sequence[Utterance], groups: Sequence[str]) -> None:
    """Raises `CorpusError` as `speakers_apart`, where each group is tested without the others."""
    first: dict[str, str] = {}
    pairs = zip(utterances, groups, strict=True)
    _require_none_shared(
        {u.speaker for u, name in pairs if first.setdefault(u.speaker, name) != name}
    )


def _require_none_shared(speakers: set[str]) -> None:
    if speakers:
        raise CorpusError(
            f"speakers on two sides of one fold: {len(speakers)} "
            f"({', '.join(sorted(speakers)[:5])}); use a protocol that splits by speaker, such as "
            f"leave-one-speaker-out, or a speaker-dependent one by its own name"
        )
