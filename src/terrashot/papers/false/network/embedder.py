"""An encoder with its features pooled: one vector an image, and its projection."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from terrashot.networks.encoder import build_encoder
from terrashot.papers.false.network.projection_head import ProjectionHead


class Embedder(nn.Module):
    """Encoder, global average pooling and projection head.

    The encoder is the one that a segmenter of the same backbone has, so its weights go over by
    name. Images come in 0..1 and are normalised here with ``mean`` and ``std``.

    Args:
        name: timm architecture.
        mean: channel means of the images in 0..1.
        std: channel standard deviations of the images in 0..1.
        drop_path: stochastic depth rate.
        head_hidden: see ``ProjectionHead``; the same for ``head_dim`` and ``head_relu``.
        head_dim: width of the embeddings.
        head_relu: whether the head has its ReLU.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        mean: Sequence[float],
        std: Sequence[float],
        drop_path: float = 0.0,
        head_hidden: int | None = None,
        head_dim: int = 128,
        head_relu: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(name, drop_path=drop_path, channels=len(mean))
        self.channels = int(self.encoder.out_channels[-1])
        self.head = ProjectionHead(self.channels, head_hidden, head_dim, head_relu)
        self.description: dict[str, Any] = {
            "backbone": {"name": name, "drop_path": drop_path},
            "mean": [float(v) for v in mean],
            "std": [float(v) for v in std],
        }
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def features(self, image: Tensor) -> Tensor:
        """Pooled features [B, channels] of the deepest stage, of ``image`` [B, 3, H, W] in 0..1."""
        deepest: Tensor = self.encoder((image - self.mean) / self.std)[-1]
        return deepest.mean((-2, -1))

    def forward(self, image: Tensor) -> Tensor:
        """Embeddings [B, head_dim], not normalised."""
        return self.head(self.features(image))
