"""Connected areas of a map and one new value for each, exact whatever the map's size.

A map is gone through twice, block by block. The first time, areas that reach the border of their
block are joined with their other parts (union-find) and their measures added up; the second time
every area, whole in its block or joined, is decided on. So the result is that of one look at the
whole map, while the memory that is needed is that of a block and of the areas on block borders.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from terrashot.mapping.postprocess.block_map import NODATA, Block, blocks_of

SKIP = NODATA
"""Key of a pixel that belongs to no area."""
KEEP = 255
"""Decision: the area stays as it is."""
UNSEEN = 254
"""Value of a neighbour that is not counted as a contact."""


@dataclass(frozen=True)
class View:
    """What is looked at in one block.

    Args:
        key: uint8 [h + 2, w + 2], with a halo of one pixel: neighbours of equal key (left, right,
            above, below) are one area; ``SKIP`` is none.
        context: uint8 [h + 2, w + 2]: the classes that contacts are counted with; None: not.
        inside: uint8 [h, w]: the classes that are counted inside each area; None: not.
        diagonal: Pixels that share a corner alone are neighbours too (not as contacts).
    """

    key: np.ndarray
    context: np.ndarray | None = None
    inside: np.ndarray | None = None
    diagonal: bool = False


@dataclass(frozen=True)
class Areas:
    """Measures of n connected areas.

    Args:
        key: [n].
        size: Pixels [n].
        contacts: Pixel edges [n, K + 1] shared with each class; column K: with ``NODATA`` and the
            end of the map. [n, 0] where the view has no context.
        inside: Pixels [n, K + 1] of each class in the area; [n, 0] where the view has none.
    """

    key: np.ndarray
    size: np.ndarray
    contacts: np.ndarray
    inside: np.ndarray


Look = Callable[[Block], View]
Decide = Callable[[Areas], np.ndarray]


def new_values(
    shape: tuple[int, int], side: int, num_classes: int, look: Look, decide: Decide
) -> Iterator[tuple[Block, np.ndarray]]:
    """Decide on every area and yield, block by block, the pixels' new values.

    Args:
        shape: Height and width of the map.
        side: Of a block in pixels; does not change the result.
        num_classes: K.
        look: The view of a block; asked twice for each block of a map of several blocks.
        decide: New values uint8 [n] of areas, ``KEEP`` where one stays. It must judge each area
            by its own measures only.

    Yields:
        A block and its values uint8 [height, width], ``KEEP`` in no area and where one stays.
    """
    joined = _Joined(shape, num_classes)
    blocks = list(blocks_of(shape, side))
    if len(blocks) > 1:
        for block in blocks:
            joined.add(block, look(block))
        joined.decide(decide)
    for block in blocks:
        labels, areas = measure(look(block), num_classes)
        values = decide(areas).astype(np.uint8)
        if len(blocks) > 1:
            local, decided = joined.values(block)
            values[local] = decided
        # The last entry is for pixels in no area, whose label is -1.
        yield block, np.append(values, np.uint8(KEEP))[labels]


def measure(view: View, num_classes: int) -> tuple[np.ndarray, Areas]:
    """Labels int32 [h, w] of the areas within one block (-1: none) and their measures."""
    key = view.key[1:-1, 1:-1]
    labels, keys = label_areas(key, view.diagonal)
    taken = labels >= 0
    contacts = inside = np.zeros((len(keys), 0), dtype=np.int32)
    if view.context is not None:
        contacts = np.zeros((len(keys), num_classes + 1), dtype=np.int32)
        for rows, columns in _NEIGHBOURS:
            context = view.context[rows, columns]
            seen = taken & (view.key[rows, columns] != key) & (context != UNSEEN)
            contacts += _table(labels[seen], context[seen], len(keys), num_classes)
    if view.inside is not None:
        inside = _table(labels[taken], view.inside[taken], len(keys), num_classes)
    size = np.bincount(labels[taken], minlength=len(keys))
    return labels, Areas(keys, size, contacts, inside)


def _table(labels: np.ndarray, classes: np.ndarray, count: int, num_classes: int) -> np.ndarray:
    """How often each label meets each class, int32 [count, K + 1]."""
    pairs = labels.astype(np.int64) * (num_classes + 1) + np.minimum(classes, num_classes)
    table = np.bincount(pairs, minlength=count * (num_classes + 1))
    return table.reshape(count, num_classes + 1).astype(np.int32)


_MIDDLE, _BEFORE, _AFTER = slice(1, -1), slice(0, -2), slice(2, None)
_DIAGONALS = [(slice(0, -1), slice(1, None)), (slice(1, None), slice(0, -1))]
_NEIGHBOURS = [(_BEFORE, _MIDDLE), (_AFTER, _MIDDLE), (_MIDDLE, _BEFORE), (_MIDDLE, _AFTER)]


def label_areas(key: np.ndarray, diagonal: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Areas of equal value, all values in one go.

    Args:
        key: uint8 [h, w]; ``SKIP`` is no area.
        diagonal: Whether pixels that share a corner alone are of one area.

    Returns:
        Labels int32 [h, w] from 0, -1 in no area, and the value [n] of each area.

    Rows are cut into runs of one value; runs that lie above each other are joined as a graph. That
    is many times faster than one labelling a class.
    """
    starts = np.ones(key.shape, dtype=bool)
    starts[:, 1:] = key[:, 1:] != key[:, :-1]
    runs = (np.cumsum(starts, dtype=np.int32) - 1).reshape(key.shape)
    above, below = runs[:-1], runs[1:]
    same = key[:-1] == key[1:]
    # One pair for each stretch over which two runs touch.
    same[:, 1:] &= starts[:-1, 1:] | starts[1:, 1:]
    pairs = [(above[same], below[same])]
    if diagonal:
        for up, down in _DIAGONALS:
            same = key[:-1, up] == key[1:, down]
            pairs.append((above[:, up][same], below[:, down][same]))
    number = int(runs[-1, -1]) + 1
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    area = _components(first, second, number)
    run_keys = key[starts]
    keys = np.empty(int(area.max()) + 1, dtype=np.uint8)
    keys[area] = run_keys
    taken = keys != SKIP
    renumbered = np.where(taken, np.cumsum(taken) - 1, -1).astype(np.int32)
    return renumbered[area][runs], keys[taken]


