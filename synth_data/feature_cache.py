"""Features on disk, so that a corpus is read once per recipe.

One safetensors file per corpus content, recipe and software. A file that is not what it should be
is computed again, and a folder that cannot be written is done without: a cache must never be the
reason why something fails.
"""

import logging
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from inspect import getsource
from pathlib import Path
from types import ModuleType

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from synth_data import audio, pure_torchaudio
from synth_data.representation import Representation

log = logging.getLogger(__name__)

Rows = dict[int, Float[Tensor, "mel frame"]]


@dataclass(frozen=True)
class FeatureCache:
    """The cache file of one corpus in one recipe.

    Attributes:
        folder: where cache files are; made when the first is written.
        content: digest of the corpus' speech and labels, hexadecimal.
        spec: the recipe.
        size: utterances in the corpus.
    """

    folder: Path
    content: str
    spec: Representation
    size: int

    @property
    def file(self) -> Path:
        """Software is part of the name: other code gets its own file, not wrong features."""
        name = f"{self.content[:16]}-{self.spec.digest()}-{_software(self.spec)}.safetensors"
        return self.folder / name

    def read(self) -> Rows:
        """The stored utterances' features by row; empty if there is no usable file."""
        try:
            with safe_open(self.file, framework="pt") as stored:
                header = stored.metadata() or {}
                rows, values = stored.get_tensor("rows"), stored.get_tensor("features")
        except FileNotFoundError:
            return {}
        except (OSError, SafetensorError) as error:
            return self._rebuild(str(error))
        if not self._fits(rows, values) or header != self._header(rows, values):
            return self._rebuild("its header does not fit its content")
        log.info("features from %s", self.file)
        return dict(zip(rows.tolist(), values, strict=True))

    def write(self, found: Rows) -> None:
        """Stores features by row; another process sees the whole file or none."""
        if not found:
            return
        rows = torch.tensor(sorted(found))
        values = torch.stack([found[row] for row in rows.tolist()])
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
            os.close(handle)
            try:
                save_file({"rows": rows, "features": values}, name, self._header(rows, values))
                Path(name).replace(self.file)
            finally:
                Path(name).unlink(missing_ok=True)
        except (OSError, SafetensorError) as error:
            log.warning("features are not cached in %s: %s", self.folder, error)

    def _fits(self, rows: Tensor, values: Tensor) -> bool:
        return (
            rows.shape == values.shape[:1]
            and rows.dtype == torch.int64
            and bool(((rows >= 0) & (rows < self.size)).all())
            and values.shape[1:] == self.spec.shape
            and values.dtype == torch.float32
        )

    def _header(self, rows: Tensor, values: Tensor) -> dict[str, str]:
        """What the file's metadata must say; the hash catches what the format cannot."""
        content = sha256(rows.numpy().data)
        content.update(values.flatten().numpy().data)
        return {
            "corpus": self.content,
            "recipe": self.spec.digest(),
            "sha256": content.hexdigest(),
        }

    def _rebuild(self, reason: str) -> Rows:
        log.warning("cached features in %s are damaged and made again: %s", self.file, reason)
        return {}


def default_folder() -> Path:
    """`$DISTILL_DATA_CACHE`, else the platform's cache folder (XDG base directories).

    For somebody without a home, such as in a container, one for temporary files.
    """
    if named := os.environ.get("DISTILL_DATA_CACHE"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    if not base:
        try:
            base = str(Path.home() / ".cache")
        except RuntimeError:
            base = tempfile.gettempdir()
    return Path(base) / "distill-data" / "features"


@lru_cache
def _software(spec: Representation) -> str:
    """Names everything that decides a feature's bits, beside the corpus and the recipe."""
    made_by = sha256()
    for module in (audio, pure_torchaudio, *_modules(spec)):
        made_by.update(getsource(module).encode())
    of_parts = sorted({library for part in spec.parts for library in part.libraries})
    for library in ("torch", "torchaudio", "scipy", "soundfile", *of_parts):
        made_by.update(f"{library} {version(library)}".encode())
    return made_by.hexdigest()[:8]


def _modules(spec: Representation) -> list[ModuleType]:
    """Those of the recipe's classes, and of what these take from beside them, such as layers."""
    kinds = {one.__module__ for part in (spec, *spec.parts) for one in type(part).__mro__}
    own = {name for name in kinds if name.startswith(f"{__package__}.")}
    used = {
        str(getattr(value, "__module__", ""))
        for name in own
        for value in vars(sys.modules[name]).values()
    }
    beside = {name for name in used if name.startswith(f"{__package__}.representations.")}
    return [sys.modules[name] for name in sorted(own | beside)]
