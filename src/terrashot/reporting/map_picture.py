"""A map as one picture with its legend, small enough to be sent around."""

from pathlib import Path

import numpy as np
import rasterio
from PIL import Image, ImageDraw
from rasterio.enums import Resampling

from terrashot.files import atomic_write
from terrashot.reporting.legend import Legend
from terrashot.taxonomy import IGNORE, Taxonomy

SIDE = 2000
"""Pixels of the longer side, at most."""


def draw_map(class_map: Path, picture: Path, taxonomy: Taxonomy) -> Path:
    """Write a class map as a PNG of at most 2000 pixels, with the classes that occur in it.

    Args:
        class_map: a raster of class ids; nodata becomes white. Read from its overviews.
        picture: where to.
        taxonomy: names and colours.

    Returns:
        ``picture``.
    """
    with rasterio.open(class_map) as source:
        scale = min(1.0, SIDE / max(source.height, source.width))
        shape = [max(1, round(side * scale)) for side in (source.height, source.width)]
        ids = source.read(1, out_shape=tuple(shape), resampling=Resampling.nearest)
    colors = taxonomy.palette()
    colors[IGNORE] = 255
    present = set(np.unique(ids).tolist())
    entries = [(c.name, c.rgb) for c in taxonomy.classes if c.index in present]
    height, width = ids.shape
    full_width = max(width, 320)
    legend = Legend(entries, full_width)
    sheet = Image.new("RGB", (full_width, height + legend.height), "white")
    sheet.paste(Image.fromarray(colors[ids]), (0, 0))
    legend.draw(ImageDraw.Draw(sheet), height)
    with atomic_write(picture) as temporary:
        sheet.save(temporary, optimize=True)
    return picture
