"""The real recordings of one corpus as feature tensors, and their folds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.corpora.facts import Corpus
from synth_data.corpus_notes import licences
from synth_data.errors import CorpusError, UserError
from synth_data.protocol import Protocol
from synth_data.representation import Representation
from synth_data.task import Task
from synth_data.utterance import Utterance


@dataclass(frozen=True)
class RealSet:
    """Utterances of a corpus and their features, aligned.

    Attributes:
        facts: what is known of the corpus.
        task: what is to be told of an utterance.
        spec: how the features were computed.
        utterances: who says what with which emotion, and which file it is in.
        features: one row per utterance.
        targets: a row for each, with the task's columns: one-hot for emotions, and then the
            dimensions in [-1, 1]. NaN where an emotion or a dimension is not known.
        digest: hexadecimal, of the corpus' content (speech and labels, but for dimensions: one
            corpus is the same whatever is told of it).
        ratings: the same of the dimensions' values; empty where none are told.
        transcripts: the same of what is said; empty where the features are not made from it.
        notes: what a reader of a number must know: counts that differ from the published ones,
            recordings skipped.
        protocol: the name of the protocol whose training, validation or test side this is.
        fold_number: of that protocol; None for utterances of all speakers.
    """

    facts: Corpus
    task: Task
    spec: Representation
    utterances: tuple[Utterance, ...]
    features: Float[Tensor, "n mel frame"]
    targets: Float[Tensor, "n column"]
    digest: str
    ratings: str = ""
    transcripts: str = ""
    notes: tuple[str, ...] = ()
    protocol: str | None = None
    fold_number: int | None = None

    @property
    def shared_notes(self) -> tuple[str, ...]:
        """The notes as they may go with a set: without brackets, which may name recordings.

        What the use of features asks is given whole.
        """
        whole = {*licences(self.spec)}
        return tuple(note if note in whole else note.partition(" (")[0] for note in self.notes)

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def corpus(self) -> str:
        """The corpus' name."""
        return self.facts.name

    @property
    def content(self) -> str:
        """Hexadecimal, of all that decides what is made of the corpus for this task.

        A privacy ledger goes by `digest`, as whoever is protected is the same in every task.
        """
        more = (self.ratings, self.transcripts)
        return sha256(repr((self.digest, *more)).encode()).hexdigest() if any(more) else self.digest

    @property
    def emotions(self) -> tuple[str, ...]:
        """The class names; none where dimensions alone are told."""
        return self.task.emotions

    @property
    def speakers(self) -> list[str]:
        """The speaker of each row."""
        return [utterance.speaker for utterance in self.utterances]

    @property
    def known_speakers(self) -> list[str]:
        """The names of all who are known, sorted."""
        return sorted({one.speaker for one in self.utterances if not one.of_unknown_speaker})

    def weighed(self, weights: Sequence[float]) -> "RealSet":
        """The same with these weights of the dimensions in what is learned; none: all alike.

        Raises:
            UserError: they do not fit the dimensions.
        """
        return replace(self, task=replace(self.task, weights=tuple(weights)))

    def select(self, rows: Sequence[int]) -> "RealSet":
        """The set of these rows, in this order."""
        return replace(
            self,
            utterances=tuple(self.utterances[row] for row in rows),
            features=self.features[list(rows)],
            targets=self.targets[list(rows)],
        )

    def fold(
        self, protocol: Protocol, k: int, every_emotion: bool = True
    ) -> tuple["RealSet", "RealSet", "RealSet"]:
        """A fold as (train, validation, test).

        Args:
            protocol: how the corpus is split.
            k: the fold's number; the first is 1.
            every_emotion: refuse a training side that lacks one.

        Raises:
            UserError: there is no such fold.
            CorpusError: a side is empty or lacks a dimension, or training lacks an emotion and
                should not.
        """
        folds = protocol.folds(self.utterances)
        if not 1 <= k <= len(folds):
            raise UserError(
                f"fold {k} does not exist: {protocol.name} on {self.corpus} has folds "
                f"1 to {len(folds)}"
            )
        fold = folds[k - 1]
        sides = {"training": fold.train, "validation": fold.validation, "test": fold.test}
        for side, rows in sides.items():
            if not rows:
                raise CorpusError(
                    f"fold {k} of {protocol.name} on {self.corpus} has no {side} utterance"
                )
        train, validation, test = (
            replace(self.select(rows), protocol=protocol.name, fold_number=k)
            for rows in sides.values()
        )
        for name, part in zip(sides, (train, validation, test), strict=True):
            where = f"the {name} side of fold {k} of {self.corpus}"
            require_values(part.task, part.targets, where)
        if every_emotion or self.task.dimensions:
            train.require_every_group(f"the training side of fold {k}")
        return train, validation, test

    def to(self, device: torch.device) -> "RealSet":
        """The same set with its tensors on a device."""
        return replace(self, features=self.features.to(device), targets=self.targets.to(device))

    def require_every_group(self, where: str) -> None:
        """Raises `CorpusError` if an emotion has no utterance; `where` names this set.

        Of cells of the label space some may be empty, but not all.
        """
        if self.task.dimensions:
            self._require_complete(where)
            return
        if len(self.emotions) < 2:
            raise CorpusError(
                f"{self.corpus} has a single emotion, {', '.join(self.emotions)}: there is nothing "
                f"to tell apart; add utterances of another"
            )
        counts = self.targets.sum(dim=0)
        missing = [name for name, count in zip(self.emotions, counts, strict=True) if count == 0]
        if missing:
            raise CorpusError(
                f"{where} of {self.corpus} has no utterance of {', '.join(missing)}: nothing can "
                f"be distilled for it; use another protocol, or leave the emotion out of the labels"
            )

    def _require_complete(self, where: str) -> None:
        if not any(self.group_rows(group) for group in range(len(self.task.groups))):
            raise CorpusError(
                f"{where} of {self.corpus} has no utterance with a value of each of "
                f"{', '.join(self.task.dimensions)}, so that no item can start as one: complete "
                f"the labels, or use another protocol"
            )

    def group_rows(self, group: int) -> list[int]:
        """The rows of one emotion, or of one cell of the label space.

        Utterances that lack a dimension are in no cell.
        """
        return torch.nonzero(self.task.group_of(self.targets) == group).flatten().tolist()


def require_values(task: Task, targets: Float[Tensor, "n column"], where: str) -> None:
    """Raises `CorpusError` if not two known values of a dimension differ: nothing is told by less.

    Args:
        task: what the columns are.
        targets: of some utterances.
        where: what these are, in words.
    """
    numbers = task.numbers(targets)
    for name, values in zip(task.dimensions, numbers.T, strict=True):
        known = values[~values.isnan()]
        if len(known) < len(values) and len(known.unique()) < 2:
            raise CorpusError(
                f"{where} has {len(known)} values of {name}, and no two that differ: use another "
                f"protocol, or leave {name} out of the labels of all utterances"
            )
