"""Which layers of its teachers a run of `distill-model` asks what they tell, and by which folds."""

from collections.abc import Sequence
from dataclasses import replace

from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.layer_relevance import LayerRelevance, layer_relevance, require_askable
from evaluation.systems.states import StateCache
from synth_data.errors import UserError
from synth_data.progress import SILENT, bar
from synth_data.protocol import Protocol, pooled
from synth_data.real import RealSet


def asked(
    real: RealSet,
    protocol: Protocol,
    numbers: Sequence[int],
    speech: Sequence[SpeechEncoder],
    seed: int,
    show_progress: bool,
) -> tuple[dict[str, LayerRelevance], list[str]]:
    """What the layers of each encoder tell of the test speakers; nothing is chosen by it.

    Folds that are tests of their own are asked each by itself, as their models are.

    Args:
        real: the corpus.
        protocol: how it is split.
        numbers: of the folds.
        speech: the encoders.
        seed: of everything random.
        show_progress: a bar on stderr.

    Returns:
        The answers by the name of their picture; and why some cannot be had. The models of such a
        run are worth a report all the same.
    """
    found, why_not = {}, []
    for place, part in parts(real, protocol, numbers).items():
        try:
            require_askable(real.utterances, part, real.task.dimensions)
        except UserError as error:
            why_not.append(f"which layers tell which dimension was not asked: {error}")
            continue
        for number, encoder in enumerate(speech, start=1):
            name = f"layers-{number}" if len(speech) > 1 else "layers"
            found[f"{name}{place}.svg"] = _relevance(real, part, encoder, seed, show_progress)
    return found, why_not


def parts(real: RealSet, protocol: Protocol, numbers: Sequence[int]) -> dict[str, Protocol]:
    """Protocols of some folds, by what their pictures are told apart by.

    One, unless several folds share their training: then each has its own.
    """
    every = protocol.folds(real.utterances)
    folds = {number: every[number - 1] for number in numbers}
    if pooled(list(folds.values())):
        return {"": replace(protocol, folds=lambda _: list(folds.values()))}
    return {
        f"-fold-{number}": replace(
            protocol,
            name=f"{protocol.name}, fold {number}",
            folds=lambda _, number=number: [folds[number]],  # type: ignore[misc]
        )
        for number in numbers
    }


def _relevance(
    real: RealSet, protocol: Protocol, encoder: SpeechEncoder, seed: int, show_progress: bool
) -> LayerRelevance:
    progress = bar("layers") if show_progress else SILENT
    pooled_states = StateCache.of_this_machine(progress).pooled(encoder, real)
    means = pooled_states[:, :, : pooled_states.shape[2] // 2]
    return layer_relevance(
        *(means, real.utterances, protocol, encoder.name, real.corpus),
        dimensions=real.task.dimensions,
        seed=seed,
        progress=progress,
    )
