"""How much ground pixels and shapes cover."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.polynomial.chebyshev import chebpts1, chebvander
from rasterio.errors import CRSError

from terrashot.mapping.equal_area import Plane, geographic_plane, projected_plane

# 0.2 % is what the projections allow that countries are surveyed in (UTM: -0.08 to +0.2 %).
_HONEST = 0.002
# The same for a raster with corners beside the Earth, a map of the world: projections such as
# Mollweide's are computed with a sphere.
_OF_A_WORLD = 0.01
# Places along each side at which a raster, or a part of it, is measured.
_NODES = 9
# What is measured has at least this side in metres: PROJ inverts a projection to a few 1e-5 m.
_LEAST_SIDE = 64.0
# A long edge of a shape bends on its way to another plane. With points at this share of the
# raster's longer side it loses less than 1e-5 of the area, even in a raster of a continent.
_STEP = 1 / 256


@dataclass(frozen=True)
class Ground:
    """Areas in square metres on the grid of a raster, on the ellipsoid of its own system.

    Degrees and grads have no area, and a projection may have any: Mercators show a hectare at 60
    degrees as four, a conic far from its parallels or a zone of UTM far from its meridian as more
    than there is. So the scale of the projection is measured over the raster. Where the areas of
    its plane are within 0.2 % of the ground's, as in equal-area projections and in the zone of any
    that a country is surveyed in, the plane is taken at its word, and areas are those of a surveyor
    or of ``shapely.area``. Anywhere else they are measured on the ellipsoid.

    Args:
        transform: Affine, from pixels to coordinates.
        shape: Height and width of the raster.
        metres: Length of the unit of the plane in which areas are taken; None: they are not known
            (no reference system, that of a building site, or a raster with corners beside the
            Earth in a projection that is not equal-area).
        equal_area: Brings coordinates to an equal-area plane in metres; None: they are in one.
        pixel: Square metres of the smallest pixel of a projected raster; None in any other.
    """

    transform: Any
    shape: tuple[int, int]
    metres: float | None = None
    equal_area: Plane | None = None
    pixel: float | None = None

    @classmethod
    def of(cls, crs: Any, transform: Any, shape: tuple[int, int]) -> "Ground":  # noqa: ANN401 - rasterio has no types
        """On a raster with this reference system (None: unknown), transform, height and width."""
        unknown = cls(transform, shape)
        try:
            if crs is not None and crs.is_geographic:
                return cls(transform, shape, 1.0, geographic_plane(crs))
            if crs is None or not crs.is_projected:
                return unknown
            metres = crs.linear_units_factor[1]
            plane = projected_plane(crs, _corners(transform, shape))
            measured = cls(transform, shape, 1.0, plane)
            flat = abs(transform.determinant) * metres**2
            rows, columns = (np.linspace(0.5, side - 0.5, _NODES) for side in shape)
            areas = measured._squares(rows, columns, _LEAST_SIDE / np.sqrt(flat))
        except CRSError:
            return unknown
        shown = areas[np.isfinite(areas)]
        whole = len(shown) == areas.size
        if len(shown) and np.abs(shown / flat - 1).max() < (_HONEST if whole else _OF_A_WORLD):
            return cls(transform, shape, metres, pixel=flat)
        if not whole:
            return unknown
        return cls(transform, shape, 1.0, plane, float(areas.min()))

    @property
    def known(self) -> bool:
        """Whether areas are known at all; otherwise there are only pixels."""
        return self.metres is not None

    def pixels(self, top: int, left: int, height: int, width: int) -> np.ndarray | None:
        """Square metres of each pixel of a part of the raster [height, width]; None: not known.

        Measured at 9 x 9 places, all of them in small parts, with a polynomial in between.
        """
        if self.metres is None:
            return None
        if self.equal_area is None:
            return np.full((height, width), abs(self.transform.determinant) * self.metres**2)
        rows, between_rows = _nodes(top, height)
        columns, between_columns = _nodes(left, width)
        return between_rows @ self._areas(rows, columns) @ between_columns.T

    def shapes(self, polygons: np.ndarray) -> np.ndarray | None:
        """Square metres of polygons [n] in the coordinates of the raster; None: not known."""
        if self.metres is None:
            return None
        if self.equal_area is not None:
            step = _STEP * np.ptp(_corners(self.transform, self.shape), axis=0).max()
            polygons = shapely.transform(shapely.segmentize(polygons, step), self.equal_area)
        return shapely.area(polygons) * self.metres**2

    def _areas(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Square metres of pixels about these places (row and column, middles at .5)."""
        assert self.equal_area is not None
        found = self._squares(rows, columns, 1.0)
        side = np.sqrt(np.median(found))
        if side >= _LEAST_SIDE:
            return found
        return self._squares(rows, columns, _LEAST_SIDE / side)

    def _squares(self, rows: np.ndarray, columns: np.ndarray, side: float) -> np.ndarray:
        """Square metres of a pixel, from squares of so many pixels' side."""
        assert self.equal_area is not None
        row, column = np.meshgrid(rows, columns, indexing="ij")
        half = side / 2
        corners = [(-half, -half), (-half, half), (half, half), (half, -half)]
        x, y = self.transform @ (
            np.stack([column + right for _, right in corners]),
            np.stack([row + down for down, _ in corners]),
        )
        points = self.equal_area(np.stack([x.reshape(-1), y.reshape(-1)], axis=1))
        a, b, c, d = points.reshape(4, *row.shape, 2)
        one, other = c - a, d - b
        return np.abs(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]) / 2 / side**2


def _corners(transform: Any, shape: tuple[int, int]) -> np.ndarray:  # noqa: ANN401 - an Affine
    """Coordinates [4, 2] of the corners of a raster."""
    height, width = shape
    x, y = transform @ (np.array([0, width, width, 0]), np.array([0, 0, height, height]))
    return np.stack([x, y], axis=1)


def _nodes(first: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Places along a side, and the matrix [size, places] to what lies at each pixel's middle."""
    middles = first + 0.5 + np.arange(size)
    if size <= _NODES:
        return middles, np.eye(size)
    places, own = chebpts1(_NODES), 2 * (np.arange(size) + 0.5) / size - 1
    between = chebvander(own, _NODES - 1) @ np.linalg.inv(chebvander(places, _NODES - 1))
    return first + size * (places + 1) / 2, between
