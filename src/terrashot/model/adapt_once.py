"""One head for all maps: the support once, perhaps a sample of what is to be mapped."""

from dataclasses import dataclass

import torch
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.joint import JointSelfTraining
from terrashot.adaptation.pooling import pool_pixels
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.model.support_fit import Queries, SupportFit

_PROBE = 65536
"""About so many support pixels the outcome of a descent is judged on."""


@dataclass(frozen=True)
class AdaptedOnce:
    """One head for all maps.

    Args:
        head: The head.
        query: What the method looked at beside its support ``[C, h, w]``.
    """

    head: AdaptedHead
    query: Tensor


@dataclass(frozen=True)
class Unlabelled:
    """Tiles without labels that a head may learn from.

    Args:
        tiles: Features and valid pixels of each, anew each time.
        count: How many there are.
        pixels: Most pixels that are drawn from all of them as one query.
    """

    tiles: Queries
    count: int
    pixels: int


def adapt_once(
    fit: SupportFit,
    unlabelled: Unlabelled | None = None,
    transductive: bool = False,
    joint: JointSelfTraining | None = None,
    seed: int = 0,
) -> AdaptedOnce:
    """Fit a method and take the head that it has for any tile.

    Args:
        fit: The method and its support.
        unlabelled: What it may learn from beside the support.
        transductive: Whether the query losses see a pooled sample of ``unlabelled``.
        joint: Rounds of self-training on ``unlabelled``, a sample of which is also what query
            losses see; None: none.
        seed: Of everything random.
    """
    fit.fit()
    if joint is not None and unlabelled is not None:
        return AdaptedOnce(*fit.learn_jointly(joint, unlabelled.tiles, unlabelled.count))
    if transductive and unlabelled is not None:
        query = pool_pixels(unlabelled.tiles(), unlabelled.count, unlabelled.pixels, seed)
    else:
        query = _probe(fit.pixels)
    return AdaptedOnce(fit.method.adapt(query, seed=seed), query)


def _probe(support: SupportPixels) -> Tensor:
    """Some support pixels ``[C, 1, n]``; without transduction a method only checks itself there."""
    each = -(-_PROBE // len(support.blocks))
    parts = [block.pixels[:, :each].to(support.like) for block in support.blocks]
    return torch.cat(parts, dim=1).unsqueeze(1)
