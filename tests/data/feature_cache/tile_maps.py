"""Features of a tile that a test keeps."""

import torch

from terrashot.data.feature_cache import TileMaps


def features(seed=0, channels=4):
    generator = torch.Generator().manual_seed(seed)
    content = torch.rand((9, 11), generator=generator) > 0.5
    maps = [torch.randn((channels, *size), generator=generator) for size in ((5, 7), (2, 3))]
    return TileMaps(tuple(maps), content, 0.25)
