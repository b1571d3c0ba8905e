"""From the coordinates of a layer to the pixels of an image."""

from typing import Any

import numpy as np
import shapely
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import transform as to_system
from rasterio.warp import transform_bounds

from terrashot.data.raster import Raster
from terrashot.errors import DataError, one_line

_MARGIN = 0.5
"""Of an image's sides: so much around it is brought to its grid as well."""
_WGS84 = CRS.from_epsg(4326)


class PixelGrid:
    """The grid of an image, and how shapes get onto it.

    Pixel coordinates are (column, row), the upper left corner of the image at (0, 0). Lengths are
    metres, measured in an azimuthal equidistant projection about the middle of the image, so that
    a metre is one in degrees, in feet and in Web Mercator too.

    Args:
        raster: The image.
        crs: Reference system of the shapes; None: they are in the coordinates of the image.
        group: Of settings that the shapes come from, for messages.

    Raises:
        DataError: the shapes have a reference system and the image has none.
    """

    def __init__(self, raster: Raster, crs: CRS | None, group: str = "support") -> None:
        self.height, self.width = raster.height, raster.width
        own = None if raster.crs is None else CRS.from_wkt(raster.crs)
        if crs is not None and own is None:
            raise DataError(
                f"{raster.path} names no reference system, but the labels do "
                f"({crs.to_string()[:60]}), so nobody can say where in it they lie. Give the image "
                f"one (`gdal_edit.py -a_srs`), or set {group}.crs=image where the labels are drawn "
                "in the coordinates of the image."
            )
        self._path = raster.path
        self._own = own
        self._theirs = own if crs is None else crs
        place = Affine(*raster.transform)
        if own is None and place.is_identity:
            place = Affine(1, 0, 0, 0, -1, 0)  # where QGIS shows such an image
        self._to_pixels = ~place
        self._corners = [place @ (x, y) for x in (0, self.width) for y in (0, self.height)]
        self.frame = shapely.box(0, 0, self.width, self.height)

    def polygons(
        self, shapes: np.ndarray, line_width: float, point_radius: float, beyond: float = 0.0
    ) -> np.ndarray:
        """Points, lines and polygons as polygons in pixel coordinates; empty where far away.

        Args:
            shapes: In their own coordinates [n].
            line_width: Of lines, in metres; in units of the coordinates where no reference system
                is known.
            point_radius: Of points, likewise.
            beyond: All of them are widened by so much.
        """
        near = self._near(shapes)
        kinds = shapely.get_dimensions(shapes)
        reach = np.choose(kinds, [point_radius, line_width / 2, 0.0]) + beyond
        found = self._moved(near, self._own)
        drawn = reach > 0
        if drawn.any():
            found[drawn] = self._widened(near[drawn], reach[drawn])
        return shapely.transform(found, self._pixels)

    def placed(self, shapes: np.ndarray) -> np.ndarray:
        """The way back: polygons in pixel coordinates, in those of the labels [n]."""
        turn = ~self._to_pixels
        matrix = np.array([[turn.a, turn.d], [turn.b, turn.e]])
        moved = shapely.transform(shapes, lambda points: points @ matrix + (turn.c, turn.f))
        if self._theirs == self._own:
            return moved
        return shapely.transform(moved, _change(self._own, self._theirs, self._path))

    def _widened(self, shapes: np.ndarray, metres: np.ndarray) -> np.ndarray:
        """Shapes with all that is no farther than so many metres, in the image's coordinates."""
        if self._own is None:
            return shapely.buffer(shapes, metres)
        plane = self._metric()
        wide = shapely.buffer(self._moved(shapes, plane), metres)
        return shapely.transform(wide, _change(plane, self._own, self._path))

    def _near(self, shapes: np.ndarray) -> np.ndarray:
        """What lies about the image; far from it a projection may not be defined."""
        x, y = np.array(self._corners).T
        bounds = (x.min(), y.min(), x.max(), y.max())
        if self._own is not None and self._theirs != self._own:
            bounds = transform_bounds(self._own, self._theirs, *bounds)
        left, bottom, right, top = bounds
        if left > right:  # across the date line
            left, right = -180.0, 180.0
        wide, high = _MARGIN * (right - left), _MARGIN * (top - bottom)
        box = shapely.box(left - wide, bottom - high, right + wide, top + high)
        cut = shapely.intersection(shapes, box)
        return np.where(shapely.within(shapes, box), shapes, cut)

    def _moved(self, shapes: np.ndarray, target: CRS | None) -> np.ndarray:
        if target is None or target == self._theirs:
            return shapes.copy()
        return shapely.transform(shapes, _change(self._theirs, target, self._path))

    def _metric(self) -> CRS:
        """A plane in metres about the middle of the image."""
        x, y = np.mean(self._corners, axis=0)
        (longitude,), (latitude,) = to_system(self._own, _WGS84, [x], [y])[:2]
        return CRS.from_proj4(
            f"+proj=aeqd +lat_0={latitude:.9f} +lon_0={longitude:.9f} +datum=WGS84 +units=m"
        )

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        turn = self._to_pixels
        return points @ np.array([[turn.a, turn.d], [turn.b, turn.e]]) + (turn.c, turn.f)


def _change(source: Any, target: Any, path: Any) -> Any:  # noqa: ANN401 - rasterio has no types
    """Brings coordinates [n, 2] from one reference system to another."""

    def change(points: np.ndarray) -> np.ndarray:
        if not len(points):
            return points
        try:
            x, y = to_system(source, target, points[:, 0], points[:, 1])[:2]
        except Exception as error:  # rasterio passes on GDAL's errors, which are of many kinds
            raise DataError(
                f"{path}: the labels cannot be brought to its reference system: "
                f"{one_line(error)}. Check that the layer names the system that it was "
                "drawn in."
            ) from error
        return np.stack([x, y], axis=1)

    return change
