"""How long it takes to distil an encoder, from a few steps."""

import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from evaluation.systems.distil_encoder import Distillation, distilled
from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.states import summed_up
from evaluation.systems.text_encoders import TextEncoder
from synth_data.progress import SILENT
from synth_data.utterance import Utterance

STEPS = 2  # that are timed; others warm up


def seconds_of(
    teacher: SpeechEncoder | TextEncoder,
    how: Distillation,
    some: Sequence[Utterance],
    utterances: int,
) -> float:
    """Seconds to teach a student, and then of the student to listen to the corpus.

    Args:
        teacher: is asked at every step, as in earnest.
        how: it teaches.
        some: utterances, which make a batch here.
        utterances: in the corpus.
    """
    ended = [time.perf_counter()]
    for steps in (1, 1 + STEPS):  # what they differ in are steps, and not the start
        few = replace(how, steps=steps, batch=len(some))
        random = torch.Generator().manual_seed(0)
        network, _ = distilled(teacher, some, [teacher.layers], few, random)
        ended.append(time.perf_counter())
    summed_up(replace(teacher, network=network), some, SILENT)
    once, more, listening = (
        late - early for early, late in zip(ended, [*ended[1:], time.perf_counter()], strict=True)
    )
    step = max(0.0, more - once) / STEPS
    of_batch = how.batch / len(some)
    return how.steps * of_batch * step + utterances / len(some) * listening
