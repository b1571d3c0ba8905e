"""SG-One from images to masks: pool the support, compare the query, gate the segmentation."""

from typing import NamedTuple

import torch
from torch import Tensor

from terrashot.papers.sg_one.guidance.masked_average_pool import (
    Pooled,
    cosine_map,
    masked_average_pool,
)
from terrashot.papers.sg_one.guidance.shot_fusion import any_shot, shot_maps
from terrashot.papers.sg_one.network.network import SGOneNetwork


class EpisodePrediction(NamedTuple):
    """What the network says of a batch of episodes.

    Args:
        logits: Background and foreground at the query's size ``[B, 2, H, W]``.
        similarity: Cosine map ``[B, 1, h, w]``.
        valid: Which supports show a pixel of their class ``[B]``, bool.
    """

    logits: Tensor
    similarity: Tensor
    valid: Tensor


def predict_episodes(
    network: SGOneNetwork, support_image: Tensor, support_mask: Tensor, query_image: Tensor
) -> EpisodePrediction:
    """One-shot episodes, as the network is trained.

    Both images go through the network in one batch. Gradients flow through the support too.

    Args:
        network: The network.
        support_image: ``[B, 3, H, W]`` in 0..1.
        support_mask: ``[B, H, W]``: 1 the class; anything else (background, ignored) takes no part.
        query_image: As the support's, of the same size.
    """
    half = len(support_image)
    maps = network.maps(torch.cat([support_image, query_image]))
    support_guidance, query_guidance = network.guidance(maps).split(half)
    pooled = pool_support(network, support_guidance, support_mask)
    similarity = cosine_map(query_guidance.float(), pooled.vectors.unsqueeze(1))  # [B, 1, h, w]
    # The support's own segmentation would be thrown away.
    features = network.features([m[half:] for m in maps])
    size = (query_image.shape[2], query_image.shape[3])
    return EpisodePrediction(network.logits(features, similarity, size), similarity, pooled.valid)


def pool_support(network: SGOneNetwork, guidance: Tensor, mask: Tensor) -> Pooled:
    """Guidance vectors of support images: guidance ``[B, C, h, w]`` under masks ``[B, H, W]``."""
    return masked_average_pool(guidance, network.fit_mask((mask == 1).to(guidance.dtype)))


class NovelScores(NamedTuple):
    """What the shots of a class say of one image: foreground ``[H, W]``, similarity ``[h, w]``."""

    foreground: Tensor
    similarity: Tensor


class EncodedQuery:
    """One image, encoded once and asked for any number of classes.

    Args:
        network: The network.
        image: ``[1, 3, H, W]`` in 0..1.
    """

    def __init__(self, network: SGOneNetwork, image: Tensor) -> None:
        self._network = network
        self._size = (image.shape[2], image.shape[3])
        maps = network.maps(image)
        self._guidance = network.guidance(maps)[0].float()
        self._features = network.features(maps)

    def scores(self, vectors: Tensor, fusion: str) -> NovelScores:
        """Foreground probability of the class that shots with these vectors ``[K, C]`` show."""
        found, maps = [], shot_maps(self._guidance, vectors, fusion)
        for similarity in maps:  # one by one: K maps of a large image need K times the memory
            logits = self._network.logits(self._features, similarity[None, None], self._size)
            found.append(logits[0].float().softmax(dim=0)[1])
        return NovelScores(any_shot(torch.stack(found)), maps.amax(dim=0))
