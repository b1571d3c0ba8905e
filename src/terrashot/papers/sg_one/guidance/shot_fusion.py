"""Several support images of one class: how they make one similarity map, or several."""

import torch
from torch import Tensor

from terrashot.errors import ConfigError
from terrashot.papers.sg_one.guidance.masked_average_pool import cosine_map

FUSIONS = ("avg", "avg_unit", "or", "mean_cos")


def checked_fusion(fusion: str) -> str:
    """The name of a fusion.

    Raises:
        ConfigError: it is unknown.
    """
    if fusion not in FUSIONS:
        raise ConfigError(
            f"episodes.shot_fusion is '{fusion}', but it must be one of {', '.join(FUSIONS)}: the "
            "mean vector, the mean of unit vectors, any shot's prediction, or the mean cosine."
        )
    return fusion


def shot_maps(features: Tensor, vectors: Tensor, fusion: str) -> Tensor:
    """Similarity maps of one image to a class that K shots show.

    Args:
        features: Guidance features of the image ``[C, h, w]``.
        vectors: Pooled guidance vector of each shot ``[K, C]``.
        fusion: ``avg``: cosine with the mean vector, as published (long vectors count more).
            ``avg_unit``: with the mean of the vectors at length 1. ``mean_cos``: mean of the
            cosines. ``or``: a map for each shot; their predictions are joined by ``any_shot``.

    Returns:
        Maps ``[M, h, w]``: one, or K with ``or``.
    """
    if fusion == "avg":
        vectors = vectors.mean(dim=0, keepdim=True)
    elif fusion == "avg_unit":
        vectors = torch.nn.functional.normalize(vectors, dim=1).mean(dim=0, keepdim=True)
    maps = cosine_map(features.unsqueeze(0), vectors)[0]
    return maps.mean(dim=0, keepdim=True) if fusion == "mean_cos" else maps


def any_shot(foreground: Tensor) -> Tensor:
    """Foreground of the class by any map: ``[M, ...]`` probabilities or masks to ``[...]``.

    The largest probability: above one half exactly where one of the masks is foreground, so that
    ``or`` is the union of the masks, as published.
    """
    return foreground.amax(dim=0)
