"""Colours of drawn classes, where the file of their layer says them."""

from pathlib import Path

import pyogrio

CLASSES = "terrashot_classes"
"""Table of a GeoPackage with the columns ``name`` and ``color``; the annotation page writes it."""


def class_colors(path: Path) -> dict[str, str]:
    """``#rrggbb`` by class; empty where the file has no table of them.

    Raises:
        DataSourceError: not readable (pyogrio's).
    """
    if path.suffix.lower() != ".gpkg" or CLASSES not in pyogrio.list_layers(path)[:, 0]:
        return {}
    meta, _, _, columns = pyogrio.raw.read(path, layer=CLASSES, read_geometry=False)
    values = dict(zip(meta["fields"].tolist(), columns, strict=True))
    return dict(zip(values["name"].tolist(), values["color"].tolist(), strict=True))
