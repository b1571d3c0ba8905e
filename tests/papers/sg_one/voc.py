"""A tiny folder of VOC 2012: its three folders, palette masks with void borders, its lists."""

from pathlib import Path

import numpy as np
from PIL import Image

NAMES = 20
HEIGHT, WIDTH = 48, 64
TRAIN, VAL = 2, 3  # images of each class


def write_voc(root: Path) -> None:
    """Each image shows one class, a block in that class' colour with a void border."""
    rng = np.random.default_rng(0)
    colors = rng.integers(30, 225, (NAMES + 1, 3))
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for part, count in (("train", TRAIN), ("val", VAL)):
        for number in range(NAMES * count):
            name = f"{2007 + number % 3}_{part}{number:03}"
            mask = block(1 + number % NAMES, *rng.integers(4, 12, 2))
            write_pair(root, name, mask, colors, rng)
            lists[part].append(name)
    # Two classes in one image: of these none is drawn.
    both = block(1, 2, 2)
    both[30:, 40:] = 7
    write_pair(root, "2009_both", both, colors, rng)
    lists["train"].append("2009_both")
    folder = root / "ImageSets" / "Segmentation"
    folder.mkdir(parents=True)
    for part, names in lists.items():
        (folder / f"{part}.txt").write_text("\n".join(names) + "\n")


def block(voc_id: int, top: int, left: int) -> np.ndarray:
    """A mask with 24 x 32 pixels of a class, and 255 around them."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[top : top + 26, left : left + 34] = 255
    mask[top + 1 : top + 25, left + 1 : left + 33] = voc_id
    return mask


def write_pair(
    root: Path, name: str, mask: np.ndarray, colors: np.ndarray, rng: np.random.Generator
) -> None:
    """An image and its mask, a PNG with a palette as those of VOC."""
    shown = np.where(mask == 255, 0, mask)
    pixels = colors[shown] + rng.normal(0, 8, (*mask.shape, 3))
    for folder in ("JPEGImages", "SegmentationClass"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    image.save(root / "JPEGImages" / f"{name}.jpg", quality=95)
    write_mask(root / "SegmentationClass" / f"{name}.png", mask)


def write_mask(path: Path, mask: np.ndarray) -> None:
    """A PNG with a palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = Image.fromarray(mask, mode="P")
    written.putpalette(list(np.random.default_rng(1).integers(0, 256, 768)))
    written.save(path)
