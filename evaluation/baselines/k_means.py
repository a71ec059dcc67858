"""Medoids of k-means clusters: each stands for a part of its class.

As in DC-BENCH (Cui et al. 2022, "DC-BENCH: dataset condensation benchmark"), whose `k-means-emb`
clusters each class in the embedding space of a network. Embeddings are not normalised. Here the
network was trained on all the real training data, and a medoid comes from its own cluster.
"""

import warnings
from collections.abc import Iterator

import torch
from jaxtyping import Float
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from evaluation.baselines.competitor import Competitor, Stock
from evaluation.baselines.coreset import coreset

RESTARTS = 10


def k_means(stock: Stock) -> Iterator[Competitor]:
    """Of each of a class' `ipc` clusters, the utterance nearest to the centre.

    Raises:
        NotAvailable: a class has fewer than `ipc` utterances.
    """
    return coreset("k-means", stock, lambda points, count: medoids(points, count, stock.generator))


def medoids(
    points: Float[Tensor, "n embedding"], count: int, generator: torch.Generator
) -> list[int]:
    """The member nearest to the centre of each cluster: `count` distinct rows.

    Args:
        points: at least `count`, in random order.
        count: of clusters.
        generator: of the centres' starts.
    """
    seed = int(torch.randint(2**31, (1,), generator=generator))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # empty clusters: see below
        fitted = KMeans(count, n_init=RESTARTS, random_state=seed).fit(points.numpy())
    to_centre = (points - torch.as_tensor(fitted.cluster_centers_[fitted.labels_])).norm(dim=1)
    labels = torch.as_tensor(fitted.labels_)
    chosen = []
    for cluster in labels.unique():
        members = (labels == cluster).nonzero().flatten()
        chosen.append(int(members[to_centre[members].argmin()]))
    # A recording that is twice in a corpus leaves a cluster empty: any other takes its place.
    others = [row for row in range(len(points)) if row not in chosen]
    return chosen + others[: count - len(chosen)]
