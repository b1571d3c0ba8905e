"""Windows of scenes as samples: drawn anew each epoch in training, fixed in validation."""

import numpy as np
import shapely
from torch.utils.data import Dataset

from terrashot.data.labels.windows import Place
from terrashot.data.scenes.plan import LabelledScene, ScenePlan
from terrashot.data.tiles import Sample, Transform, make_sample
from terrashot.taxonomy import IGNORE

_TRIES = 50


class TrainingWindows(Dataset[Sample]):
    """Windows about points of labelled objects, chosen by the seed of a sample alone.

    A point lies in an object (or a completely labelled area, for background) that is drawn by its
    area; with ``balanced``, the class comes first, each as likely. The window's middle lies up to
    a quarter of its side from the point.

    Args:
        plan: The scenes.
        transform: See ``TileDataset``.
    """

    def __init__(self, plan: ScenePlan, transform: Transform | None) -> None:
        self._plan = plan
        self._transform = transform
        found = [_pieces(number, scene) for number, scene in enumerate(plan.train)]
        self._scenes, self._classes = (
            np.concatenate([f[part] for f in found]).astype(int) for part in (0, 1)
        )
        self._shapes = np.concatenate([f[2] for f in found])
        areas = shapely.area(self._shapes)
        self._chances = areas / areas.sum()
        if plan.source.balanced:
            for class_id in np.unique(self._classes):
                mine = self._classes == class_id
                self._chances[mine] /= self._chances[mine].sum()
            self._chances /= self._chances.sum()

    def __len__(self) -> int:
        """Windows of an epoch."""
        return self._plan.windows

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The window of a seed; the index says nothing.

        Raises:
            DataError: a scene is damaged where the window lies.
        """
        _, seed = key
        scene, place, labels = self.window(seed)
        pixels, labels = scene.read(place, labels)
        name = f"{scene.image.raster.path.stem} {place}"
        return make_sample(pixels, labels, name, self._transform, seed)

    def window(self, seed: int) -> tuple[LabelledScene, Place, np.ndarray]:
        """Scene, window and labels of a seed: a window with labels, where one is found."""
        rng = np.random.default_rng(seed)
        for _ in range(_TRIES):
            piece = rng.choice(len(self._shapes), p=self._chances)
            scene = self._plan.train[self._scenes[piece]]
            point = _point_in(self._shapes[piece], rng)
            place = self._around(scene, *point, rng)
            labels = scene.labels(place, training=True)
            if not scene.is_held(*point) and (labels != IGNORE).any():
                break
        return scene, place, labels

    def _around(self, scene: LabelledScene, x: float, y: float, rng: np.random.Generator) -> Place:
        side = self._plan.side
        starts, sizes = [], []
        for middle, length in ((y, scene.image.raster.height), (x, scene.image.raster.width)):
            size = min(side, length)
            start = int(middle + rng.uniform(-0.25, 0.25) * side - size / 2)
            starts.append(min(max(start, 0), length - size))
            sizes.append(size)
        return Place(*starts, *sizes)


class ValidationWindows(Dataset[Sample]):
    """The cells that are validated on.

    Args:
        plan: The scenes.
    """

    def __init__(self, plan: ScenePlan) -> None:
        self._places = plan.validation_places

    def __len__(self) -> int:
        """Number of cells."""
        return len(self._places)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        """The cell at ``index`` or ``(index, seed)``; see ``TileDataset``.

        Raises:
            DataError: a scene is damaged there.
        """
        index, seed = key if isinstance(key, tuple) else (key, None)
        scene, place = self._places[index]
        pixels, labels = scene.read(place, scene.labels(place, training=False))
        return make_sample(pixels, labels, self.name(index), None, seed)

    def name(self, index: int) -> str:
        """Scene and place of a cell."""
        scene, place = self._places[index]
        return f"{scene.image.raster.path.stem} {place}"


def _pieces(number: int, scene: LabelledScene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scene, class and shape of all that is labelled in a scene, as far as it lies in it."""
    frame = shapely.box(0, 0, scene.image.raster.width, scene.image.raster.height)
    drawing = scene.drawing
    shapes = shapely.intersection(np.concatenate([drawing.shapes, drawing.areas]), frame)
    classes = np.concatenate([drawing.ids, np.zeros(len(drawing.areas), int)])
    here = shapely.area(shapes) > 0
    return np.full(here.sum(), number), classes[here], shapes[here]


def _point_in(shape: shapely.Geometry, rng: np.random.Generator) -> tuple[float, float]:
    """A point (column, row) of a polygon, each as likely; of very thin ones any."""
    left, top, right, bottom = shape.bounds
    for _ in range(_TRIES):
        x, y = rng.uniform(left, right), rng.uniform(top, bottom)
        if shapely.intersects_xy(shape, x, y):
            return x, y
    point = shape.representative_point()
    return point.x, point.y
