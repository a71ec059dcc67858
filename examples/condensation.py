"""Plain dataset condensation: what the benchmark compares objectives with.

Zhao et al. 2021, "Dataset condensation with gradient matching", as its authors run it. It is here
to be compared with, and so reads the real tensors without the door.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from evaluation.networks import Weights, apply, draw_weights
from evaluation.students import Examples, cross_entropy
from synth_data.real import RealSet

# Matches per network, and epochs of its training between two of them, by ipc: as published.
LOOPS = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
BATCH = 256  # at most so many real utterances of a class, and so many items in a training step
RATE, MOMENTUM, NETWORK_RATE = 0.1, 0.5, 0.01  # of SGD on the items, and on the network


def loops(ipc: int) -> tuple[int, int]:
    """The reference's loops: those published for the largest ipc that is not above this one."""
    return LOOPS[max(published for published in LOOPS if published <= ipc)]


def condense(
    real: RealSet, network: nn.Module, start: Examples, rate: float, draws: torch.Generator
) -> Iterator[Float[Tensor, "n mel frame"]]:
    """Dataset condensation, plainly: the items after each outer step, without an end.

    Args:
        real: the training utterances.
        network: from `skeleton`.
        start: as many items of each class, in the order of the classes.
        rate: of SGD on the items.
        draws: for networks and batches.
    """
    items, targets = start.features.clone().requires_grad_(), start.targets
    ipc = len(items) // len(real.emotions)
    matches, epochs = loops(ipc)
    of_class = [torch.tensor(real.group_rows(emotion)) for emotion in range(len(real.emotions))]
    optimiser = torch.optim.SGD([items], lr=rate, momentum=MOMENTUM)
    while True:
        weights = {name: w.requires_grad_() for name, w in draw_weights(network, draws).items()}
        training = torch.optim.SGD(weights.values(), lr=NETWORK_RATE)
        for match in range(1, matches + 1):
            total = items.new_zeros(())
            for rows, own in zip(of_class, torch.arange(len(items)).split(ipc), strict=True):
                drawn = rows[torch.randperm(len(rows), generator=draws)[:BATCH]]
                heard = Examples(real.features[drawn], real.targets[drawn])
                made = Examples(items[own], targets[own])
                total = total + distance(network, weights, made, heard)
            optimiser.zero_grad()
            total.backward(inputs=[items])
            optimiser.step()
            yield items.detach().clone()

            for _ in range(epochs if match < matches else 0):
                for batch in torch.randperm(len(items), generator=draws).split(BATCH):
                    made = Examples(items.detach()[batch], targets[batch])
                    training.zero_grad()
                    loss(network, weights, made).backward()
                    training.step()


def distance(
    network: nn.Module, weights: Weights, synthetic: Examples, real: Examples
) -> Float[Tensor, ""]:
    """One minus the cosine of two gradients, summed over the rows of every matrix of weights."""
    matrices = [weight for weight in weights.values() if weight.ndim > 1]
    theirs = torch.autograd.grad(loss(network, weights, real), matrices)
    ours = torch.autograd.grad(loss(network, weights, synthetic), matrices, create_graph=True)
    cosines = [
        cosine_similarity(one.flatten(1), other.flatten(1), dim=1)
        for one, other in zip(ours, theirs, strict=True)
    ]
    return (1 - torch.cat(cosines)).sum()


def loss(network: nn.Module, weights: Weights, examples: Examples) -> Float[Tensor, ""]:
    """Mean cross-entropy."""
    return cross_entropy(apply(network, weights, examples.features), examples.targets).mean()
