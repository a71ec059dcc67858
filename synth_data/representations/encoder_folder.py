"""Folders of encoders: where one is, and that it is the one that was meant.

An encoder is known by a digest of its weights and settings, never by its name: what is found under
the right name with another digest is not used. Only safetensors are read, never a pickle, and never
code out of a folder. Nothing is downloaded because a set says so: a set names its encoder, and
whoever uses it says where that is (`open_encoder`, or `$DISTILL_DATA_ENCODERS`).
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import file_digest, sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from synth_data.errors import UserError

PLACES = "DISTILL_DATA_ENCODERS"  # folders, as $PATH lists them
EXTRA = 'pip install "distill-data[ssl]"'
HEARING = "preprocessor_config.json"  # of an encoder of speech
# What decides an encoder's answers; of a text encoder the rest is its tokenizer.
DECISIVE = ("config.json", HEARING, "model*.safetensors", "tokenizer*.json")
WORDS = ("vocab.*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model")
# Of config.json, what says nothing about the answers.
IDLE = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype")

EncoderName = Annotated[str, Field(pattern=r"^\w[\w.-]{0,99}(/\w[\w.-]{0,99})?$")]
EncoderDigest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class EncoderFolder:
    """An encoder on disk, checked as far as that goes without loading it.

    Attributes:
        path: of the folder.
        name: that it goes by in sets: a name on the hub, or the folder's own.
        config: the content of its config.json.
        digest: SHA-256, hexadecimal.
    """

    path: Path
    name: str
    config: Mapping[str, Any]
    digest: str

    def number(self, setting: str, or_else: str | None = None) -> int:
        """A positive whole number in the encoder's settings.

        Args:
            setting: its name.
            or_else: its name in other families.

        Raises:
            UserError: it is not there, or is none.
        """
        found = self.config.get(setting, or_else and self.config.get(or_else))
        if type(found) is not int or found < 1:
            names = f"{setting} (or {or_else})" if or_else else setting
            raise UserError(
                f"{self.path}: config.json should say {names}, a positive number; found {found!r}"
            )
        return found

    def numbers(self, setting: str) -> list[int]:
        """A list of positive whole numbers in the encoder's settings.

        Raises:
            UserError: it is not there, or is none.
        """
        found = self.config.get(setting)
        whole = isinstance(found, list) and all(type(one) is int and one > 0 for one in found)
        if not found or not whole:
            raise UserError(
                f"{self.path}: config.json should say {setting}, a list of positive numbers; found "
                f"{found!r}"
            )
        return found

    def require_family(self, family: str, known: Iterable[str]) -> None:
        """Raises `UserError` if it is an encoder of another family; `known` are those there are."""
        found = str(self.config.get("model_type"))
        if found != family:
            others = f": use {found}:{self.name}" if found in known else ""
            raise UserError(
                f"{self.path} is no {family} encoder, its config.json says model_type {found!r}"
                f"{others}. Known: {', '.join(known)}"
            )

    def hearing(self) -> dict[str, Any]:
        """How an encoder of speech wants its waveforms, as its feature extractor was saved.

        Raises:
            UserError: nothing says so, or it cannot be read.
        """
        if not (self.path / HEARING).exists():  # nor can it be guessed: WavLM Base+ differs
            raise UserError(
                f"{self.path}: no {HEARING}, which says whether waveforms are brought to mean 0 "
                f"and deviation 1 first, as some encoders need and others must not have. Save the "
                f"one that the encoder came with: AutoFeatureExtractor.from_pretrained(ORIGINAL)"
                f".save_pretrained(FOLDER), of transformers; or, where you know how it was "
                f"trained, Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(FOLDER), or "
                f"False"
            )
        return _json(self.path / HEARING)


def open_encoder(where: str) -> EncoderFolder:
    """The encoder in a folder, or of a name on the Hugging Face hub, from now on known by `find`.

    What is on this machine already is not asked for again.

    Raises:
        UserError: transformers is not installed, the folder is no encoder's, or the hub cannot be
            reached or has no such encoder.
    """
    require_transformers()
    path = Path(where).expanduser()
    if path.is_dir():
        found = _folder(path.resolve(), _printable(path.resolve().name))
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", where) and not where.startswith("."):
        found = _folder(_from_hub(where), where, of_hub=True)
    else:
        raise UserError(
            f"{where}: there is no such folder, and names on the Hugging Face hub look like "
            f"facebook/wav2vec2-base-960h"
        )
    _remember(found.path)
    return found


def find(name: str, digest: str) -> Path:
    """The folder of the encoder with this digest.

    Args:
        name: that it goes by, for the error.
        digest: of `EncoderFolder`.

    Raises:
        UserError: it is in none of the known places, or transformers is not installed.
    """
    require_transformers()
    other = []
    for place in _places(name):
        try:
            found = _folder(place, name)
        except UserError:
            continue
        if found.digest == digest:
            return place
        other.append(place)
    differing = f" (found with other weights or settings: {other[0]})" if other else ""
    raise UserError(
        f"the features come from the encoder {name}, with the digest {digest[:12]}..., which is "
        f"not known here{differing}: say where it is with --encoder FOLDER or a name on the "
        f"Hugging Face hub, or list its folder in ${PLACES}"
    )


def require_transformers() -> None:
    """Raises `UserError` if encoders cannot be run here."""
    if find_spec("transformers") is None:
        raise UserError(f"encoders need transformers, which is not installed: {EXTRA}")


def _places(name: str) -> Iterator[Path]:
    """Folders that may hold an encoder: as listed, or under its own name in one that is."""
    own = name.rpartition("/")[2]
    for place in dict.fromkeys(filter(None, os.environ.get(PLACES, "").split(os.pathsep))):
        folder = Path(place).expanduser()
        yield from (one for one in (folder, folder / own, folder / name) if one.is_dir())


def _remember(path: Path) -> None:
    """In the environment, so that processes that start later know it as well."""
    known = os.environ.get(PLACES, "")
    if str(path) not in known.split(os.pathsep):
        os.environ[PLACES] = f"{known}{os.pathsep}{path}" if known else str(path)


def _from_hub(name: str) -> Path:
    """The files of an encoder on the hub, fetched unless they are here.

    Raises:
        UserError: they are not here and cannot be fetched.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = [*DECISIVE, *WORDS]
    try:
        here = snapshot_download(name, allow_patterns=patterns, local_files_only=True)
        if _weights(Path(here)):
            return Path(here)
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"{name} is no folder here, not on this machine, and the Hugging Face hub cannot be "
            f"reached: check the network, or fetch it elsewhere and give its folder"
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"{name} is no folder here and cannot be fetched from the Hugging Face hub ({reason}): "
            f"check the name and the network, or give a folder"
        ) from error


