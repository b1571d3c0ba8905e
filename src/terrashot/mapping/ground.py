"""How much ground pixels and shapes cover."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from rasterio.errors import CRSError

# WGS 84; other ellipsoids of the Earth differ by less than 0.02 % in area.
_A = 6378137.0
_E2 = 0.0066943799901413165
_E = math.sqrt(_E2)
_WEB_MERCATOR = 3857

Coordinates = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Ground:
    """Areas in square metres on the grid of a raster.

    A projected reference system is taken at its word: pixel size in its unit, in metres. Two have
    no fixed pixel size, degrees and Web Mercator (which shows a hectare at 60 degrees as four);
    there areas are those on the WGS 84 ellipsoid.

    Args:
        transform: Affine, from pixels to coordinates.
        metres: Length of the reference system's unit; None where it says nothing of areas.
        equal_area: Brings coordinates [n, 2] to a cylindrical equal-area plane in metres; None
            where the plane of the reference system is used.
    """

    transform: Any
    metres: float | None = None
    equal_area: Coordinates | None = None

    @classmethod
    def of(cls, crs: Any, transform: Any) -> "Ground":  # noqa: ANN401 - rasterio has no types
        """On a raster with this reference system (None: unknown) and transform."""
        if crs is None:
            return cls(transform)
        if crs.is_geographic:
            return cls(transform, 1.0, _from_degrees)
        try:
            if crs.to_epsg() == _WEB_MERCATOR:
                return cls(transform, 1.0, _from_web_mercator)
            return cls(transform, crs.linear_units_factor[1] if crs.is_projected else None)
        except CRSError:  # a local system, or one without a unit
            return cls(transform)

    @property
    def known(self) -> bool:
        """Whether areas are known at all; otherwise there are only pixels."""
        return self.metres is not None

    @property
    def pixel(self) -> float | None:
        """Square metres of a pixel, where all have the same."""
        if self.metres is None or self.equal_area is not None:
            return None
        return abs(self.transform.determinant) * self.metres**2

    def rows(self, height: int, width: int) -> np.ndarray | None:
        """Square metres of a pixel in each row, [height]; None where they are not known.

        Exact where rows run along parallels; for a turned grid in degrees that of the middle
        column.
        """
        if self.metres is None:
            return None
        pixel = self.pixel
        if pixel is not None:
            return np.full(height, pixel)
        assert self.equal_area is not None
        row = np.arange(height + 1)
        left, right = (
            np.stack(self.transform @ (np.full(height + 1, x), row), axis=1)
            for x in (width // 2, width // 2 + 1)
        )
        left, right = self.equal_area(left), self.equal_area(right)
        corners = np.stack([left[:-1], right[:-1], right[1:], left[1:], left[:-1]], axis=1)
        return shapely.area(shapely.polygons(corners))

    def shapes(self, polygons: np.ndarray) -> np.ndarray | None:
        """Square metres of polygons [n] in the coordinates of the raster; None: not known."""
        if self.metres is None:
            return None
        if self.equal_area is not None:
            polygons = shapely.transform(polygons, self.equal_area)
        return shapely.area(polygons) * self.metres**2


def _from_degrees(coordinates: np.ndarray) -> np.ndarray:
    """Longitude and latitude to the cylindrical equal-area plane (Snyder 1987, eq. 3-12, 10-15)."""
    longitude, latitude = np.radians(coordinates).T
    sine = np.sin(latitude)
    q = (1 - _E2) * (
        sine / (1 - _E2 * sine**2) - np.log((1 - _E * sine) / (1 + _E * sine)) / (2 * _E)
    )
    return np.stack([_A * longitude, _A * q / 2], axis=1)


def _from_web_mercator(coordinates: np.ndarray) -> np.ndarray:
    x, y = coordinates.T / _A
    return _from_degrees(np.degrees(np.stack([x, 2 * np.arctan(np.exp(y)) - math.pi / 2], axis=1)))
