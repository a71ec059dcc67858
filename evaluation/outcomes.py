"""Outcomes on disk, by what decides them, so that no student is trained twice.

A run that was interrupted goes on with what is there; another run meets the full-data students
again. An entry that is not what it should be is made again, and a folder that cannot be written is
done without: a cache must never be the reason why something fails.
"""

import json
import logging
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from evaluation.files import write_atomically
from evaluation.jobs import Answers, Digests, Heard, Outcome
from synth_data.feature_cache import default_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """An outcome's entry; test speech by its digest, since what it is called decides nothing."""

    validation: Answers
    test: dict[str, Answers]
    parameters: int
    seconds: float


@dataclass(frozen=True)
class Outcomes:
    """A folder of outcomes.

    Attributes:
        folder: made when the first is written.
    """

    folder: Path

    @classmethod
    def of_this_machine(cls) -> "Outcomes":
        """`$DISTILL_DATA_STUDENTS`, else a folder beside the features that are cached."""
        if named := os.environ.get("DISTILL_DATA_STUDENTS"):
            return cls(Path(named).expanduser())
        return cls(default_folder() / "students")

    def find(self, key: str, heard: Heard, asked: Digests, keep: bool) -> Outcome | None:
        """The outcome of this key, if it is there.

        Where it has not met all of the test speech, it comes with its weights, or not at all.

        Args:
            key: of `Job.key`.
            heard: which the predictions must fit.
            asked: of `heard`.
            keep: whether the weights are wanted.
        """
        try:
            stored = self._entry(key)
            known = {
                name: stored.test[digest]
                for name, digest in asked.test.items()
                if digest in stored.test
            }
            wanted = keep or known.keys() != asked.test.keys()
            weights = load_file(self._weights(key)) if wanted else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, SafetensorError) as error:
            log.warning("a stored outcome, %s, is damaged and made again: %s", key, error)
            return None
        fits = len(stored.validation) == len(heard.validation) and all(
            len(predicted) == len(heard.test[name]) for name, predicted in known.items()
        )
        if not fits:
            log.warning("a stored outcome, %s, does not fit and is made again", key)
            return None
        return Outcome(stored.validation, known, stored.parameters, stored.seconds, weights=weights)

    def put(self, key: str, asked: Digests, outcome: Outcome) -> None:
        """Stores an outcome that is no failure; another process sees the whole of it or none.

        What the same student said to other test speech is kept. One without a seed may have been
        trained again: it is the same if it says the same to all that both were asked.

        Args:
            key: of `Job.key`.
            asked: of what it was asked.
            outcome: what it said.
        """
        if outcome.error:
            return
        test = {asked.test[name]: predicted for name, predicted in outcome.test.items()}
        with suppress(OSError, ValueError):  # none there, or damaged
            before = self._entry(key)
            if before.validation == outcome.validation and before.test | test == test | before.test:
                test = before.test | test
        entry = asdict(Stored(outcome.validation, test, outcome.parameters, outcome.seconds))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if outcome.weights is not None:
                handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
                os.close(handle)
                save_file(dict(outcome.weights), name)
                Path(name).replace(self._weights(key))
            write_atomically(self._file(key), json.dumps(entry))
        except (OSError, SafetensorError) as error:
            log.warning("outcomes are not kept in %s: %s", self.folder, error)

    def _entry(self, key: str) -> Stored:
        content = json.loads(self._file(key).read_text(encoding="utf-8"))
        stored: Stored = TypeAdapter(Stored).validate_python(content)
        return stored

    def _file(self, key: str) -> Path:
        return self.folder / f"{key[:32]}.json"

    def _weights(self, key: str) -> Path:
        return self.folder / f"{key[:32]}.safetensors"
