"""A seeded stage-2 problem of the size of the OpenEarthMap challenge, on random features."""

from collections.abc import Iterator

import torch
from torch import Tensor

from terrashot.adaptation.head import LinearHead

BASE, NOVEL, SHOTS, CHANNELS = 8, 4, 5, 256


class FeatureScene:
    """A seeded problem of one size; tiles are made when they are asked for."""

    def __init__(self, size: int, device: str = "cpu") -> None:
        self.size = size
        self.device = device
        generator = torch.Generator().manual_seed(0)
        self.centres = torch.randn(BASE + NOVEL, CHANNELS, generator=generator).relu()
        self.centres *= 5 / self.centres.norm(dim=1, keepdim=True)
        self.snapshot = LinearHead(
            (8 / 25 * self.centres[:BASE]).to(device), torch.zeros(BASE, device=device)
        )
        self.classes = [BASE + tile // SHOTS for tile in range(NOVEL * SHOTS)]
        self.labels = [self._truth(tile, own) for tile, own in enumerate(self.classes)]

    def tiles(self) -> Iterator[Tensor]:
        """Support features ``[C, h, w]``, one after the other."""
        for tile, truth in enumerate(self.labels):
            yield self._features(tile, truth)

    def support_labels(self) -> list[Tensor]:
        """Label 0 but for the tile's own class."""
        return [torch.where(t >= BASE, t, torch.zeros_like(t)) for t in self.labels]

    def query(self, number: int = 0) -> Tensor:
        """Features ``[C, h, w]`` with all classes."""
        return self._features(1000 + number, self._truth(1000 + number, None))

    def _truth(self, seed: int, own: int | None) -> Tensor:
        """Blobs of classes; about a tenth of a tile is its own class."""
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.randint(0, BASE, (8, 8), generator=generator)
        novel = torch.rand(8, 8, generator=generator) < 0.12
        drawn = torch.randint(BASE, BASE + NOVEL, (8, 8), generator=generator)
        coarse = torch.where(novel, drawn if own is None else torch.tensor(own), coarse)
        repeats = self.size // 8
        return coarse.repeat_interleave(repeats, 0).repeat_interleave(repeats, 1)

    def _features(self, seed: int, truth: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(10_000 + seed)
        values = torch.randn(CHANNELS, self.size, self.size, generator=generator).mul_(0.35)
        for begin in range(0, CHANNELS, 16):  # so that a tile costs its own memory alone
            part = slice(begin, begin + 16)
            values[part] += self.centres[:, part][truth].permute(2, 0, 1)
        return values.relu_().to(self.device)
