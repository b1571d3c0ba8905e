"""The tiles of a comparison as a peer would read them: a random crop, no other augmentation."""

from pathlib import Path
from typing import Any

import rasterio
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

IGNORE = 255


class Tiles(Dataset[dict[str, Tensor]]):
    """``image`` float32 [3, crop, crop], normalised, and ``mask`` int64 [crop, crop].

    Args:
        job: ``root``, ``crop``, ``classes`` (labels beyond are background), ``mean``, ``std``.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        root = Path(job["root"])
        names = (root / "train.txt").read_text(encoding="utf-8").split()
        self.pairs = [
            (root / "trainset" / "images" / name, root / "trainset" / "labels" / name)
            for name in names
        ]
        self.crop, self.classes = int(job["crop"]), int(job["classes"])
        self.mean, self.std = (torch.tensor(job[key]).view(3, 1, 1) for key in ("mean", "std"))

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """A crop at a random place."""
        image_file, label_file = self.pairs[index]
        with rasterio.open(image_file) as file:
            image = torch.from_numpy(file.read())
        with rasterio.open(label_file) as file:
            mask = torch.from_numpy(file.read(1)).long()
        top, left = (int(torch.randint(side - self.crop + 1, ())) for side in mask.shape)
        part = (slice(top, top + self.crop), slice(left, left + self.crop))
        mask = mask[part]
        mask[(mask >= self.classes) & (mask != IGNORE)] = 0
        return {"image": (image[:, *part].float() / 255 - self.mean) / self.std, "mask": mask}


def endless(job: dict[str, Any]) -> DataLoader[dict[str, Tensor]]:
    """Batches for as long as anybody asks."""
    tiles = Tiles(job)
    sampler = RandomSampler(tiles, replacement=True, num_samples=10**9)
    return DataLoader(tiles, batch_size=job["batch"], sampler=sampler, num_workers=0)


def share_head(network: nn.Module, channels: int, classes: int) -> None:
    """Give an smp network the head of terrashot's: a convolution of 1 x 1, not of 3 x 3."""
    network.segmentation_head = nn.Conv2d(channels, classes, 1)


def parameters_of(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
