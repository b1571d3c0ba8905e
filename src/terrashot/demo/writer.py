"""Writing demo tiles as GeoTIFF."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.transform import Affine, from_origin

from terrashot.demo.classes import TAXONOMY
from terrashot.taxonomy import Taxonomy

PIXEL_SIZE = 0.35  # metres
_CRS = CRS.from_epsg(32631)
_COLUMNS = 10
_ORIGIN = (440_000.0, 5_300_000.0)


def tile_transform(region: int, index: int, size: int) -> Affine:
    """Where tile ``index`` of a region lies; tiles of all regions lie apart, on a grid.

    Regions are 20 km apart, so that tiles of different splits are clearly different places.
    """
    row, column = divmod(index, _COLUMNS)
    extent = size * PIXEL_SIZE
    east = _ORIGIN[0] + 20_000 * region + column * extent
    return from_origin(east, _ORIGIN[1] - row * extent, PIXEL_SIZE, PIXEL_SIZE)


def write_tile(path: Path, pixels: np.ndarray, transform: Affine) -> None:
    """Write an image, uint8 [3, H, W], or a label, uint8 [H, W], with its place on the map."""
    is_image = pixels.ndim == 3
    bands = pixels if is_image else pixels[None]
    count, height, width = bands.shape
    with rasterio.open(path, "w", **scene_profile(count, height, width, transform)) as target:
        target.write(bands)
        if not is_image:
            palette = Taxonomy.from_dict(TAXONOMY).palette()
            target.write_colormap(1, {i: (*rgb, 255) for i, rgb in enumerate(palette.tolist())})


def scene_profile(count: int, height: int, width: int, transform: Affine) -> dict[str, Any]:
    """How an image (3 bands) or a label (1 band) of the demo is stored."""
    profile = {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": count,
        "height": height,
        "width": width,
        "crs": _CRS,
        "transform": transform,
        "compress": "deflate",
        "zlevel": 1,  # higher levels save little on noise and cost most of the time
        "tiled": True,
        "blockxsize": 128,
        "blockysize": 128,
    }
    if count == 3:
        profile |= {"photometric": "rgb", "interleave": "pixel", "predictor": 2}
    return profile
