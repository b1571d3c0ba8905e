"""One feature vector a window: an encoder and average pooling."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from terrashot.errors import ConfigError
from terrashot.image_spec import IMAGENET_MEAN, IMAGENET_STD
from terrashot.networks.encoder import build_encoder


class WindowEncoder(nn.Module):
    """The deepest map of a timm backbone, averaged over the window.

    Args:
        description: ``backbone`` (``name``, ``drop_path``), ``mean`` and ``std`` of the images;
            keys of a backbone config that concern weights are left out.

    Raises:
        ConfigError: the backbone is missing or cannot be an encoder.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__()
        backbone = description.get("backbone")
        if not isinstance(backbone, Mapping) or not backbone.get("name"):
            raise ConfigError(
                f"backbone is {backbone!r}, but windows are turned into features by one. Choose "
                "one, for example backbone=mobilenetv2."
            )
        drop_path = float(backbone.get("drop_path") or 0.0)
        mean = list(description.get("mean") or IMAGENET_MEAN)
        self.encoder = build_encoder(str(backbone["name"]), drop_path=drop_path, channels=len(mean))
        self.channels = int(self.encoder.out_channels[-1])
        self.description: dict[str, Any] = {
            "backbone": {"name": str(backbone["name"]), "drop_path": drop_path},
            "mean": mean,
            "std": list(description.get("std") or IMAGENET_STD),
        }
        for name in ("mean", "std"):
            value = torch.tensor(self.description[name]).view(1, -1, 1, 1)
            self.register_buffer(name, value, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Features ``[B, C]`` of windows ``[B, C, S, S]`` in 0..1."""
        return self.encoder((images - self.mean) / self.std)[-1].mean(dim=(2, 3))
