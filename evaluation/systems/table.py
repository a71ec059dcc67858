"""The systems, by their name on the command line."""

from collections.abc import Mapping

from evaluation.systems.audio_textual import AudioTextual
from evaluation.systems.representation import Representation
from evaluation.systems.system import System

SYSTEMS: Mapping[str, type[System]] = {
    "representation": Representation,
    "audio-textual": AudioTextual,
}