def _folder(path: Path, name: str, of_hub: bool = False) -> EncoderFolder:
    """A folder, checked and hashed.

    Args:
        path: of the folder.
        name: that the encoder goes by.
        of_hub: whether it has just been looked up there, where pickles are never fetched.

    Raises:
        UserError: it is not that of an encoder, or its weights are not in safetensors.
    """
    config = _json(path / "config.json")
    if not _weights(path):
        pickled = sorted(one.name for one in path.glob("*.bin"))
        found = f"only {pickled[0]}, a pickle, which may run code" if pickled else "none"
        beside = "AutoFeatureExtractor" if "conv_stride" in config else "AutoTokenizer"
        where, of, it = str(path), "FOLDER", "it"
        if of_hub:
            where, of, it = f"{name}, on the Hugging Face hub", f"'{name}'", "what else is there"
        raise UserError(
            f"{where}: no weights as safetensors (model.safetensors); found {found}. Where you "
            f"trust {it}, convert it once, with what belongs to it: "
            f"AutoModel.from_pretrained({of}).save_pretrained(OTHER) and "
            f"{beside}.from_pretrained({of}).save_pretrained(OTHER), of transformers; and give "
            f"OTHER in its place"
        )
    digest = sha256(
        json.dumps({k: v for k, v in config.items() if k not in IDLE}, sort_keys=True).encode()
    )
    decisive = {one for pattern in (*DECISIVE, *WORDS) for one in path.glob(pattern)}
    for file in sorted(decisive - {path / "config.json"}):
        stat = file.stat()
        digest.update(f"{file.name} ".encode())
        digest.update(_file_digest(file, stat.st_size, stat.st_mtime_ns))
    return EncoderFolder(path, name, config, digest.hexdigest())


def _json(file: Path) -> dict[str, Any]:
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise ValueError("it holds no settings")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file.parent}: not the folder of an encoder, {file.name} cannot be read ({error}): "
            f"give one that transformers' save_pretrained wrote"
        ) from error
    return settings


def _weights(path: Path) -> list[Path]:
    return sorted(path.glob("model*.safetensors"))


@lru_cache(maxsize=1024)
def _file_digest(path: Path, size: int, modified: int) -> bytes:  # noqa: ARG001 - keys
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").digest()


def _printable(name: str) -> str:
    """A folder's name as sets may give it."""
    return re.sub(r"[^\w.-]+", "-", name)[:100].strip("-.") or "encoder"
