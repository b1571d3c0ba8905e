"""Windows that labels will most likely be learned from next: those of what is on the screen."""

import threading
from collections.abc import Sequence

from terrashot.annotation.feature_memory import RememberingNetwork
from terrashot.annotation.overlay import Cell
from terrashot.data.labels.scenes import LabelledImage
from terrashot.data.labels.windows import Place, places_within

_ON_SCREEN = 16
"""Cells that are taken for what is on the screen: those that were asked for last."""


class WindowsAhead:
    """Learns the features of windows before anything is drawn there.

    A stroke then costs the head alone, wherever it is drawn. Only so many windows are learned as
    leave half of the memory to others.

    Args:
        network: Learns and keeps them.
        images: What is drawn on, in the order of the scenes.
        window: Side of the windows, in pixels.
        side: Of a cell.
        limit: Bytes of the memory.
    """

    def __init__(
        self,
        network: RememberingNetwork,
        images: Sequence[LabelledImage],
        window: int,
        side: int,
        limit: int,
    ) -> None:
        self._network = network
        self._images = list(images)
        self._window = window
        self._side = side
        self._limit = limit
        self._lock = threading.Lock()
        self._cells: list[Cell] = []
        self._places: list[Place] | None = []
        self._bytes = 1  # of a window, once one is known

    def show(self, cell: Cell) -> bool:
        """A cell is on the screen; whether it was not before."""
        with self._lock:
            new = cell not in self._cells
            if new:
                self._cells = [*self._cells, cell][-_ON_SCREEN:]
                self._places = None
            return new

    def clear(self) -> None:
        """Nothing is on the screen."""
        with self._lock:
            self._cells = []

    def next(self, others: int) -> tuple[LabelledImage, Place] | None:
        """A window to learn; None: there is none, or no room.

        Args:
            others: Windows that are in use already.
        """
        with self._lock:
            if not self._cells:
                return None
            image = self._images[self._cells[-1].scene]
            if self._places is None:
                self._places = self._within(image)
            places = self._places
        room = (self._limit // self._bytes - others) // 2
        unknown = (p for p in places[: max(room, 0)] if not self._network.knows(image, p))
        found = next(unknown, None)
        return None if found is None else (image, found)

    def learn(self, image: LabelledImage, place: Place) -> None:
        """Learn a window.

        Raises:
            DataError: the image can't be read there.
        """
        self._bytes = self._network.learn(image, place)

    def _within(self, image: LabelledImage) -> list[Place]:
        """Windows that lie in cells on the screen as a whole, the likeliest first."""
        shown = {(c.row, c.column) for c in self._cells if c.scene == self._cells[-1].scene}
        rows, columns = (sorted(numbers) for numbers in zip(*shown, strict=True))
        height, width = image.raster.height, image.raster.width
        top, left = rows[0] * self._side, columns[0] * self._side
        bottom = min((rows[-1] + 1) * self._side, height)
        right = min((columns[-1] + 1) * self._side, width)
        area = Place(top, left, bottom - top, right - left)

        def is_shown(place: Place) -> bool:
            return all(
                (row, column) in shown
                for row in range(
                    place.top // self._side, -(-(place.top + place.height) // self._side)
                )
                for column in range(
                    place.left // self._side, -(-(place.left + place.width) // self._side)
                )
            )

        return [p for p in places_within(area, height, width, self._window) if is_shown(p)]
