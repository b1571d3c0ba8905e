"""How good embeddings are without training anything on them."""

import torch
from torch import Tensor
from torch.nn import functional as F


def alignment(first: Tensor, second: Tensor) -> float:
    """Mean squared distance of the unit vectors [N, D] of two views; 0 is best.

    Source: Wang and Isola 2020, "Understanding Contrastive Representation Learning through
    Alignment and Uniformity on the Hypersphere", with exponent 2.
    """
    return float((first - second).square().sum(1).mean())


def uniformity(vectors: Tensor) -> float:
    """Logarithm of the mean of exp(-2 squared distance) over pairs of unit vectors [N, D].

    0 where all are equal, lower the more evenly they cover the sphere. Source as ``alignment``.
    """
    squared = 2 - 2 * vectors @ vectors.T
    pairs = torch.triu_indices(len(vectors), len(vectors), offset=1)
    kernel = -2 * squared[pairs[0], pairs[1]].clamp(min=0)
    return float(kernel.logsumexp(0)) - float(torch.tensor(float(kernel.numel())).log())


def nearest_classes(
    features: Tensor, labels: Tensor, groups: Tensor, neighbours: int, temperature: float = 0.07
) -> Tensor:
    """The class that the nearest neighbours of each sample vote for, int64 [N].

    Votes are weighted with exp(cosine / temperature), as in Wu et al. 2018 ("Unsupervised Feature
    Learning via Non-Parametric Instance Discrimination").

    Args:
        features: [N, D], any length.
        labels: [N] int64, 0 and above.
        groups: [N] int64; samples of one group (windows of one tile) do not vote for each other,
            since neighbours in space would give the class away.
        neighbours: how many vote; fewer where other groups do not have as many.
        temperature: of the votes' weights.
    """
    rows = F.normalize(features.float(), dim=1)
    cosine = (rows @ rows.T).masked_fill(groups[:, None] == groups, -torch.inf)
    nearest = cosine.topk(min(neighbours, len(rows)), dim=1)
    # exp(-inf) is 0: a sample of the same group has no weight.
    weights = (nearest.values / temperature).softmax(1).nan_to_num()
    votes = torch.zeros(len(rows), int(labels.max()) + 1, device=rows.device)
    votes.scatter_add_(1, labels[nearest.indices], weights)
    return votes.argmax(1)


def accuracies(predicted: Tensor, labels: Tensor) -> tuple[float, float]:
    """Share of right predictions over all samples, and its mean over the classes that occur."""
    right = (predicted == labels).float()
    by_class = [right[labels == c].mean() for c in labels.unique()]
    return float(right.mean()), float(torch.stack(by_class).mean())
