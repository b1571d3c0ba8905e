"""How much a noisy sample is to be trusted, from its similarity to the others of its class."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from terrashot.errors import ConfigError
from terrashot.papers.simtrans.losses.graph_regularisation import relax


def mean_similarity(
    similarity: Tensor,
    kind: str = "savg",
    share: float = 1.0,
    include_self: bool = False,
) -> Tensor:
    """Mean similarity ``[n]`` of each sample to the most similar others of its class.

    Source: SimTrans; there the sample itself is among the others, which flatters outliers.

    Args:
        similarity: ``[n, n]``, need not be symmetric.
        kind: ``avg``: of rows. ``savg``: of rows and columns, averaged.
        share: Share of the others that count, the most similar ones; rounded up.
        include_self: Count the diagonal too and round the share down, as published; at least one
            counts.

    Raises:
        ConfigError: an unknown kind, or no share.
    """
    if kind not in ("avg", "savg"):
        raise ConfigError(f"weak_shot.weights is '{kind}', but it must be avg or savg.")
    if not 0 < share <= 1:
        raise ConfigError(f"weak_shot.share is {share}, but a share is above 0 and up to 1.")
    if kind == "savg":
        rows = mean_similarity(similarity, "avg", share, include_self)
        return (rows + mean_similarity(similarity.T, "avg", share, include_self)) / 2
    size = len(similarity)
    if size == 1:  # no other one to be judged by
        return similarity.new_ones(1)
    values = similarity
    if not include_self:
        others = ~torch.eye(size, dtype=torch.bool, device=similarity.device)
        values = similarity[others].view(size, size - 1)
    # round: 2/3 of 3 is 2, not what rounding errors make of it.
    wanted = round(share * values.shape[1], 9)
    count = max(1, math.floor(wanted) if include_self else math.ceil(wanted))
    return values.topk(count, dim=1).values.mean(dim=1)


def less_base(own: Tensor, to_base: Tensor) -> Tensor:
    """Similarity to the class less that to the nearest base class ``[n]``.

    Trust in the own cluster alone assumes that most labels are right: coherent outliers, all of
    them trees, would outvote the class. They resemble the anchors of a base class, though.

    Args:
        own: ``[n]``.
        to_base: Mean similarity to the anchors of each base class ``[n, base]``.
    """
    return own - to_base.max(dim=1).values


def positive(scores: Tensor, rescale: str = "softplus", sharpness: float = 10.0) -> Tensor:
    """Scores of any sign ``[n]`` as positive weights of the same order.

    Args:
        scores: Similarities, or differences of them.
        rescale: ``softplus`` of the scores times sharpness, or their ``rank`` (1/n to 1).
        sharpness: Of softplus.

    Raises:
        ConfigError: another way, or no sharpness.
    """
    if rescale == "rank":
        order = scores.argsort().argsort()
        return (order + 1).to(scores) / len(scores)
    if rescale != "softplus" or not sharpness > 0:
        raise ConfigError(
            f"weights are rescaled by '{rescale}' with sharpness {sharpness}, but rescale must be "
            "softplus or rank, and sharpness above 0."
        )
    return functional.softplus(sharpness * scores) / sharpness


def mean_one(weights: Tensor) -> Tensor:
    """Weights ``[n]`` brought to mean 1; all 1 where they vanish."""
    mean = weights.mean()
    return weights / mean if float(mean) > 0 else torch.ones_like(weights)


def of_maximum(weights: Tensor, maximum: float, mu: float) -> Tensor:
    """Weights ``[n]`` over the largest of them, relaxed (see ``relax``), times ``maximum``.

    Source: SimTrans' ``weight_norm = max_<maximum>_<mu>``. All ``maximum`` where they vanish.
    """
    largest = weights.max()
    if not float(largest) > 0:
        return torch.full_like(weights, maximum)
    return maximum * relax(weights / largest, mu)
