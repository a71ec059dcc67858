"""What a list of recordings has twice, and counts as two: names, and recordings.

Both may be meant, so nothing is changed: a number says it, and whoever wrote the list knows.
"""

from collections.abc import Iterable, Sequence
from unicodedata import normalize

from synth_data.corpora.tree import few
from synth_data.utterance import Utterance


def of_names(utterances: Sequence[Utterance]) -> list[str]:
    """Of speakers and of emotions that differ only in case or Unicode form, as notes."""
    found = {
        "speakers": _alike({utterance.speaker for utterance in utterances}),
        "emotions": _alike({utterance.emotion for utterance in utterances}),
    }
    return [
        f"{what} that differ only in case or Unicode form: {sum(map(len, groups))} "
        f"({few(' = '.join(map(_shown, group)) for group in groups)}; they count as different)"
        for what, groups in found.items()
        if groups
    ]


def of_recordings(hashed: Iterable[tuple[Utterance, bytes]]) -> list[str]:
    """Of recordings with one content whose speakers, emotions or sides differ, as notes.

    Args:
        hashed: utterances with a digest of their speech.
    """
    same: dict[bytes, list[Utterance]] = {}
    for utterance, digest in hashed:
        same.setdefault(digest, []).append(utterance)
    notes = []
    for what in ("speaker", "emotion", "split"):
        groups = [
            " = ".join(utterance.name for utterance in group)
            for group in same.values()
            if len({getattr(utterance, what) for utterance in group}) > 1
        ]
        if groups:
            notes.append(
                f"recordings that are under more than one {what}: {len(groups)} ({few(groups)})"
            )
    return notes


def _alike(names: set[str]) -> list[list[str]]:
    """Groups of two names or more that differ only in case or Unicode form."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(normalize("NFC", name).casefold(), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _shown(name: str) -> str:
    """A name, such that two forms of one letter can be told apart."""
    return name if name.isascii() else ascii(name)
