"""What a run of `distill-model` will do and take, before its long work."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.forecast import in_words
from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.text_encoders import TextEncoder
from synth_data.utterance import Utterance

TRIED = 3  # utterances that teachers listen to, for the estimate
# Every layer once, for whoever chooses among them; and once more those that are chosen.
SPEECH_TIMES, TEXT_TIMES = 2, 1


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        folds: numbers of those that are not done yet.
        seeds: of each model.
        utterances: of the corpus.
        listening: seconds that the teachers take to listen to all of them, once for all folds;
            about right within a factor of two.
    """

    folds: tuple[int, ...]
    seeds: int
    utterances: int
    listening: float

    def __str__(self) -> str:
        folds = ", ".join(map(str, self.folds)) or "none"
        return (
            f"estimate: {in_words(self.listening)} for the teachers to listen to "
            f"{self.utterances} utterances, less what they heard in earlier runs; training comes "
            f"on top, {self.seeds} of each model on each fold (to do: {folds})"
        )


def listening(
    speech: Sequence[SpeechEncoder], text: TextEncoder | None, utterances: Sequence[Utterance]
) -> float:
    """Seconds that teachers take for all utterances, from how long they take for a few."""
    some = utterances[:: max(1, len(utterances) // TRIED)][:TRIED]
    teachers: list[tuple[SpeechEncoder | TextEncoder, int]]
    teachers = [(each, SPEECH_TIMES) for each in speech]
    teachers += [] if text is None else [(text, TEXT_TIMES)]
    total = 0.0
    for teacher, times in teachers:
        teacher.states(some[0])  # the first takes longer than any other
        began = time.perf_counter()
        for one in some:
            teacher.states(one)
        total += times * (time.perf_counter() - began) / len(some)
    return total * len(utterances)
