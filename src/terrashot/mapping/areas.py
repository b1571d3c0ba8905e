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
    # Shares are of ground where it is known: pixels may differ in size.
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
        ground = Ground.of(source.crs, source.transform, source.shape)
        for _, window in source.block_windows(1):
            ids = source.read(1, window=window)
            counts = np.bincount(ids.reshape(-1), minlength=NODATA + 1)
            pixels += counts[:NODATA]
            areas = ground.pixels(window.row_off, window.col_off, *ids.shape)
            if areas is not None:
                summed = np.bincount(ids.reshape(-1), areas.reshape(-1), minlength=NODATA + 1)
                hectares += summed[:NODATA] / 1e4
    return pixels, hectares if ground.known else None
