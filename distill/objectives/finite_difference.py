"""Derivatives of a gradient by finite differences, in place of a second backward pass.

Objectives that look at the gradient g(w, x) of a student's loss need the derivative of <g, q>
for some direction q: with respect to the items x it moves the set, with respect to the weights w
it is the Hessian times q. Both are differences of plain gradients at two near-by weights,

    d/dx <g(w, x), q>  =  (d/dx loss(w + e q, x) - d/dx loss(w - e q, x)) / 2e + O(e^2),

so that the cost is two ordinary passes and the memory that of one, however deep the network.
It needs a loss that is smooth in the weights, as with SiLU and average pools; a kink between the
two points is not seen, or seen too large. A test holds every network that a set can be made for
against the exact derivative.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from evaluation.networks import Weights

STEP = 1e-4  # e |q| / |w|; ten times more bends the curvature, a hundred times less is still exact


def along(
    loss: Callable[[Weights], Float[Tensor, ""]],
    weights: Weights,
    direction: Weights,
    inputs: Sequence[Tensor],
    near: float = STEP,
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The derivatives of <gradient of the loss, direction>.

    Args:
        loss: of the student, as a function of its weights.
        weights: where.
        direction: q; weights that it does not name stay as they are.
        inputs: what else the loss depends on and is to be moved: leaves that require gradients.
        near: how near the two weights are, relative to the length of the weights.

    Returns:
        The derivative with respect to the weights that `direction` names (the Hessian times q),
        and with respect to each of the inputs; zeros where the direction has no length, and NaN
        where it is not finite.
    """
    length = _norm(direction.values())
    # Nothing here waits for a number, as a GPU would have to be waited for: a direction without a
    # length takes a step of any size and arrives where it is.
    step = (near * _norm(weights.values()) / length).where(length != 0, 1.0)
    sides = []
    for sign in (1, -1):
        moved = {
            name: (w + sign * step * direction[name] if name in direction else w).detach()
            for name, w in weights.items()
        }
        free = [moved[name].requires_grad_() for name in direction]
        with _every_digit():
            slopes = torch.autograd.grad(
                loss(moved), [*free, *inputs], allow_unused=True, materialize_grads=True
            )
        sides.append(slopes)
    both = [(plus - minus) / (2 * step) for plus, minus in zip(*sides, strict=True)]
    return dict(zip(direction, both, strict=False)), both[len(direction) :]


def with_slopes(
    value: Float[Tensor, ""], inputs: Sequence[Tensor], slopes: Sequence[Tensor]
) -> Float[Tensor, ""]:
    """A number whose derivative with respect to each input is known already."""
    total = value.detach()
    for tensor, slope in zip(inputs, slopes, strict=True):
        total = total + ((tensor - tensor.detach()) * slope).sum()  # zero, but for its slope
    return total


@contextmanager
def _every_digit() -> Iterator[None]:
    """Convolutions in float32, where a GPU may round to ten bits: of a difference none are left."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _norm(tensors: Iterable[Tensor]) -> Float[Tensor, ""]:
    squares = [tensor.detach().square().sum() for tensor in tensors]
    return torch.stack(squares).sum().sqrt().double()
