"""The folder of a set: written all or not at all, and read only if every file is as listed."""

import secrets
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from synth_data.errors import SetError
from synth_data.manifest import CARD, MANIFEST, START, TENSORS, Manifest

LARGEST_MANIFEST = 2**20  # bytes; more is not a manifest, and is not worth parsing


def read(folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the content of every file it lists, checked against it.

    Names that begin with a dot are passed over: version control and file browsers leave them.

    Raises:
        SetError: the folder or a file is missing, too many, unreadable, or not as listed.
    """
    try:
        manifest = Manifest.parse(_content(folder, MANIFEST, LARGEST_MANIFEST))
        _check_names(folder, manifest)
        files: dict[str, bytes] = {}
        for name, entry in manifest.files.items():
            content = _content(folder, name, entry.bytes)
            found = sha256(content).hexdigest()
            if len(content) != entry.bytes or found != entry.sha256:
                raise SetError(
                    f"{name} is damaged: {len(content)} bytes with SHA-256 {found[:12]}..., "
                    f"listed are {entry.bytes} with {entry.sha256[:12]}...; get a fresh copy"
                )
            files[name] = content
    except SetError as error:
        raise SetError(f"{folder}: {error}") from error
    except OSError as error:
        raise SetError(f"{folder}: cannot be read ({error})") from error
    return manifest, files


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files into a new folder beside it, then gives that its name.

    An interrupted write leaves `folder` as it was. A folder that is there already is replaced
    only if it is empty or itself a set: nothing else is ever removed.

    Raises:
        SetError: `folder` holds something else, or cannot be written.
    """
    folder = folder.absolute()
    _require_replaceable(folder)
    mark = secrets.token_hex(4)
    new = folder.with_name(f".{folder.name}.{mark}.new")
    old = folder.with_name(f".{folder.name}.{mark}.old")
    try:
        new.mkdir(parents=True)
        for name, content in files.items():
            (new / name).write_bytes(content)
        try:
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
    except OSError as error:
        raise SetError(f"{folder}: cannot be written ({error})") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)


def _content(folder: Path, name: str, largest: int) -> bytes:
    path = folder / name
    if not path.is_file():  # also keeps from waiting on a pipe; links are common in caches
        kind = f"{name} is missing" if folder.is_dir() else "no such folder"
        kind = "this is a file" if folder.is_file() else kind
        raise SetError(f"{kind}; a synthetic set is a folder with {MANIFEST} and {TENSORS}")
    if path.stat().st_size > largest:
        raise SetError(f"{name} has {path.stat().st_size} bytes, more than the {largest} allowed")
    return path.read_bytes()


def _check_names(folder: Path, manifest: Manifest) -> None:
    needed = {CARD, TENSORS} | ({START} if manifest.start else set())
    if set(manifest.files) != needed:
        raise SetError(
            f"{MANIFEST} lists {', '.join(sorted(manifest.files)) or 'no file'}; "
            f"such a set has {', '.join(sorted(needed))}"
        )
    found = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if extra := sorted(found - needed - {MANIFEST}):
        raise SetError(
            f"{', '.join(extra[:5])} is not listed in {MANIFEST}; a set's folder holds nothing "
            f"else: move it out"
        )


def _require_replaceable(folder: Path) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    if folder.is_dir() and not folder.is_symlink() and names <= {MANIFEST, CARD, TENSORS, START}:
        if not names:
            return
        try:
            Manifest.parse(_content(folder, MANIFEST, LARGEST_MANIFEST))
        except (SetError, OSError):
            pass
        else:
            return
    raise SetError(
        f"{folder}: exists and is not a synthetic set ({', '.join(sorted(names)[:5])}), so it is "
        f"not replaced; choose another folder, or remove it"
    )
