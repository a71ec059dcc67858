"""What several networks are built of."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

GROUPS = 8


def norm_silu(channels: int) -> tuple[nn.GroupNorm, nn.SiLU]:
    """GroupNorm in eight groups, then SiLU: no running state, smooth."""
    return nn.GroupNorm(GROUPS, channels), nn.SiLU()


def statistics(frames: Float[Tensor, "n channel frame"]) -> Float[Tensor, "n 2*channel"]:
    """Mean and standard deviation over time, side by side."""
    mean = frames.mean(dim=2)
    variance = frames.var(dim=2, correction=0)
    # the square root has no derivative at zero, which a constant synthetic item would meet
    return torch.cat([mean, torch.sqrt(variance + 1e-5)], dim=1)
