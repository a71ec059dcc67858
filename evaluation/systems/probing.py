"""Which of an encoder's layers tells a dimension best, to validation speakers."""

from itertools import product

import numpy as np
from jaxtyping import Bool, Float

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
    the best for them. Of each dimension it reads utterances of which that is known.
    """
    states = material.states.pooled(teacher, material.real)
    truth = material.real.task.numbers(material.targets).double().numpy()
    train, validation = material.train.numpy(), material.validation.numpy()
    known = ~np.isnan(truth)
    scores = np.empty((truth.shape[1], states.shape[1]))
    for layer, columns in product(range(states.shape[1]), _alike(known)):
        own = known[:, columns[0]]
        heard, checked = train[own[train]], validation[own[validation]]
        of_layer = states[:, layer].double()
        deviation = of_layer[heard].std(dim=0, correction=0).clamp_min(SMALLEST_DEVIATION)
        read = ((of_layer - of_layer[heard].mean(dim=0)) / deviation).numpy()
        wanted = truth[:, columns]
        sides = (read[heard], wanted[heard], read[checked], wanted[checked])
        scores[columns, layer] = best_reading(*sides).score
    return scores


def _alike(known: Bool[np.ndarray, "n dimension"]) -> list[list[int]]:
    """Dimensions, together where they are known of the same utterances: one regression for all."""
    found: dict[bytes, list[int]] = {}
    for dimension, rows in enumerate(known.T):
        found.setdefault(rows.tobytes(), []).append(dimension)
    return list(found.values())
