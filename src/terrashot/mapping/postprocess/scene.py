"""Post-processing of a class map on disk, in bounded memory."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning

from terrashot.mapping.postprocess.block_map import NODATA, Block, BlockMap
from terrashot.mapping.postprocess.chain import PostProcess
from terrashot.mapping.postprocess.rule import Draft
from terrashot.taxonomy import Taxonomy


def mended_scene(
    source: Path, target: Path, rules: PostProcess, taxonomy: Taxonomy, name: str | None = None
) -> None:
    """Write a class map anew after all rules.

    Needs free space beside ``target`` for five uncompressed maps; they are gone when it returns,
    or when the process ends.

    Args:
        source: uint8, nodata 255.
        target: A tiled GeoTIFF of the same grid; written in place, so give a temporary name.
        rules: The post-processing.
        taxonomy: The classes.
        name: Of the scene, by which external masks are found; None: that of ``source``.

    Raises:
        ConfigError: see ``PostProcess.check``.
        DataError: an external mask is missing, damaged or of another size.
    """
    with warnings.catch_warnings(), TemporaryDirectory(dir=target.parent) as folder:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(source) as raster:
            draft = Draft(
                name or source.stem,
                BlockMap(raster.shape, Path(folder)),
                taxonomy,
                transform=None if raster.crs is None else raster.transform,
            )
            for block in draft.blocks():
                draft.ids.write(block, raster.read(1, window=_window(block)))
            profile = _profile(raster)
        for _ in rules.run(draft):
            pass
        with rasterio.open(target, "w", **profile) as written:
            for block in draft.blocks():
                written.write(draft.ids.read(block), 1, window=_window(block))


def _profile(raster: Any) -> dict[str, Any]:  # noqa: ANN401 - rasterio has no types
    profile = {
        "driver": "GTiff",
        "height": raster.height,
        "width": raster.width,
        "count": 1,
        "dtype": "uint8",
        "nodata": NODATA,
        "crs": raster.crs,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "bigtiff": "if_safer",
    }
    return profile if raster.transform.is_identity else {**profile, "transform": raster.transform}


def _window(block: Block) -> tuple[tuple[int, int], tuple[int, int]]:
    rows, columns = (block.top, block.top + block.height), (block.left, block.left + block.width)
    return rows, columns
