"""The class map of one tile as a GeoTIFF where the tile lies."""

import warnings
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from terrashot.data.reading import read_georeference
from terrashot.files import atomic_write
from terrashot.mapping.postprocess.block_map import NODATA
from terrashot.taxonomy import Taxonomy


def write_tile_map(path: Path, ids: np.ndarray, taxonomy: Taxonomy, tile: Path) -> None:
    """Write class ids (uint8 [H, W]) with palette, class names and the place of ``tile``.

    Raises:
        DataError: the tile is missing or damaged.
    """
    place = read_georeference(tile)
    placed = {} if place.transform.is_identity else {"transform": place.transform}
    with atomic_write(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            temporary,
            "w",
            driver="GTiff",
            height=ids.shape[0],
            width=ids.shape[1],
            count=1,
            dtype="uint8",
            nodata=NODATA,
            compress="deflate",
            crs=place.crs,
            **placed,
        ) as target:
            target.write(ids, 1)
            target.write_colormap(1, dict(enumerate(map(tuple, taxonomy.palette().tolist()))))
            target.update_tags(**{f"CLASS_{c.index}": c.name for c in taxonomy.classes})
