"""The scenes with their labels: what is trained on, what is validated on, where windows lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely

from terrashot.data.labels.burn import Drawing
from terrashot.data.labels.draw import draw, lies_inside
from terrashot.data.labels.scenes import LabelledImage, inspect_images
from terrashot.data.labels.windows import Place
from terrashot.data.scenes.held_out import hold_out
from terrashot.data.scenes.source import GROUP, SceneSource
from terrashot.errors import DataError
from terrashot.image_spec import ImageSpec
from terrashot.taxonomy import IGNORE, Taxonomy


@dataclass(frozen=True)
class LabelledScene:
    """A scene, what is drawn on it, and its grid of cells.

    Args:
        image: The scene.
        drawing: The objects on it.
        side: Of a cell in pixels; those at the right and lower border may be smaller.
        held: Cells that are validated on, bool [rows, columns].
    """

    image: LabelledImage
    drawing: Drawing
    side: int
    held: np.ndarray

    def cells(self, held: bool) -> list[Place]:
        """The cells that are validated on, or the others."""
        height, width = self.image.raster.height, self.image.raster.width
        side = self.side
        return [
            Place(r * side, c * side, min(side, height - r * side), min(side, width - c * side))
            for r, c in np.argwhere(self.held == held).tolist()
        ]

    def is_held(self, x: float, y: float) -> bool:
        """Whether a point (column, row) of the scene is validated on."""
        row = min(int(y), self.image.raster.height - 1) // self.side
        column = min(int(x), self.image.raster.width - 1) // self.side
        return bool(self.held[row, column])

    def labels(self, place: Place, training: bool) -> np.ndarray:
        """Labels uint8 [h, w]; in training, what is validated on is ``IGNORE``."""
        labels = self.drawing.classes(place)
        if training:
            rows = (place.top + np.arange(place.height)) // self.side
            columns = (place.left + np.arange(place.width)) // self.side
            labels[self.held[np.ix_(rows, columns)]] = IGNORE
        return labels

    def read(self, place: Place, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Image [C, h, w], bytes or float32 in 0..1, and labels uint8 [h, w] where it has data.

        Raises:
            DataError: the file is damaged here.
        """
        pixels, valid = self.image.read(place)
        return pixels, np.where(valid, labels, np.uint8(IGNORE))


