"""Outcomes on disk, by what decides them, so that no student is trained twice.

A run that was interrupted goes on with what is there; another run meets the full-data students
again. An entry that is not what it should be is made again, and a folder that cannot be written is
done without: a cache must never be the reason why something fails.
"""

import json
import logging
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from evaluation.files import write_atomically
from evaluation.jobs import Heard, Outcome
from synth_data.feature_cache import default_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """An outcome's entry."""

    validation: tuple[int, ...]
    test: dict[str, tuple[int, ...]]
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

    def find(self, key: str, heard: Heard, keep: bool) -> Outcome | None:
        """The outcome of this key, if it is there with all that is asked for.

        Args:
            key: of `Job.key`.
            heard: which the predictions must fit.
            keep: whether the weights are wanted.
        """
        try:
            entry = json.loads(self._file(key).read_text(encoding="utf-8"))
            stored: Stored = TypeAdapter(Stored).validate_python(entry)
            weights = load_file(self._weights(key)) if keep else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, ValidationError, SafetensorError) as error:
            log.warning("a stored outcome, %s, is damaged and made again: %s", key, error)
            return None
        lengths = {name: len(features) for name, features in heard.test.items()}
        if len(stored.validation) != len(heard.validation) or lengths != {
            name: len(predicted) for name, predicted in stored.test.items()
        }:
            log.warning("a stored outcome, %s, does not fit and is made again", key)
            return None
        return Outcome(**vars(stored), weights=weights)

    def put(self, key: str, outcome: Outcome) -> None:
        """Stores an outcome that is no failure; another process sees the whole of it or none."""
        if outcome.error:
            return
        entry: dict[str, Any] = asdict(
            Stored(outcome.validation, dict(outcome.test), outcome.parameters, outcome.seconds)
        )
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

    def _file(self, key: str) -> Path:
        return self.folder / f"{key[:32]}.json"

    def _weights(self, key: str) -> Path:
        return self.folder / f"{key[:32]}.safetensors"