def _components(first: np.ndarray, second: np.ndarray, number: int) -> np.ndarray:
    """The component of each of ``number`` nodes that the pairs join."""
    graph = coo_matrix((np.ones(len(first), dtype=bool), (first, second)), (number, number))
    return connected_components(graph, directed=False)[1]


class _Joined:
    """Areas that reach over block borders."""

    def __init__(self, shape: tuple[int, int], num_classes: int) -> None:
        self._shape = shape
        self._classes = num_classes
        self._number = 0
        self._local: dict[Block, tuple[np.ndarray, int]] = {}  # their labels, their first number
        self._areas: list[Areas] = []
        self._pairs: list[tuple[np.ndarray, np.ndarray]] = []
        # Numbers along the lower border of the row of blocks above, and of the present one.
        self._above, self._below = np.full(shape[1], -1), np.full(shape[1], -1)
        self._left = np.zeros(0, dtype=np.int64)
        self._values = np.zeros(0, dtype=np.uint8)

    def add(self, block: Block, view: View) -> None:
        """Measure the open areas of the next block, row by row from the upper left."""
        labels, areas = measure(view, self._classes)
        (height, width), key = self._shape, view.key
        bottom, right = block.top + block.height, block.left + block.width
        sides = [
            labels[0] if block.top else None,
            labels[-1] if bottom < height else None,
            labels[:, 0] if block.left else None,
            labels[:, -1] if right < width else None,
        ]
        local = np.unique(np.concatenate([side for side in sides if side is not None]))
        local = local[local >= 0]
        numbers = np.full(len(areas.key) + 1, -1)  # the last one: of pixels in no area
        numbers[local] = self._number + np.arange(len(local))
        self._local[block] = local.astype(np.int32), self._number
        self._number += len(local)
        self._areas.append(_select(areas, local))
        if block.top and not block.left:
            self._above, self._below = self._below, np.full_like(self._below, -1)
        if block.top:
            above = np.pad(self._above, 1, constant_values=-1)[block.left : right + 2]
            self._join(above, numbers[labels[0]], key[0], key[1, 1:-1], view.diagonal)
        if block.left:
            # Its ends lie in other rows of blocks, which meet this block from above or below.
            left = np.pad(self._left, 1, constant_values=-1)
            self._join(left, numbers[labels[:, 0]], key[:, 0], key[1:-1, 1], view.diagonal)
        self._below[block.left : right] = numbers[labels[-1]]
        self._left = numbers[labels[:, -1]]

    def _join(
        self,
        beside: np.ndarray,
        own: np.ndarray,
        beside_key: np.ndarray,
        own_key: np.ndarray,
        diagonal: bool,
    ) -> None:
        """Pair the areas along a border [n] with those beside it [n + 2], one pixel longer."""
        for shift in (0, 1, 2) if diagonal else (1,):
            numbers = beside[shift : shift + len(own)]
            keys = beside_key[shift : shift + len(own)]
            same = (keys == own_key) & (own >= 0) & (numbers >= 0)
            self._pairs.append(_pairs(numbers[same], own[same]))

    def decide(self, decide: Decide) -> None:
        """Add up the parts of each area and decide on the whole ones."""
        first = np.concatenate([pair[0] for pair in self._pairs])
        second = np.concatenate([pair[1] for pair in self._pairs])
        if not self._number:
            return
        root = _components(first, second, self._number)
        count = int(root.max()) + 1
        key = np.empty(count, dtype=np.uint8)
        key[root] = np.concatenate([a.key for a in self._areas])
        whole = Areas(
            key,
            _summed(root, np.concatenate([a.size for a in self._areas]), count),
            _summed(root, np.concatenate([a.contacts for a in self._areas]), count),
            _summed(root, np.concatenate([a.inside for a in self._areas]), count),
        )
        self._areas.clear()
        self._values = decide(whole).astype(np.uint8)[root]

    def values(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Labels within the block of the areas that are joined, and what was decided on them."""
        local, first = self._local[block]
        return local, self._values[first : first + len(local)]


def _select(areas: Areas, index: np.ndarray) -> Areas:
    return Areas(areas.key[index], areas.size[index], areas.contacts[index], areas.inside[index])


def _pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs."""
    if not len(first):
        return first, second
    both = np.unique(np.stack([first, second]), axis=1)
    return both[0], both[1]


def _summed(group: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    total = np.zeros((count, *values.shape[1:]), dtype=np.int64)
    np.add.at(total, group, values)
    return total
