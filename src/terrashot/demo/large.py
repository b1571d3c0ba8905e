"""A large synthetic scene: one GeoTIFF of any size, for trying out and timing whole-scene maps."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from terrashot.demo.classes import TAXONOMY
from terrashot.demo.scene import THEMES, render_scene
from terrashot.demo.writer import scene_profile, tile_transform
from terrashot.files import atomic_write
from terrashot.taxonomy import Taxonomy

_FRAME = 1024
_REGION = 3  # 20 km away from the demo set's own tiles


def make_large_scene(path: Path, height: int, width: int, seed: int = 0, variety: int = 2) -> Path:
    """Write a mosaic of demo scenes with its labels beside it.

    ``variety`` neighbourhoods of each theme are drawn once and laid out at random, flipped and
    turned, since drawing every square kilometre anew would take longer than mapping it. Rows of
    neighbourhoods are written one after the other, so that memory does not follow the size.

    Args:
        path: the image, 3 x uint8, tiled, in UTM; the labels are ``<stem>_labels.tif`` beside it.
        height: rows, in pixels of 0.35 m.
        width: columns.
        seed: the same seed gives the same scene.
        variety: neighbourhoods of each theme.

    Returns:
        The path of the labels.
    """
    rng = np.random.default_rng(seed)
    side = min(_FRAME, max(height, width))
    drawn = [render_scene(rng, side, side, theme) for theme in THEMES for _ in range(variety)]
    labels = path.with_name(f"{path.stem}_labels.tif")
    transform = tile_transform(_REGION, 0, side)
    image_profile = scene_profile(3, height, width, transform)
    label_profile = scene_profile(1, height, width, transform)
    palette = Taxonomy.from_dict(TAXONOMY).palette().tolist()
    with (
        atomic_write(labels) as label_file,
        atomic_write(path) as image_file,
        rasterio.open(image_file, "w", **image_profile) as images,
        rasterio.open(label_file, "w", **label_profile) as classes,
    ):
        classes.write_colormap(1, {i: (*rgb, 255) for i, rgb in enumerate(palette)})
        for top in range(0, height, side):
            rows = min(side, height - top)
            image = np.empty((3, rows, width), np.uint8)
            label = np.empty((1, rows, width), np.uint8)
            for left in range(0, width, side):
                columns = min(side, width - left)
                pixels, ids = drawn[int(rng.integers(len(drawn)))]
                turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
                for target, source in ((image, pixels), (label, ids[None])):
                    turned = np.rot90(source, turns, (1, 2))
                    turned = turned[:, :, ::-1] if mirror else turned
                    target[:, :, left : left + columns] = turned[:, :rows, :columns]
            window = Window(0, top, width, rows)
            images.write(image, window=window)
            classes.write(label, window=window)
    return labels
