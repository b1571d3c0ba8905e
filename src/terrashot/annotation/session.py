"""One session at the page: scenes, labels, and the head that they teach."""

import contextlib
import functools
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from terrashot.annotation.ahead import WindowsAhead
from terrashot.annotation.background import Background, Piece
from terrashot.annotation.edited import Edited
from terrashot.annotation.errors import RefusedError
from terrashot.annotation.feature_memory import FeatureMemory
from terrashot.annotation.label_rows import Label
from terrashot.annotation.overlay import Cell, Overlay
from terrashot.annotation.picture import ScenePicture
from terrashot.annotation.places import PlacesToGo, PlaceToGo
from terrashot.annotation.store import LabelStore
from terrashot.annotation.strokes import as_polygon
from terrashot.annotation.teacher import Taught, Teacher, Teaching
from terrashot.annotation.turns import Rank, Turns
from terrashot.data.labels.place import PixelGrid
from terrashot.data.labels.scenes import LabelledImage
from terrashot.errors import ConfigError, DataError
from terrashot.mapping.scene import Scene
from terrashot.model.base_head import seeing
from terrashot.model.model import Model

_PLACES = 12
_SOON = 0.3
_QUIET = 2.0
"""Seconds that pass after somebody has used the network: until windows of what is on the screen are
learned, and until all of the scenes are looked at."""
_ROUNDED = 2
"""Digits of a pixel that a label's corners are told with."""


@dataclass(frozen=True)
class Head:
    """The head of the moment, and its number: the pages see by it whether they show the last."""

    number: int
    taught: Taught


def check_systems(scenes: Sequence[Scene]) -> str | None:
    """The reference system that labels of these scenes are kept in; None: pixels of the only one.

    Raises:
        ConfigError: several scenes, and one of them does not say where it lies.
    """
    lost = next((scene for scene in scenes if scene.crs is None), None)
    if lost is not None and len(scenes) > 1:
        raise ConfigError(
            f"{lost.path} names no reference system, so labels on it and on the other "
            f"{len(scenes) - 1} scene(s) could not be told apart in one file. Give it one "
            "(`gdal_edit.py -a_srs`), or label it in a session of its own."
        )
    return scenes[0].crs


