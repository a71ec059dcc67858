"""Which of an encoder's layers tells a dimension best, to validation speakers."""

import numpy as np
from jaxtyping import Float

from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.ridge import best_reading
from evaluation.systems.system import Material
from evaluation.systems.text_encoders import TextEncoder

SMALLEST_DEVIATION = 1e-3


def best_layers(teacher: SpeechEncoder | TextEncoder, material: Material) -> list[int]:
    """The layer that tells each dimension best, each layer once, from the first."""
    return sorted(set(probed(teacher, material).argmax(axis=1).tolist()))


def probed(
    teacher: SpeechEncoder | TextEncoder, material: Material
) -> Float[np.ndarray, "dimension state"]:
    """CCC of a linear regression on each layer, on validation speakers.

    It reads the mean and the deviation of the layer's states along an utterance; its penalty is
    the best for them.
    """
    states = material.states.pooled(teacher, material.real)
    truth = material.real.task.numbers(material.targets).double()
    train, validation = material.train, material.validation
    scores = []
    for layer in range(states.shape[1]):
        of_layer = states[:, layer].double()
        deviation = of_layer[train].std(dim=0, correction=0).clamp_min(SMALLEST_DEVIATION)
        read = (of_layer - of_layer[train].mean(dim=0)) / deviation
        sides = (read[train], truth[train], read[validation], truth[validation])
        scores.append(best_reading(*(side.numpy() for side in sides)).score)
    return np.stack(scores, axis=1)
