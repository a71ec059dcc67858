"""Digests of what a corpus holds, by which numbers and caches know that it is still the same."""

from collections.abc import Sequence
from hashlib import sha256

from synth_data.representation import Representation
from synth_data.task import Task
from synth_data.utterance import Utterance


def of_speech(hashed: Sequence[tuple[Utterance, bytes]], with_text: bool = False) -> str:
    """Of speech and labels, and at will of transcripts, in hexadecimal.

    Without dimensions, so that a task changes nothing.
    """
    content = sha256()
    for utterance, digest in hashed:
        u = utterance
        text = (u.text,) if with_text else ()
        labels = (u.name, u.emotion, u.speaker, u.session, u.split, *text)
        content.update(f"{labels!r} {digest.hex()}\n".encode())
    return content.hexdigest()


def of_ratings(utterances: Sequence[Utterance], task: Task) -> str:
    """Digest of the dimensions as the corpus has them, if they are told; else empty.

    Their scale goes with the task.
    """
    if not task.dimensions:
        return ""
    told = [(u.name, *((d, getattr(u, d)) for d in task.dimensions)) for u in utterances]
    return sha256(repr(told).encode()).hexdigest()


def of_transcripts(utterances: Sequence[Utterance], spec: Representation) -> str:
    """Digest of what is said, where the recipe reads it; else empty."""
    if all(part.hears for part in spec.parts):
        return ""
    return sha256(repr([(u.name, u.text) for u in utterances]).encode()).hexdigest()