class Session:
    """What the page asks for.

    Args:
        model: A stage-1 network.
        scenes: The scenes.
        store: The labels.
        teaching: How they teach.
        memory: Megabytes of features that are kept.
        overlay: Sizes of the cells, see ``Overlay``.

    Raises:
        DataError: labels and scenes name places that can't be compared.
        ConfigError: features that do not go with the network.
    """

    def __init__(
        self,
        model: Model,
        scenes: Sequence[Scene],
        store: LabelStore,
        teaching: Teaching,
        memory: int = 512,
        **overlay: Any,  # noqa: ANN401 - handed on
    ) -> None:
        model = Model(seeing(model.network, teaching.features), model.path)
        self.model, self.scenes, self.store = model, list(scenes), store
        self._grids = [_grid(scene, store) for scene in self.scenes]
        self.pictures = [ScenePicture(scene) for scene in self.scenes]
        self._memory = FeatureMemory(memory)
        images = [LabelledImage(scene.raster, scene.spec) for scene in self.scenes]
        self._teacher = Teacher(model, images, store, self._memory, teaching)
        self.overlay = Overlay(model.network, self.scenes, self._memory, **overlay)
        sizes = [(scene.height, scene.width) for scene in self.scenes]
        self._places = PlacesToGo(sizes, self.overlay.side, self.overlay.stride)
        self._ahead = WindowsAhead(
            self._teacher.network, images, teaching.window, self.overlay.side, self._memory.limit
        )
        self._turns = Turns()
        self._head = Head(0, self._teacher.untaught())
        self._wanted = False
        self._prepared: Taught | None = None
        self._background = Background(self._turns, self._piece)
        self._unseen = deque(
            cell for scene in range(len(self.scenes)) for cell in self.overlay.cells(scene)
        )
        self._gone: set[int] = set()
        self.trouble = ""

    def start(self) -> None:
        """Begin with what the background does: see ``_piece``."""
        self._background.start()

    def close(self) -> None:
        """Stop the background; everything is saved already."""
        self._background.stop()
        self._turns.close()
        self.store.close()

    @property
    def head(self) -> Head:
        """The head of the moment."""
        return self._head

    def shapes(self, scene: int) -> tuple[str, list[dict[str, Any]]]:
        """Version of the labels, and those on a scene as plain values, see ``plain``."""
        version = self.store.version
        return version, self.plain(scene, self.store.labels)

    def plain(self, scene: int, labels: Sequence[Label]) -> list[dict[str, Any]]:
        """Labels on a scene: row, class, and polygons as rings of (column, row)."""
        self._check(scene)
        found = []
        for label, shape in zip(labels, self._on(scene, labels), strict=True):
            parts = [
                [_ring(ring) for ring in (part.exterior, *part.interiors)]
                for part in shapely.get_parts(shape)
                if part.geom_type == "Polygon" and not part.is_empty
            ]
            if parts:
                found.append({"key": label.key, "class": label.name, "parts": parts})
        return found

    def draw(self, version: str, scene: int, name: str, stroke: Mapping[str, Any]) -> Edited:
        """A stroke on a scene: a label of a class, or the eraser.

        Raises:
            RefusedError: it can't be.
            StaleError: see ``LabelStore.draw``.
            UnsavedError: likewise.
        """
        self._check(scene)
        self._turns.expect()  # it is going to teach
        own = self.scenes[scene]
        area = as_polygon(stroke, own.height, own.width)
        if area.is_empty or not area.area:
            raise RefusedError("What was drawn lies off the scene, or covers no area.")
        shape = self._grids[scene].placed(np.array([area], dtype=object))[0]
        if stroke["tool"] == "eraser":
            return self.store.erase(version, shape)
        return self.store.draw(version, name, shape, str(stroke["tool"]))

    def prepare(self) -> None:
        """The labels have changed and will teach in a moment: their head is made meanwhile.

        Nobody sees it before ``teach``; a page waits for further strokes, or for its user.
        """
        self._turns.expect()
        self._wanted = True
        self._background.wake()

    def teach(self) -> Head:
        """A head of all labels; none is made where the last one is of the same.

        Raises:
            DataError: see ``Teacher.teach``.
            ConfigError: likewise.
        """
        return self._turns.run(Rank.STROKE, self._learn)

    def cell(self, cell: Cell) -> tuple[int, np.ndarray, np.ndarray]:
        """Number of the head, class ids and confidence of a cell, see ``Overlay.predict``.

        Raises:
            RefusedError: there is no such cell.
            DataError: the scene can't be read there.
        """
        if not self.overlay.has(cell):
            raise RefusedError("There is no such part of the scene.")
        found = self._turns.run(Rank.VIEW, lambda: self._predict(cell))
        if self._ahead.show(cell):
            self._background.wake()
        return found

    def places(self) -> tuple[float, list[PlaceToGo]]:
        """The share of the scenes that was looked at, and where a label would help most."""
        total = sum(len(self.overlay.cells(scene)) for scene in range(len(self.scenes)))
        labels = self.store.labels
        found = self._places.best(
            self._head.taught.network, _PLACES, lambda scene: self._on(scene, labels)
        )
        return self._places.seen / max(total, 1), found

    def _on(self, scene: int, labels: Sequence[Label]) -> np.ndarray:
        """The shapes of labels [n] in pixels of a scene; empty where they lie elsewhere."""
        shapes = np.array([label.shape for label in labels], dtype=object)
        return self._grids[scene].polygons(shapes, 0.0, 0.0) if len(shapes) else shapes

    def _check(self, scene: int) -> None:
        if not 0 <= scene < len(self.scenes):
            raise RefusedError("There is no such scene.")

    def _learn(self) -> Head:
        version = self.store.version
        if self._head.taught.version != version:
            ready, self._prepared = self._prepared, None
            if ready is None or ready.version != version:
                ready = self._teacher.teach()
            self._head = Head(self._head.number + 1, ready)
        return self._head

    def _prepare(self) -> None:
        self._wanted = False
        known = {t.version for t in (self._head.taught, self._prepared) if t is not None}
        if self.store.version not in known:
            # Whatever goes wrong goes wrong again where somebody asks for the head, and is told.
            with contextlib.suppress(Exception):
                self._prepared = self._teacher.teach()

    def _predict(self, cell: Cell) -> tuple[int, np.ndarray, np.ndarray]:
        head = self._head
        ids, confidence = self.overlay.predict(cell, head.taught.network)
        self._remember(cell)
        return head.number, ids, confidence

    def _remember(self, cell: Cell, keep: bool = True) -> None:
        if cell not in self._places:
            self._places.add(cell, self.overlay.features(cell, keep))

    def _piece(self) -> Piece | None:
        """What the background does next: the head of the last stroke, windows, then the scenes."""
        if self._wanted:
            return Piece(self._prepare, 0.0, self._leave)
        ahead = self._ahead.next(self._head.taught.windows)
        if ahead is not None:
            return Piece(functools.partial(self._ahead.learn, *ahead), _SOON, self._leave)
        while self._unseen:
            cell = self._unseen[0]
            if cell not in self._places and cell.scene not in self._gone:
                # The background leaves room for what is on the screen.
                keep = not self._memory.is_half_full
                look = functools.partial(self._remember, cell, keep)
                return Piece(look, _QUIET, functools.partial(self._lose, cell.scene))
            self._unseen.popleft()
        return None

    def _leave(self, reason: str) -> None:
        """What is on the screen can't be read."""
        self._ahead.clear()
        self.trouble = reason

    def _lose(self, scene: int, reason: str) -> None:
        """A scene has gone; the page says so."""
        self._gone.add(scene)
        self.trouble = reason


def _grid(scene: Scene, store: LabelStore) -> PixelGrid:
    if store.crs is None and scene.crs is not None:
        raise DataError(
            f"{store.path} names no reference system for its labels, but {scene.path} has one, so "
            "nobody can say where they lie on it. Give the layer one (`ogr2ogr -a_srs EPSG:...`), "
            "or name a new file."
        )
    return PixelGrid(scene.raster, store.crs, "annotate")


def _ring(ring: shapely.LinearRing) -> list[list[float]]:
    found: list[list[float]] = np.round(shapely.get_coordinates(ring), _ROUNDED).tolist()
    return found
