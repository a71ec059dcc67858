"""The folder of a run: whose it is, and what its settings are."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from distill.config import RunConfig
from synth_data.errors import UserError

log = logging.getLogger(__name__)

SETTINGS = "run.toml"

# Settings of a run that another command may add to: which folds, and where the recordings now
# are. That they are the same recordings is held by their digests.
DIGESTS = ("recordings", "public_recordings")
MAY_DIFFER = ("fold", "data_root", "public_root", *DIGESTS)


def check(out: Path, config: RunConfig, resume: bool) -> None:
    """Makes sure that the results can go into the output folder.

    Raises:
        UserError: it holds another run, or this one and `resume` is not set, or is no folder
            of a run.
    """
    path = out / SETTINGS
    if not path.exists():
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise UserError(f"{out} exists and is not a run's folder: choose another --out")
        return
    if not resume:
        raise UserError(
            f"{out} holds a run already: give --resume to go on with it, or another --out"
        )
    there, here = (each.model_dump() for each in (_stored(out), config))
    differing = [
        f"{name} is {here[name]}, not {there[name]}"
        for name in here
        if name not in MAY_DIFFER and there[name] != here[name]
    ]
    if differing:
        raise UserError(
            f"{out} holds a run with other settings ({'; '.join(differing)}): resume "
            f"with those of {path}, or choose another --out"
        )


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """The output folder, for this run alone as long as its process lives; made if it is not there.

    Raises:
        UserError: another run is at work there, or nothing can be written there.
    """
    new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK):
        raise UserError(f"{out} cannot be written to: choose another --out")
    claim = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another run is at work in {out}: wait until it has ended, or choose another --out"
            ) from error
        except OSError as error:  # there are file systems without locks
            log.debug("%s is not locked: %s", out, error)
        yield
    finally:
        os.close(claim)
        if new:
            with suppress(OSError):  # as it holds something
                out.rmdir()


def begin(out: Path, config: RunConfig, recordings: str, public: str | None) -> None:
    """Writes the settings down; what is added to a run does not narrow it.

    Args:
        out: the folder.
        config: the run.
        recordings: digest of the corpus and all that is told of it.
        public: the same of the public corpus, where there is one.

    Raises:
        UserError: what the folder holds was made from other recordings or labels, so that
            its test speakers might be among this run's training speakers.
    """
    held = dict(zip(DIGESTS, (recordings, public), strict=True))
    config = config.model_copy(update=held)
    if (out / SETTINGS).exists():
        before = _stored(out)
        for name, digest in held.items():
            if (then := getattr(before, name)) != digest:
                raise UserError(
                    f"{out} was made from other {name.replace('_', ' ')} or labels ({then}, "
                    f"not {digest}; ratings and transcripts count where they are used): resume "
                    f"with those, or choose another --out"
                )
        if before.fold == "all" or config.fold == "none":
            config = config.model_copy(update={"fold": before.fold})
    config.save(out / SETTINGS)


def _stored(out: Path) -> RunConfig:
    return RunConfig.of(out / SETTINGS, {}).resolved()
