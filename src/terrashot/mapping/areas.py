"""The area of each class of a finished map, as a table."""

import csv
from pathlib import Path

import numpy as np
import rasterio

from terrashot.files import atomic_write
from terrashot.mapping.ground import Ground
from terrashot.mapping.postprocess.block_map import NODATA
from terrashot.taxonomy import Taxonomy

COLUMNS = ["class_id", "class", "role", "pixels", "hectares", "percent"]


def write_areas(class_map: Path, path: Path, taxonomy: Taxonomy) -> Path:
    """Write a CSV with a line a class: pixels, hectares, percent of all pixels with a class.

    Hectares are empty where the map's reference system says nothing of areas.

    Returns:
        ``path``.
    """
    pixels, hectares = class_areas(class_map)
    valid = [c.index for c in taxonomy.classes]
    # Shares are of ground where it is known: pixels of degrees differ in size.
    amounts = pixels if hectares is None else hectares
    total = max(float(amounts[valid].sum()), 1e-12)
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for land in taxonomy.classes:
            index = land.index
            role = "novel" if index >= taxonomy.num_base else "base" if index else "background"
            area = "" if hectares is None else f"{hectares[index]:.4f}"
            share = f"{100 * amounts[index] / total:.4f}"
            writer.writerow([index, land.name, role, int(pixels[index]), area, share])
    return path


def class_areas(class_map: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels and hectares [255] of each class id in a map; hectares None where not known."""
    pixels, hectares = np.zeros(NODATA, dtype=np.int64), np.zeros(NODATA)
    with rasterio.open(class_map) as source:
        ground = Ground.of(source.crs, source.transform)
        rows = ground.rows(source.height, source.width)
        for _, window in source.block_windows(1):
            ids = source.read(1, window=window)
            if rows is None or ground.pixel is not None:
                pixels += np.bincount(ids.reshape(-1), minlength=NODATA + 1)[:NODATA]
                continue
            line = np.arange(len(ids), dtype=np.int64)[:, None] * (NODATA + 1)
            counts = np.bincount((line + ids).reshape(-1), minlength=len(ids) * (NODATA + 1))
            counts = counts.reshape(len(ids), NODATA + 1)[:, :NODATA]
            pixels += counts.sum(axis=0)
            hectares += rows[window.row_off : window.row_off + len(ids)] @ counts / 1e4
    if rows is None:
        return pixels, None
    return pixels, hectares if ground.pixel is None else pixels * ground.pixel / 1e4
