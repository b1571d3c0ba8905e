"""Polygons as class ids on the exact grid of a window."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import shapely
from rasterio.features import rasterize
from rasterio.transform import Affine

from terrashot.data.labels.windows import Place
from terrashot.taxonomy import IGNORE


@dataclass(frozen=True)
class Burnt:
    """A window with labels.

    Args:
        labels: uint8 [h, w].
        unlabelled: Where nothing was drawn and nobody has said what is there, bool [h, w].
        shared: Pixels of the class that other classes claim, too.
    """

    labels: np.ndarray
    unlabelled: np.ndarray
    shared: int


class Drawing:
    """What is drawn on an image, in pixel coordinates.

    Args:
        shapes: Polygons [n]; empty where they lie elsewhere.
        ids: Class of each [n].
        areas: Polygons inside which everything is labelled [m].
        around: Each shape widened by what surrounds it and is not of its class [n]; None: nothing
            is known of that.
        kept: Classes whose shapes keep their ids in the windows of other classes.
    """

    def __init__(
        self,
        shapes: np.ndarray,
        ids: np.ndarray,
        areas: np.ndarray,
        around: np.ndarray | None = None,
        kept: Collection[int] = (),
    ) -> None:
        self.shapes = shapes
        self.ids = ids
        self.areas = areas
        self.around = around
        self.kept = kept
        self._shapes_near = shapely.STRtree(shapes)
        self._areas_near = shapely.STRtree(areas)

    def window(self, place: Place, class_id: int) -> "Burnt":
        """The labels of a window for one class.

        A pixel belongs to a shape where its centre does. The class has its id; 0, "anything but
        this class", stands where another class was drawn, inside completely labelled areas, and
        around the shapes of the class as far as ``around`` goes; classes of ``kept`` have their own
        ids; everything else is ``IGNORE``: unknown. So is a pixel that several classes claim.
        """
        found = self._shapes_near.query(place.box, predicate="intersects")
        own = found[self.ids[found] == class_id]
        mine = burnt(self.shapes[own], place)
        others = burnt(self.shapes[found[self.ids[found] != class_id]], place)
        areas = self._areas_near.query(place.box, predicate="intersects")
        known = burnt(self.areas[areas], place) | others
        if self.around is not None:
            near = np.flatnonzero(
                (self.ids == class_id) & shapely.intersects(self.around, place.box)
            )
            known |= burnt(self.around[near], place)
        labels = np.where(known, 0, IGNORE).astype(np.uint8)
        for other in set(self.ids[found].tolist()).intersection(self.kept) - {class_id}:
            theirs = burnt(self.shapes[found[self.ids[found] == other]], place)
            labels[theirs] = np.where(labels[theirs] == 0, other, IGNORE)
        labels[mine] = class_id
        labels[mine & others] = IGNORE
        return Burnt(labels, ~(known | mine), int((mine & others).sum()))

    def classes(self, place: Place) -> np.ndarray:
        """The labels of a window for all classes together, uint8 [h, w].

        A pixel belongs to a shape where its centre does. Pixels that shapes of several classes
        claim are ``IGNORE``, and so are those of which nobody has said anything; inside completely
        labelled areas what no shape covers is 0.
        """
        labels = np.full((place.height, place.width), IGNORE, dtype=np.uint8)
        areas = self._areas_near.query(place.box, predicate="intersects")
        labels[burnt(self.areas[areas], place)] = 0
        found = self._shapes_near.query(place.box, predicate="intersects")
        taken = np.zeros(labels.shape, bool)
        for class_id in np.unique(self.ids[found]):
            mine = burnt(self.shapes[found[self.ids[found] == class_id]], place)
            labels[mine] = np.where(taken[mine], IGNORE, class_id)
            taken |= mine
        return labels


def burnt(shapes: np.ndarray, place: Place) -> np.ndarray:
    """Where the centre of a pixel lies in one of the shapes, bool [h, w]."""
    size = (place.height, place.width)
    shapes = shapes[~shapely.is_empty(shapes)]
    if not len(shapes):
        return np.zeros(size, bool)
    to_window = Affine.translation(place.left, place.top)
    return rasterize(shapes, out_shape=size, transform=to_window, dtype="uint8") > 0
