"""Geometries as people draw them, brought to plain points, lines and polygons."""

import numpy as np
import shapely

_POINT, _LINE, _POLYGON = 0, 1, 2


def cleaned(geometry: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Mend geometries and take collections apart.

    Args:
        geometry: Shapely geometries of any kind [n], None where there is none.

    Returns:
        Single points, lines and polygons in two dimensions [m]; the row of each [m]; what was
        mended or left out.
    """
    notes = []
    flat = shapely.force_2d(geometry)
    missing = shapely.is_missing(flat) | shapely.is_empty(flat)
    # A missing geometry counts as valid.
    endless = ~missing & ~np.isfinite(shapely.bounds(flat)).all(axis=-1)
    rows = np.flatnonzero(~missing & ~endless)
    parts, owners = shapely.get_parts(flat[rows], return_index=True)
    # Of a collection, its own collections too.
    while len(deep := np.flatnonzero(shapely.get_type_id(parts) > shapely.GeometryType.POLYGON)):
        inner, index = shapely.get_parts(parts[deep], return_index=True)
        parts = np.concatenate([np.delete(parts, deep), inner])
        owners = np.concatenate([np.delete(owners, deep), owners[deep][index]])
    order = np.argsort(owners, kind="stable")
    parts, owners = parts[order], rows[owners[order]]
    broken = ~shapely.is_valid(parts)
    if broken.any():
        parts, owners = _mended(parts, owners, broken)
    flatness = shapely.get_dimensions(parts)
    nothing = shapely.is_empty(parts) | ((flatness == _LINE) & (shapely.length(parts) == 0))
    nothing |= (flatness == _POLYGON) & (shapely.area(parts) == 0)
    parts, owners = parts[~nothing], owners[~nothing]
    if missing.any():
        notes.append(f"{int(missing.sum())} object(s) without a geometry left out")
    if endless.any():
        notes.append(f"{int(endless.sum())} object(s) with endless coordinates left out")
    if broken.any():
        notes.append(f"{int(broken.sum())} invalid geometry(ies) mended")
    lost = len(set(rows.tolist()) - set(owners.tolist()))
    if lost:
        notes.append(f"{lost} object(s) without length or area left out")
    return parts, owners, notes


def _mended(
    parts: np.ndarray, owners: np.ndarray, broken: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Valid parts of the same dimension; crossing edges leave lines behind, which are dropped."""
    found, index = shapely.get_parts(shapely.make_valid(parts[broken]), return_index=True)
    inner, deeper = shapely.get_parts(found, return_index=True)
    index = index[deeper]
    same = shapely.get_dimensions(inner) == shapely.get_dimensions(parts[broken])[index]
    everything = np.concatenate([parts[~broken], inner[same]])
    rows = np.concatenate([owners[~broken], owners[broken][index[same]]])
    order = np.argsort(rows, kind="stable")
    return everything[order], rows[order]
