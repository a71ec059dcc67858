"""Normal noise and coin tosses from the operating system's entropy, for privacy alone.

No seed makes them again and nothing logs them: who could draw the noise again could take it away.
Everything else that is random in this package is drawn from seeded generators.

A number of finite precision is no normal number: which values can come out tells something of
what the noise was added to (Mironov, CCS 2012). As in Opacus, four draws are added, after which
that is beyond known attacks (Holohan and Braghin, "Secure random sampling in differential privacy",
ESORICS 2021).
"""

import os
from collections.abc import Callable
from secrets import SystemRandom

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.special import ndtri
from torch import Tensor

DRAWS = 4

# So many standard normal numbers.
Noise = Callable[[int], Float[Tensor, " size"]]
# So many tosses of a coin, each true with a probability.
Tosses = Callable[[int, float], Bool[Tensor, " size"]]


def system_noise(size: int) -> Float[Tensor, " size"]:
    """Standard normal numbers, in double precision."""
    total = np.zeros(size)
    for _ in range(DRAWS):
        bits = np.frombuffer(os.urandom(8 * size), dtype=np.uint64) >> np.uint64(12)
        total += ndtri((bits + 0.5) * 2.0**-52)  # exact, and neither 0 nor 1
    return torch.from_numpy(total / np.sqrt(DRAWS))


def system_tosses(size: int, probability: float) -> Bool[Tensor, " size"]:
    """So many tosses of a coin, independent, each true with a probability."""
    random = SystemRandom()
    return torch.tensor([random.random() < probability for _ in range(size)])
