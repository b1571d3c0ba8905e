"""A small synthetic few-shot problem."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.support import SupportPixels

BASE, NOVEL, CHANNELS, SIZE = 3, 2, 12, 10


@dataclass
class Scene:
    """Snapshot head, support tiles, a query and its truth."""

    snapshot: LinearHead
    features: list[Tensor]
    labels: list[Tensor]
    query: Tensor
    truth: Tensor

    @property
    def support(self) -> SupportPixels:
        return SupportPixels(self.features, self.labels, BASE, NOVEL)

    def scaled(self, factor: float) -> "Scene":
        """Features times ``factor``, the head divided by it: the same stage-1 model."""
        head = LinearHead(self.snapshot.weight / factor, self.snapshot.bias)
        features = [feature * factor for feature in self.features]
        return Scene(head, features, self.labels, self.query * factor, self.truth)


def make_scene(seed: int = 0, dtype: torch.dtype = torch.float64, norm: float = 5.0) -> Scene:
    """Five noisy clusters of features, two of them novel, in tiles of two shots a class."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(BASE + NOVEL, CHANNELS, generator=generator, dtype=dtype).relu()
    centres = norm * centres / centres.norm(dim=1, keepdim=True)

    def tile(classes: list[int]) -> tuple[Tensor, Tensor]:
        draw = torch.randint(0, len(classes), (SIZE, SIZE), generator=generator)
        truth = torch.tensor(classes)[draw]
        noise = torch.randn(SIZE, SIZE, CHANNELS, generator=generator, dtype=dtype)
        return (centres[truth] + 0.1 * norm * noise).relu().permute(2, 0, 1), truth

    features, labels = [], []
    for index in range(BASE, BASE + NOVEL):
        for _ in range(2):
            feature, truth = tile([0, 1, 2, index])
            features.append(feature)
            labels.append(torch.where(truth == index, truth, torch.zeros_like(truth)))
    query, truth = tile([0, 1, 2, 3, 4])
    snapshot = LinearHead(8 * centres[:BASE] / norm**2, torch.zeros(BASE, dtype=dtype))
    return Scene(snapshot, features, labels, query, truth)


@pytest.fixture
def scene() -> Scene:
    return make_scene()
