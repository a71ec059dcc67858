"""What a table lists, whatever its format: rows of named cells, as text."""

from collections.abc import Iterable, Mapping, Sequence
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
OTHER_NAMES = {"arousal": "activation"}  # of columns
GENDERS = {"female": "female", "male": "male", "f": "female", "m": "male"}


@dataclass(frozen=True)
class Listing:
    """The rows of a table, not yet checked.

    Attributes:
        source: the table, as errors name it.
        folder: where paths of recordings start.
        rows: each with where it stands, such as "line 3", and its cells by column; the columns
            are those of `REQUIRED` and `OPTIONAL` (`column_of`). Empty or absent cells are unknown.
        notes: what was left out of it, as it stands with every number.
    """

    source: Path
    folder: Path
    rows: Sequence[tuple[str, Mapping[str, str]]]
    notes: tuple[str, ...] = ()


def column_of(name: str) -> str:
    """What a column is called here, from its name in a table.

    >>> column_of(" File"), column_of("arousal"), column_of("Age")
    ('file', 'activation', 'Age')
    """
    folded = name.strip().casefold()
    folded = OTHER_NAMES.get(folded, folded)
    return folded if folded in REQUIRED + OPTIONAL else name.strip()


def twice(names: Iterable[str]) -> str | None:
    """What is wrong with columns of which two say the same; None where none do.

    >>> twice(["File", "arousal", "activation"])
    "the column 'activation' occurs twice, the other time as 'arousal'; remove one"
    """
    seen: dict[str, str] = {}
    for name in names:
        column = column_of(name)
        if column in seen:
            others = [found for found in (seen[column], name.strip()) if found != column]
            other = f", the other time as '{others[0]}'" if others else ""
            return f"the column '{column}' occurs twice{other}; remove one"
        seen[column] = name.strip()
    return None


def is_there(path: Path) -> bool:
    """Whether a file is there; that no file could be called so is no error."""
    try:
        return path.is_file()
    except OSError:
        return False


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
