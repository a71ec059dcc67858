"""The plain baseline: every speaker's mel bands at mean 0 and deviation 1.

Common in speech emotion recognition, and not to be had by everybody: it needs to know which test
utterances are of one speaker, and uses statistics of all of them.
"""

from dataclasses import dataclass
from typing import ClassVar

from distill.disentangle.disentangler import Disentangler
from synth_data.curator import Curator
from synth_data.progress import SILENT, Progress
from synth_data.transforms import SpeakerNormalise, Transform


@dataclass(frozen=True)
class SpeakerNormalisation(Disentangler):
    """Normalises by each speaker's own statistics; nothing is fitted."""

    name: ClassVar[str] = "speaker-normalisation"
    fitted: ClassVar[bool] = False

    @property
    def knows_speakers(self) -> bool:
        return True

    def fit(
        self,
        curator: Curator,
        seed: int = 0,  # noqa: ARG002 - nothing is drawn
        progress: Progress = SILENT,  # noqa: ARG002 - it is done at once
    ) -> Transform:
        self.require_speakers(curator.count_speakers())
        return SpeakerNormalise()
