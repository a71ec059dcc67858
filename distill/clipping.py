"""Gradients that are out of proportion, shortened."""

from collections.abc import Mapping

from torch import Tensor

CLIP = 2.0  # times its running mean, that a gradient's norm may be
MEMORY = 0.9  # of that running mean


def clipped(learned: Mapping[str, Tensor], norms: dict[str, Tensor]) -> bool:
    """Shortens gradients that are out of proportion; False if one cannot be used.

    Args:
        learned: tensors with gradients.
        norms: running means of the gradients' norms, by name, 0 before the first; updated.
    """
    gradients = {name: value.grad for name, value in learned.items() if value.grad is not None}
    found = {name: gradient.norm().cpu() for name, gradient in gradients.items()}
    if not all(norm.isfinite() for norm in found.values()):
        return False
    for name, norm in found.items():
        if norms[name] > 0 and norm > CLIP * norms[name]:
            gradients[name] *= (CLIP * norms[name] / norm).to(gradients[name].device)
            norm = CLIP * norms[name]
        norms[name] = MEMORY * norms[name] + (1 - MEMORY) * norm if norms[name] > 0 else norm
    return True
