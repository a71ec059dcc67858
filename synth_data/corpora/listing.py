"""What a table lists, whatever its format: rows of named cells, as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from synth_data.errors import CorpusError
from synth_data.protocol import speaker_dependent

REQUIRED = ("file", "emotion", "speaker")
OPTIONAL = (
    "start",
    "end",
    "split",
    "session",
    "gender",
    "valence",
    "activation",
    "dominance",
    "text",
)
GENDERS = ("female", "male")


@dataclass(frozen=True)
class Listing:
    """The rows of a table, not yet checked.

    Attributes:
        source: the table, as errors name it.
        folder: where paths of recordings start.
        rows: each with where it stands, such as "line 3", and its cells by column; the columns
            are those of `REQUIRED` and `OPTIONAL`. Empty or absent cells are unknown.
        notes: what was left out of it, as it stands with every number.
    """

    source: Path
    folder: Path
    rows: Sequence[tuple[str, Mapping[str, str]]]
    notes: tuple[str, ...] = ()


def no_speaker(source: Path, place: str, cure: str) -> CorpusError:
    """The error for a table that does not tell its speakers.

    Args:
        source: the table.
        place: where they were looked for, such as "column".
        cure: what to do, such as "Add one".
    """
    return CorpusError(
        f"{source}: there is no speaker {place}, so every number would be speaker-dependent. "
        f"{cure}: with one constant speaker only --fold none and --protocol "
        f"{speaker_dependent().name} are possible, and no --disentangle, --speaker-penalty or "
        f"--attacks"
    )
