"""Tiles of random blocks of the demo set's base classes: something to train on at once."""

from pathlib import Path

import numpy as np
import rasterio

from terrashot.demo.classes import TAXONOMY
from terrashot.taxonomy import Taxonomy


def write_tiles(root: Path, side: int, train: int, val: int) -> None:
    """Labelled training and validation tiles of ``side`` pixels in the few-shot layout."""
    rng = np.random.default_rng(0)
    colors = rng.integers(40, 215, (Taxonomy.from_dict(TAXONOMY).num_base, 3))
    block = max(1, side // 8)
    for file, count in {"train.txt": train, "stage1_val.txt": val}.items():
        names = [f"{Path(file).stem}_{number}.tif" for number in range(count)]
        for name in names:
            label = rng.integers(0, len(colors), (side // block, side // block))
            label = label.repeat(block, 0).repeat(block, 1).astype(np.uint8)
            image = colors[label].transpose(2, 0, 1) + rng.normal(0, 12, (3, *label.shape))
            _write(root / "trainset" / "images" / name, image.clip(0, 255).astype(np.uint8))
            _write(root / "trainset" / "labels" / name, label[None])
        (root / file).write_text("\n".join(names) + "\n", encoding="utf-8")


def _write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = array.shape
    kind = {"driver": "GTiff", "dtype": "uint8", "count": count, "height": height, "width": width}
    with rasterio.open(path, "w", **kind) as target:
        target.write(array)
