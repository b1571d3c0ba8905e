"""From a layer beside an image to shapes on the image's grid."""

from collections.abc import Collection

import numpy as np
import shapely

from terrashot.data.labels.burn import Drawing
from terrashot.data.labels.layer import Layer
from terrashot.data.labels.options import BurnOptions
from terrashot.data.labels.place import PixelGrid
from terrashot.data.labels.scenes import LabelledImage


def draw(
    layer: Layer,
    ids: np.ndarray,
    image: LabelledImage,
    options: BurnOptions,
    areas: Layer | None,
    kept: Collection[int] = (),
) -> Drawing:
    """The objects on the grid of an image.

    Args:
        layer: The objects.
        ids: The class of each [n].
        image: What they are drawn on.
        options: How shapes become pixels.
        areas: Inside these everything is labelled; None: nowhere.
        kept: See ``Drawing``.

    Raises:
        DataError: layer and image name places that can't be compared.
    """
    sizes = options.line_width or 0.0, options.point_radius or 0.0
    grid = PixelGrid(image.raster, None if options.in_image else layer.crs, options.group)
    complete = np.empty(0, dtype=object)
    if areas is not None:
        place = PixelGrid(image.raster, None if options.in_image else areas.crs, options.group)
        complete = place.polygons(areas.shapes, *sizes)
    around = None
    if options.ring is not None:
        around = grid.polygons(layer.shapes, *sizes, beyond=options.ring)
    return Drawing(grid.polygons(layer.shapes, *sizes), ids, complete, around, kept)


def lies_inside(shapes: np.ndarray, image: LabelledImage) -> np.ndarray:
    """Which shapes [n], in pixel coordinates, share more than their border with an image."""
    frame = shapely.box(0, 0, image.raster.width, image.raster.height)
    return shapely.intersects(shapes, frame) & ~shapely.touches(shapes, frame)
