"""Strokes that a script draws from the truth: objects as a person would outline them."""

import numpy as np
import rasterio
import shapely
from rasterio.features import shapes
from rasterio.transform import Affine

from terrashot.taxonomy import IGNORE

SIDE = 96
"""Of the largest object that is drawn, in pixels."""
_LEAST = 40
"""Pixels of the smallest."""
_BORDER = 32
_TRIES = 100_000


class Truth:
    """A raster of classes.

    Args:
        path: One band of ids.
        names: The class of each id; pixels of other ids have none.
    """

    def __init__(self, path: str, names: dict[int, str]) -> None:
        with rasterio.open(path) as source:
            ids = source.read(1)
        self.names = sorted(set(names.values()))
        table = np.full(256, IGNORE, np.uint8)
        for number, name in names.items():
            table[number] = self.names.index(name)
        self.labels = table[ids]

    def indices(self, taxonomy_names: list[str]) -> np.ndarray:
        """The labels as indices of a taxonomy's classes, 255 where there is none [H, W]."""
        table = np.full(256, IGNORE, np.uint8)
        for number, name in enumerate(self.names):
            table[number] = taxonomy_names.index(name)
        found: np.ndarray = table[self.labels]
        return found

    def at(self, x: int, y: int) -> tuple[str, list[list[float]]] | None:
        """Class and outline of the object at a pixel; None: none, or too small to be drawn."""
        own = self.labels[y, x]
        if own == IGNORE:
            return None
        side = SIDE
        while side >= 16:
            top, left = max(0, y - side // 2), max(0, x - side // 2)
            part = (self.labels[top : top + side, left : left + side] == own).astype(np.uint8)
            place = Affine.translation(left, top)
            for geometry, _ in shapes(part, part > 0, transform=place):
                area = shapely.geometry.shape(geometry)
                if area.contains(shapely.Point(x + 0.5, y + 0.5)) and area.area >= _LEAST:
                    outline = area.simplify(1.5)
                    if not outline.interiors and outline.is_valid:
                        return self.names[own], [list(p) for p in outline.exterior.coords[:-1]]
            side //= 2  # one with a hole, which a stroke has not: a smaller part of it
        return None

    def random(
        self, rng: np.random.Generator, name: str | None = None, view: tuple[int, ...] = ()
    ) -> tuple[str, list[list[float]]]:
        """The object at a random place, or at one of a class.

        Args:
            rng: Random numbers.
            name: The class; None: any.
            view: Top, left, height and width of where it lies; none: anywhere.
        """
        top, left, height, width = view or (0, 0, *self.labels.shape)
        for _ in range(_TRIES):
            x = left + int(rng.integers(_BORDER, width - _BORDER))
            y = top + int(rng.integers(_BORDER, height - _BORDER))
            if name is None or self.labels[y, x] == self.names.index(name):
                found = self.at(x, y)
                if found is not None:
                    return found
        raise ValueError(f"no object of {name or 'any class'} that could be drawn")
