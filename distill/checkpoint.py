"""Progress of one distillation on disk, so that an interrupted run ends with the same bits."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from synth_data.errors import UserError

logger = logging.getLogger(__name__)


class Checkpoint:
    """One file of tensors, replaced as a whole, that belongs to one run.

    Args:
        path: of the file; None keeps nothing.
        run: everything that decides the result; a file of another run is refused.
    """

    def __init__(self, path: Path | None, run: Mapping[str, object]) -> None:
        self._path = path
        self._run = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()

    def load(self) -> dict[str, Tensor] | None:
        """What was saved last, or None; a damaged file is as good as none.

        Raises:
            UserError: the file belongs to a run with other settings or other data.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            with safe_open(self._path, framework="pt") as file:
                run = (file.metadata() or {}).get("run")
                saved = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            logger.warning("%s is damaged (%s): this fold starts again", self._path, error)
            return None
        if run != self._run:
            raise UserError(
                f"{self._path} was saved by a run with other settings, another version or other "
                f"recordings: resume with those, or choose another --out"
            )
        return saved

    def save(self, tensors: Mapping[str, Tensor]) -> None:
        """Replaces the file; an interruption leaves the old one."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(contiguous, partial, metadata={"run": self._run})
        partial.replace(self._path)

    @staticmethod
    def seconds(path: Path) -> float:
        """The time spent when a file was saved; 0.0 where there is none."""
        if not path.exists():
            return 0.0
        with safe_open(path, framework="pt") as file:
            return float(file.get_tensor("seconds"))
