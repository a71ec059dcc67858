"""What a run of `distill-model` will do and take, before its long work."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.forecast import in_words
from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.system import System
from evaluation.systems.text_encoders import TextEncoder
from synth_data.utterance import Utterance

TRIED = 3  # utterances that teachers listen to, for the estimate


@dataclass(frozen=True)
class Plan:
    """What is to be done. Seconds are about right within a factor of two.

    Attributes:
        folds: numbers of those that are not done yet.
        trainings: of all models: folds with the same training and validation side share theirs.
        seeds: of each model.
        utterances: of the corpus.
        listening: seconds that the teachers take to listen to all of them, as often as it may be
            needed: each fold may choose other layers.
        teaching: seconds of distilling encoders, on all folds.
    """

    folds: tuple[int, ...]
    trainings: int
    seeds: int
    utterances: int
    listening: float
    teaching: float

    def __str__(self) -> str:
        folds = ", ".join(map(str, self.folds)) or "none"
        lessons = f", {in_words(self.teaching)} to distil encoders" if self.teaching else ""
        return (
            f"estimate: {in_words(self.listening)} at most for the teachers to listen to "
            f"{self.utterances} utterances, less what they heard in earlier runs{lessons}; "
            f"training of networks comes on top, {self.seeds} of each model on each fold "
            f"(to do: {folds})"
        )


def planned(
    system: System,
    speech: Sequence[SpeechEncoder],
    text: TextEncoder | None,
    utterances: Sequence[Utterance],
    left: Sequence[Sequence[int]],
    seeds: int,
) -> Plan:
    """What is to be done, estimated from a few utterances.

    Args:
        system: with its settings.
        speech: encoders of speech.
        text: an encoder of text, where there is one.
        utterances: of the corpus.
        left: numbers of folds that are not done, those together that share their models.
        seeds: of each model.
    """
    some = utterances[:: max(1, len(utterances) // TRIED)][:TRIED]
    times = system.listens(len(left))
    every = [(each, times) for each in speech] + ([] if text is None else [(text, 1)])
    each = sum(count * seconds(teacher, some) for teacher, count in every) if left else 0.0
    return Plan(
        folds=tuple(sorted(number for numbers in left for number in numbers)),
        trainings=len(left),
        seeds=seeds,
        utterances=len(utterances),
        listening=each * len(utterances),
        teaching=len(left) * system.teaching(speech, text, some, len(utterances)) if left else 0.0,
    )


def seconds(teacher: SpeechEncoder | TextEncoder, some: Sequence[Utterance]) -> float:
    """That a teacher takes for an utterance, a mean over some."""
    teacher.states(some[0])  # the first takes longer than any other
    began = time.perf_counter()
    for one in some:
        teacher.states(one)
    return (time.perf_counter() - began) / len(some)
