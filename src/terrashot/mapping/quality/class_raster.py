"""A class map of anyone's, read block by block."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from terrashot.data.placement import check_placement
from terrashot.data.raster import Raster, open_raster
from terrashot.errors import DataError
from terrashot.mapping.ground import Ground
from terrashot.mapping.postprocess.block_map import Block, blocks_of
from terrashot.mapping.quality.legend import LARGEST_ID, Legend
from terrashot.taxonomy import IGNORE

NONE = -1
"""Where a map has no class."""
_SIDE = 2048


@dataclass(frozen=True)
class ClassRaster:
    """An open raster of class ids.

    Args:
        path: The file.
        source: The same, open; or what shows it on another grid.
        crs: Reference system as WKT; None: it names none.
        legend: Names and colours.
        ground: Areas on its grid.
    """

    path: Path
    source: Any
    crs: str | None
    legend: Legend
    ground: Ground

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.source.height, self.source.width

    @property
    def raster(self) -> Raster:
        """What its header says, for the grid of labels."""
        return Raster(
            path=self.path,
            height=self.source.height,
            width=self.source.width,
            dtype=self.source.dtypes[0],
            crs=self.crs,
            transform=tuple(self.source.transform)[:6],
            bands=(1,),
            nodata=(self.source.nodata,),
            alpha=None,
            masked=False,
        )

    def blocks(self) -> Iterator[Block]:
        """Squares that cover the map, each small enough for memory."""
        return blocks_of(self.shape, _SIDE)

    def read(self, block: Block) -> np.ndarray:
        """Class ids of a block, int64 [height, width]; ``NONE`` where there is no class.

        That is: nodata, outside of a mask, no number, or 255 in a raster of bytes.

        Raises:
            DataError: what is there are no class ids.
        """
        window = Window(block.left, block.top, block.width, block.height)
        values = self.source.read(1, window=window)
        valid = self.source.read_masks(1, window=window) > 0
        if values.dtype.kind == "f":
            valid &= np.isfinite(values)
        if values.dtype == np.uint8:
            valid &= values != IGNORE
        elif len(wrong := _no_ids(values[valid])):
            raise DataError(
                f"{self.path} holds {wrong[0]:g}, but a class map holds whole numbers from 0 to "
                f"{LARGEST_ID}. If that means no data, say so in the file (`gdal_edit.py "
                f"-a_nodata {wrong[0]:g} {self.path.name}`); otherwise give a map of class ids."
            )
        ids = np.where(valid, values, 0).astype(np.int64)
        ids[~valid] = NONE
        return ids

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Class ids of pixels [n]; ``NONE`` off the map too."""
        height, width = self.shape
        found = np.full(len(rows), NONE, dtype=np.int64)
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        tiles = np.where(inside, rows // _SIDE * (width // _SIDE + 1) + columns // _SIDE, -1)
        blocks = {(b.top, b.left): b for b in self.blocks()}
        for tile in np.unique(tiles[inside]):
            here = np.flatnonzero(tiles == tile)
            top, left = (int(v[here[0]]) // _SIDE * _SIDE for v in (rows, columns))
            ids = self.read(blocks[top, left])
            found[here] = ids[rows[here] - top, columns[here] - left]
        return found

    def same_grid(self, other: "ClassRaster") -> bool:
        """Whether pixels of both lie on each other."""
        mine, theirs = (CRS.from_wkt(r.crs) if r.crs else None for r in (self, other))
        place = self.source.transform
        # A thousandth of a pixel over the whole raster.
        precision = 1e-3 * max(abs(place.a), abs(place.b)) / max(self.shape)
        return bool(
            self.shape == other.shape
            and mine == theirs
            and place.almost_equals(other.source.transform, precision)
        )

    @contextmanager
    def on_grid_of(self, other: "ClassRaster") -> Iterator["ClassRaster"]:
        """The same on another grid, each pixel that of its nearest neighbour.

        Raises:
            DataError: one of the two names no reference system.
        """
        if self.same_grid(other):
            yield self
            return
        if self.crs is None or other.crs is None:
            nameless = self if self.crs is None else other
            raise DataError(
                f"{self.path} lies on another grid than {other.path}, and {nameless.path} names no "
                "reference system by which it could be brought there. Give it one "
                "(`gdal_edit.py -a_srs`), or a raster of the same size and place."
            )
        with WarpedVRT(
            self.source,
            crs=other.source.crs,
            transform=other.source.transform,
            height=other.source.height,
            width=other.source.width,
            resampling=Resampling.nearest,
            add_alpha=self.source.nodata is None,
        ) as warped:
            yield replace(self, source=warped, crs=other.crs, ground=other.ground)


@contextmanager
def open_classes(path: Path, key: str) -> Iterator[ClassRaster]:
    """Open a class map.

    Args:
        path: A raster of one band that GDAL can read.
        key: The setting that names it, for messages.

    Raises:
        DataError: it is not there, not readable, or no map of classes.
    """
    missing = f"; give the path of a class map with {key}=PATH."
    with open_raster(path, missing, "a class map") as source:
        crs, _ = check_placement(path, source)
        if source.count != 1 or np.dtype(source.dtypes[0]).kind not in "uif":
            raise DataError(
                f"{key}={path} has {source.count} band(s) of {source.dtypes[0]}, but a class map "
                "has one of whole numbers: a class id in each pixel."
            )
        ground = Ground.of(
            CRS.from_wkt(crs) if crs else None, source.transform, (source.height, source.width)
        )
        yield ClassRaster(path, source, crs, Legend.of(source), ground)


def _no_ids(values: np.ndarray) -> np.ndarray:
    """Those that are no class ids."""
    return values[(values < 0) | (values > LARGEST_ID) | (values != np.floor(values))]
