"""Small class maps on disk: PNG with a palette, whose pixel values are class ids."""

from pathlib import Path

import numpy as np
from PIL import Image

from terrashot.files import atomic_write
from terrashot.taxonomy import Taxonomy


def save_class_map(path: Path, ids: np.ndarray, taxonomy: Taxonomy, side: int) -> None:
    """Write class ids (uint8 [H, W]) in the classes' colours, whole or not at all.

    The longer side becomes at most ``side`` pixels, by nearest neighbour.
    """
    picture = Image.fromarray(shrunk_map(ids, side))
    picture.putpalette(taxonomy.palette().tobytes())
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)


def load_class_map(path: Path) -> np.ndarray:
    """The class ids of such a file, uint8 [H, W].

    Raises:
        OSError: the file is missing, damaged, or no picture with a palette.
    """
    with Image.open(path) as picture:
        if picture.mode != "P":
            raise OSError(f"{path} is a picture of mode {picture.mode}, not one with a palette")
        return np.asarray(picture)


def shrunk_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Height and width with the longer one at most ``side``."""
    scale = min(1.0, side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def shrunk_map(ids: np.ndarray, side: int) -> np.ndarray:
    """Class ids with the longer side at most ``side``, by nearest neighbour; uint8 [h, w]."""
    height, width = shrunk_size(ids.shape[0], ids.shape[1], side)
    resized = Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(resized)