class ScenePlan:
    """The scenes of a source.

    Args:
        source: Which files.
        taxonomy: Gives each class its id; objects of novel classes are background, as in tiles.
        spec: The channels of the images.
        side: Of a window in pixels.

    Attributes:
        notes: What a user should know of the objects.

    Raises:
        DataError: a file that can't be read, a class without an object in the scenes that are
            trained on, nothing to validate on.
    """

    def __init__(self, source: SceneSource, taxonomy: Taxonomy, spec: ImageSpec, side: int) -> None:
        self.source = source
        self.taxonomy = taxonomy
        self.side = side
        layer = source.objects
        ids_of = {c.name: c.index if c.index < taxonomy.num_base else 0 for c in taxonomy.classes}
        ids = np.array([ids_of[name] for name in layer.classes])
        self.notes = [f"{layer.name}: {note}" for note in layer.notes]
        whole = [self._scene(path, ids, spec, held=False) for path in source.training_images]
        apart = [self._scene(path, ids, spec, held=True) for path in source.validation_images]
        self.train = whole if apart else self._held_out(whole)
        self.validation = apart or self.train
        self._check(whole, ids)

    @cached_property
    def validation_places(self) -> list[tuple[LabelledScene, Place]]:
        """The cells that are validated on and show labels."""
        return [
            (scene, place)
            for scene in self.validation
            for place in scene.cells(held=True)
            if (scene.labels(place, training=False) != IGNORE).any()
        ]

    @cached_property
    def train_counts(self) -> np.ndarray:
        """Labelled pixels of each base class in training, background first, int64 [num_base]."""
        counts = np.zeros(256, np.int64)
        for scene in self.train:
            for place in scene.cells(held=False):
                labels = scene.labels(place, training=True)
                counts += np.bincount(labels.reshape(-1), minlength=256)
        return counts[: self.taxonomy.num_base]

    @cached_property
    def windows(self) -> int:
        """Windows of an epoch."""
        if self.source.windows is not None:
            return self.source.windows
        shown = sum(
            int((_shown(s, self.taxonomy.num_base).any(axis=1) & ~s.held.ravel()).sum())
            for s in self.train
        )
        return max(64, shown)

    def summary(self) -> list[str]:
        """What is learned from, a line each, for the screen."""
        layer = self.source.objects
        counts = ", ".join(f"{n} of {name}" for name, n in layer.objects().items())
        return [
            f"labels: {layer.name} ({counts}) on {len(self.train)} scene(s), {self.windows} "
            f"windows of {self.side} px an epoch, {len(self.validation_places)} to validate on",
            *self.notes,
        ]

    def _scene(self, path: Path, ids: np.ndarray, spec: ImageSpec, held: bool) -> LabelledScene:
        (image,) = inspect_images([path], spec, group="data")
        drawing = draw(self.source.objects, ids, image, self.source.options, self.source.complete)
        grid = -(-image.raster.height // self.side), -(-image.raster.width // self.side)
        return LabelledScene(image, drawing, self.side, np.full(grid, held))

    def _held_out(self, scenes: Sequence[LabelledScene]) -> list[LabelledScene]:
        """The same scenes with cells to validate on."""
        shown = [_shown(scene, self.taxonomy.num_base) for scene in scenes]
        held = hold_out(np.concatenate(shown), self.source.held_out)
        starts = np.cumsum([0, *(len(s) for s in shown)])
        return [
            LabelledScene(
                scene.image, scene.drawing, self.side, held[i:j].reshape(scene.held.shape)
            )
            for scene, i, j in zip(scenes, starts[:-1], starts[1:], strict=True)
        ]

    def _check(self, scenes: Sequence[LabelledScene], ids: np.ndarray) -> None:
        """Raise a DataError where there is nothing to learn or to validate on; note the rest."""
        name = self.source.objects.name
        seen = np.zeros(self.taxonomy.num_base, bool)
        for scene in scenes:
            seen[ids[lies_inside(scene.drawing.shapes, scene.image)]] = True
        missing = [land.name for land in self.taxonomy.base if not seen[land.index]]
        if missing:
            files = ", ".join(str(scene.image.raster.path) for scene in scenes[:5])
            raise DataError(
                f"{name} has no object of {', '.join(missing)} in the scenes that are trained on "
                f"({files}). Check the reference systems, name further scenes with "
                f"{GROUP}.images, or take the class out of the layer."
            )
        if not self.validation_places:
            raise DataError(
                f"{name}: no window of {self.side} pixels with labels is left to validate on. Draw "
                "objects in further places, take smaller windows with data.crop, or name scenes "
                f"for it with {GROUP}.val_images."
            )
        validated = np.zeros(256, bool)
        for scene, place in self.validation_places:
            validated[np.unique(scene.labels(place, training=False))] = True
        unseen = [land.name for land in self.taxonomy.base if not validated[land.index]]
        if unseen:
            self.notes.append(f"{name}: no object to validate {', '.join(unseen)} on")


def _shown(scene: LabelledScene, num_base: int) -> np.ndarray:
    """Which classes the cells of a scene show, bool [cells, num_base]."""
    height, width = scene.image.raster.height, scene.image.raster.width
    rows, columns = scene.held.shape
    r, c = (axis.ravel() for axis in np.mgrid[:rows, :columns])
    side = scene.side
    boxes = shapely.box(
        c * side, r * side, np.minimum((c + 1) * side, width), np.minimum((r + 1) * side, height)
    )
    found = np.zeros((rows * columns, num_base), bool)
    tree = shapely.STRtree(boxes)
    for shapes, ids in (
        (scene.drawing.shapes, scene.drawing.ids),
        (scene.drawing.areas, np.zeros(len(scene.drawing.areas), int)),
    ):
        which, cells = tree.query(shapes, predicate="intersects")
        found[cells, ids[which]] = True
    return found
