"""From the coordinates of a reference system to a plane that shows areas as they are."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform as warp

Plane = Callable[[np.ndarray], np.ndarray]
"""Brings coordinates [n, 2] to an equal-area plane in metres."""

_PROBES = 9


def geographic_plane(crs: Any) -> Plane:  # noqa: ANN401 - rasterio has no types
    """The cylindrical equal-area plane of a geographic system: of its ellipsoid, in its unit."""
    return _cylinder(_horizontal(crs))


def projected_plane(crs: Any, corners: np.ndarray) -> Plane:  # noqa: ANN401 - rasterio has no types
    """An equal-area plane for what lies between the corners [n, 2] in a projected system.

    Where its rows are parallels (Mercators, equirectangular ones), a cylindrical one, so that
    edges of pixels stay straight, whatever their length and on both sides of 180 degrees. For any
    other projection the azimuthal one about the middle of the corners. Both are on the ellipsoid
    of the system and use PROJ, without a change of datum; what lies beside the Earth is nan.

    Raises:
        CRSError: the system has no ellipsoid, or its projection shows nothing there.
    """
    system = _horizontal(crs)
    # PROJ 9.4 leaves out of what kind the base is, and does not take it back like that.
    own, base = _crs(system), {"type": "GeographicCRS", **system["base_crs"]}
    geographic = _crs(base)
    low, high = corners.min(axis=0), corners.max(axis=0)
    middle = (low + high) / 2
    xs, ys = (np.linspace(low[i], high[i], _PROBES) for i in (0, 1))
    lattice = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    places = _warped(own, geographic, lattice).reshape(_PROBES, _PROBES, 2)
    turn = 2 * math.pi / _unit(base)
    longitudes = np.unwrap(places[..., 0], period=turn, axis=1)
    slope = (longitudes[:, -1] - longitudes[:, 0]).mean() / (xs[-1] - xs[0])
    bent = [
        np.ptp(places[..., 1], axis=1),
        np.abs(longitudes - longitudes[:, :1] - slope * (xs - xs[0])),
    ]
    if max(np.max(value) for value in bent) < 1e-10 * turn:
        cylinder = _cylinder(base)

        def along_parallels(points: np.ndarray) -> np.ndarray:
            meridian = np.stack([np.full(len(points), middle[0]), points[:, 1]], axis=1)
            latitude = _warped(own, geographic, meridian)[:, 1]
            return cylinder(np.stack([slope * (points[:, 0] - middle[0]), latitude], axis=1))

        return along_parallels
    centre = _warped(own, geographic, middle[None])[0]
    if not np.isfinite(centre).all():
        raise CRSError("the middle of the corners is no place on the ground")
    azimuthal = _azimuthal(base, centre)
    tolerance = 1e-3 * np.ptp(corners, axis=0).max()

    def about_the_middle(points: np.ndarray) -> np.ndarray:
        found = _warped(own, azimuthal, points)
        # Beside the edge of the world a projection is often inverted to some other place.
        strayed = np.abs(_warped(azimuthal, own, found) - points).max(axis=1) > tolerance
        return np.where(strayed[:, None], np.nan, found)

    return about_the_middle


def _cylinder(system: dict[str, Any]) -> Plane:
    """Snyder 1987, eq. 3-12 and 10-15, with the ellipsoid's own axes."""
    axis, squared = _ellipsoid(system)
    unit, e = _unit(system), math.sqrt(squared)

    def plane(points: np.ndarray) -> np.ndarray:
        longitude, latitude = unit * points.T
        sine = np.sin(np.clip(latitude, -math.pi / 2, math.pi / 2))
        # A sphere has no e to divide by.
        q = sine / (1 - squared * sine**2) + (np.arctanh(e * sine) / e if e else sine)
        return np.stack([axis * longitude, axis * (1 - squared) * q / 2], axis=1)

    return plane


def _azimuthal(base: dict[str, Any], centre: np.ndarray) -> CRS:
    unit = base["coordinate_system"]["axis"][0]["unit"]
    places = [("Longitude of natural origin", 8802), ("Latitude of natural origin", 8801)]
    parameters = [
        {"name": name, "value": value, "unit": unit, "id": {"authority": "EPSG", "code": code}}
        for (name, code), value in zip(places, centre.tolist(), strict=True)
    ]
    method = {"name": "Lambert Azimuthal Equal Area", "id": {"authority": "EPSG", "code": 9820}}
    axes = [
        {"name": name, "abbreviation": name[0], "direction": name, "unit": "metre"}
        for name in ("east", "north")
    ]
    plane = {
        "type": "ProjectedCRS",
        "name": "equal area",
        "base_crs": base,
        "conversion": {"name": "equal area", "method": method, "parameters": parameters},
        "coordinate_system": {"subtype": "Cartesian", "axis": axes},
    }
    return _crs(plane)


def _horizontal(crs: Any) -> dict[str, Any]:  # noqa: ANN401 - rasterio has no types
    """The PROJJSON of a system without heights and without a way to another datum."""
    system = crs.to_dict(projjson=True)
    while system["type"] in ("CompoundCRS", "BoundCRS"):
        system = system["components"][0] if "components" in system else system["source_crs"]
    return system


def _crs(system: dict[str, Any]) -> CRS:
    return CRS.from_string(json.dumps(system))


def _unit(system: dict[str, Any]) -> float:
    """Radians of the angular unit of a geographic system."""
    unit = system["coordinate_system"]["axis"][0]["unit"]
    return math.radians(1) if unit == "degree" else float(unit["conversion_factor"])


def _ellipsoid(system: dict[str, Any]) -> tuple[float, float]:
    """Semi-major axis in metres and squared eccentricity."""
    datum = system.get("datum") or system.get("datum_ensemble")
    if datum is None and "base_crs" in system:  # a system with other poles
        return _ellipsoid(system["base_crs"])
    figure = (datum or {}).get("ellipsoid")
    if figure is None:
        raise CRSError(f"{system.get('name')} has no ellipsoid")
    if "radius" in figure:
        return _metres(figure["radius"]), 0.0
    major = _metres(figure["semi_major_axis"])
    if "semi_minor_axis" in figure:
        flat = 1 - _metres(figure["semi_minor_axis"]) / major
    else:
        flat = 1 / figure["inverse_flattening"]
    return major, flat * (2 - flat)


def _metres(value: Any) -> float:  # noqa: ANN401 - a number, or one with its unit
    if isinstance(value, dict):
        unit = value["unit"]
        factor = 1.0 if unit == "metre" else float(unit["conversion_factor"])
        return float(value["value"]) * factor
    return float(value)


def _warped(source: CRS, target: CRS, points: np.ndarray) -> np.ndarray:
    """Points in another system; nan where the projection shows no place."""
    if not np.isfinite(points).all():
        known = np.isfinite(points).all(axis=1)
        found = np.full(points.shape, np.nan)
        if known.any():
            found[known] = _warped(source, target, points[known])
        return found
    try:
        x, y, *_ = warp(source, target, points[:, 0], points[:, 1])
    except Exception:  # GDAL's errors have no public class; one point without a place spoils all
        if len(points) == 1:
            return np.full((1, 2), np.nan)
        return np.concatenate([_warped(source, target, half) for half in np.array_split(points, 2)])
    found = np.stack([np.asarray(x), np.asarray(y)], axis=1)
    return np.where(np.isfinite(found), found, np.nan)
