"""What a disentangler is: it fits a transform that takes the speaker out of speech."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.progress import SILENT, Progress
from synth_data.transforms import Transform

SPEAKERS = 2  # that it takes to know how speakers differ


@dataclass(frozen=True)
class Disentangler(ABC):
    """Separates emotion from speaker; its fields are its settings.

    Attributes:
        name: in `DISENTANGLERS` and on the command line.
        fitted: whether its transform is fitted to the speech behind the door.
        needs_emotions: whether it keeps emotions, and so needs to be told them.
    """

    name: ClassVar[str]
    fitted: ClassVar[bool] = True
    needs_emotions: ClassVar[bool] = False

    @property
    def knows_speakers(self) -> bool:
        """Whether its transform needs to know who speaks, and hears all that a speaker says."""
        return False

    @property
    def passes(self) -> int:
        """Forward and backward passes of an utterance that it takes, about as deep as a student."""
        return 0

    @property
    def note(self) -> str:
        """What a reader of a set from such speech should know."""
        return (
            f"the speech went through {self.name} first, to take the speakers out: how far that "
            f"goes is for attackers to say (evaluate-data --attacks), and nothing guarantees it"
        )

    @abstractmethod
    def fit(self, curator: Curator, seed: int = 0, progress: Progress = SILENT) -> Transform:
        """What takes the speaker out of speech, fitted on the utterances behind the door.

        Args:
            curator: the door.
            seed: that all random numbers are derived from.
            progress: a bar, where it takes steps.

        Raises:
            UserError: there are too few speakers to tell what is theirs.
        """

    def require_speakers(self, speakers: int) -> None:
        """Raises `UserError` if so many are too few to tell what is theirs."""
        if speakers < SPEAKERS:
            raise UserError(
                f"{self.name} takes out how speakers differ, and so needs {SPEAKERS} or more in "
                f"the speech that it is fitted to; found {speakers}: use a corpus whose speakers "
                f"are known, or no --disentangle and no --speaker-penalty"
            )
