"""Where a label would help most: places that the head is in doubt of, unlike each other."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
import torch
from torch import Tensor
from torch.nn import functional

from terrashot.annotation.overlay import Cell, CellFeatures
from terrashot.model.adapted_model import AdaptedModel

BLOCK = 32
"""Side of what is judged as one, in pixels."""
_CANDIDATES = 400
_PART = 2**15
"""Blocks that are asked about at once."""
_APART = 4
"""Blocks that two places are apart at least."""


@dataclass(frozen=True)
class PlaceToGo:
    """A place that is worth a look.

    Args:
        scene: Number of the scene.
        x: Column of its middle, in pixels.
        y: Row.
        doubt: 1 less the margin between the likeliest new class and the likeliest other one (or
            the two likeliest, where no class is new), 0 to 1.
        classes: These two, the likelier first.
    """

    scene: int
    x: int
    y: int
    doubt: float
    classes: tuple[str, str]


class PlacesToGo:
    """Remembers what the network saw of each block of the scenes, and asks any head about it.

    The mean of a block's features is kept, of which a linear head says the mean of its logits, so
    that the whole scene is judged anew after each stroke without the network. Doubt is the margin
    between two classes (Scheffer et al. 2001), of which one is new: doubt between classes that the
    network knows is no reason to draw, and has measured worse than random places. Places are chosen
    one after the other, each for its doubt and for being unlike those before (maximal marginal
    relevance, Carbonell and Goldstein 1998). Blocks that are not wholly filled with data, that lie
    at the border of the scene, or where something is labelled are left out.

    Args:
        sizes: Height and width of each scene.
        side: Of a cell in pixels.
        stride: Image pixels a feature covers in each direction.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], side: int, stride: int) -> None:
        self._sizes = list(sizes)
        self._side = side
        self._stride = stride
        self._lock = threading.Lock()
        self._cells: set[Cell] = set()
        # One array for all that will come, of which the system gives what is written to: small
        # ones that stay between large ones that go would leave the allocator gigabytes of gaps.
        most = sum((height // BLOCK) * (width // BLOCK) for height, width in self._sizes)
        self._features: np.ndarray | None = None  # half [most, C]
        self._middles = np.empty((most, 2), np.int32)
        self._scenes = np.empty(most, np.int32)
        self._count = 0

    def __contains__(self, cell: object) -> bool:
        """Whether a cell was seen."""
        with self._lock:
            return cell in self._cells

    @property
    def seen(self) -> int:
        """Cells that were seen."""
        with self._lock:
            return len(self._cells)

    def add(self, cell: Cell, seen: CellFeatures) -> None:
        """Remember a cell."""
        features, middles = self._blocks(cell, seen)
        with self._lock:
            if cell in self._cells:
                return
            self._cells.add(cell)
            if self._features is None:
                self._features = np.empty((len(self._scenes), features.shape[1]), np.float16)
            own = slice(self._count, self._count + len(middles))
            self._features[own], self._middles[own] = features, middles
            self._scenes[own] = cell.scene
            self._count = own.stop

    def _blocks(self, cell: Cell, seen: CellFeatures) -> tuple[np.ndarray, np.ndarray]:
        """Mean features of the blocks of a cell [n, C], and their middles in the scene [n, 2]."""
        step = max(1, BLOCK // self._stride)
        height, width = (length // BLOCK for length in seen.valid.shape)
        if not height or not width:
            return np.empty((0, len(seen.features)), np.float16), np.empty((0, 2), np.int32)
        top, left = seen.top // self._stride, seen.left // self._stride
        own = seen.features[:, top : top + height * step, left : left + width * step]
        pooled = functional.avg_pool2d(own.unsqueeze(0), step)[0].flatten(1).half().cpu()
        filled = seen.valid[: height * BLOCK, : width * BLOCK]
        whole = filled.reshape(height, BLOCK, width, BLOCK).all(axis=(1, 3))
        rows, columns = np.mgrid[:height, :width]
        x = cell.column * self._side + columns * BLOCK + BLOCK // 2
        y = cell.row * self._side + rows * BLOCK + BLOCK // 2
        scene_height, scene_width = self._sizes[cell.scene]
        inside = (
            (x >= BLOCK) & (y >= BLOCK) & (x < scene_width - BLOCK) & (y < scene_height - BLOCK)
        )
        kept = (whole & inside).ravel()
        return pooled.numpy().T[kept], np.stack([x.ravel(), y.ravel()], axis=1)[kept]

    def best(
        self, network: AdaptedModel, count: int, labelled: Callable[[int], np.ndarray]
    ) -> list[PlaceToGo]:
        """The places where a label would help most, the most helpful first.

        Args:
            network: Its head is asked.
            count: How many.
            labelled: The shapes on a scene that are labelled, in pixels.
        """
        with self._lock:  # what is there does not change, more may come
            known, features = slice(self._count), self._features
        if features is None or not known.stop or network.num_classes < 2:
            return []
        features, middles = features[known], self._middles[known]
        scenes = self._scenes[known]
        doubt, pair = _doubts(features, network)
        first = _unlabelled(np.argsort(-doubt, kind="stable"), middles, scenes, labelled)
        chosen = _unlike(
            torch.from_numpy(features[first]).float().T,
            doubt[first], middles[first], scenes[first], count,
        )  # fmt: skip
        names = network.taxonomy.names
        return [
            PlaceToGo(
                int(scenes[i]), int(middles[i, 0]), int(middles[i, 1]), float(doubt[i]),
                (names[pair[0, i]], names[pair[1, i]]),
            )
            for i in first[chosen]
        ]  # fmt: skip


@torch.no_grad()
def _doubts(features: np.ndarray, network: AdaptedModel) -> tuple[np.ndarray, np.ndarray]:
    """Doubt of each block [n], and the two classes that it is between [2, n]."""
    doubts, pairs = [], []
    device = network.segmenter.head.weight.device
    first_novel = network.taxonomy.num_base
    # In parts: all blocks of a large scene in float32 would take hundreds of megabytes.
    for begin in range(0, len(features), _PART):
        part = torch.from_numpy(features[begin : begin + _PART]).to(device).float()
        logits = network.head(part.T[None, :, :, None])[0, :, :, 0].float()
        probabilities = logits.softmax(dim=0)
        own = probabilities[first_novel:] if network.taxonomy.novel else probabilities
        best, which = own.max(dim=0)
        which = which + len(probabilities) - len(own)
        others = probabilities.scatter(0, which.unsqueeze(0), -1.0)
        second, other = others.max(dim=0)
        doubts.append((1 - (best - second).abs()).cpu().numpy())
        pair = torch.where(best >= second, torch.stack([which, other]), torch.stack([other, which]))
        pairs.append(pair.cpu().numpy())
    return np.concatenate(doubts), np.concatenate(pairs, axis=1)


def _unlabelled(
    order: np.ndarray,
    middles: np.ndarray,
    scenes: np.ndarray,
    labelled: Callable[[int], np.ndarray],
) -> np.ndarray:
    """The first blocks of an order on which nothing is labelled, as many as are chosen from."""
    found = order[:0]
    for begin in range(0, len(order), 4 * _CANDIDATES):
        part = order[begin : begin + 4 * _CANDIDATES]
        free = ~_covered(middles[part], scenes[part], labelled)
        found = np.concatenate([found, part[free]])
        if len(found) >= _CANDIDATES:
            break
    return found[:_CANDIDATES]


def _covered(
    middles: np.ndarray, scenes: np.ndarray, labelled: Callable[[int], np.ndarray]
) -> np.ndarray:
    """Blocks [n] on which something is labelled."""
    found = np.zeros(len(middles), bool)
    for scene in np.unique(scenes):
        shapes = labelled(int(scene))
        own = np.flatnonzero(scenes == scene)
        x, y = middles[own].T
        half = BLOCK / 2
        boxes = shapely.box(x - half, y - half, x + half, y + half)
        if len(shapes):
            pairs = shapely.STRtree(shapes).query(boxes, predicate="intersects")
            found[own[np.unique(pairs[0])]] = True
    return found


def _unlike(
    features: Tensor, doubt: np.ndarray, middles: np.ndarray, scenes: np.ndarray, count: int
) -> list[int]:
    """Places one after the other, each in doubt and unlike all before it, with some way between."""
    centred = features - features.mean(dim=1, keepdim=True)
    unit = functional.normalize(centred, dim=0)
    alike = np.zeros(len(doubt))
    free = np.ones(len(doubt), bool)
    chosen: list[int] = []
    while len(chosen) < count and free.any():
        value = np.where(free, doubt * (1 - alike), -1.0)
        best = int(value.argmax())
        chosen.append(best)
        cosine = (unit.T @ unit[:, best]).clamp(0, 1).numpy()
        alike = np.maximum(alike, cosine)
        away = np.abs(middles - middles[best]).max(axis=1) >= _APART * BLOCK
        free &= away | (scenes != scenes[best])
        free[best] = False
    return chosen
