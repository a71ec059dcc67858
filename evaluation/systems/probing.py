"""Which of an encoder's layers tells a dimension best, to validation speakers."""

import numpy as np
import torch
from jaxtyping import Float
from sklearn.linear_model import Ridge

from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.fitting import concordances
from evaluation.systems.system import Material
from evaluation.systems.text_encoders import TextEncoder

PENALTIES = (1.0, 10.0, 100.0, 1000.0)
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
    truth = material.real.task.numbers(material.targets)
    scores = np.full((truth.shape[1], states.shape[1]), -1.0)
    for dimension in range(truth.shape[1]):
        known = truth[:, dimension].isfinite()
        train = material.train[known[material.train]]
        validation = material.validation[known[material.validation]]
        if not len(train) or not len(validation):
            continue
        for layer in range(states.shape[1]):
            of_layer = states[:, layer]
            deviation = of_layer[train].std(dim=0, correction=0).clamp_min(SMALLEST_DEVIATION)
            read = ((of_layer - of_layer[train].mean(dim=0)) / deviation).double()
            for penalty in PENALTIES:
                fitted = read[train].numpy(), truth[train, dimension].numpy()
                ridge = Ridge(alpha=penalty).fit(*fitted)
                said = torch.from_numpy(ridge.predict(read[validation].numpy()))[:, None]
                found = concordances(truth[validation, dimension : dimension + 1], said.float())
                scores[dimension, layer] = max(scores[dimension, layer], float(found[0]))
    return scores
