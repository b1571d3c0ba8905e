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
_APART = 4
"""Blocks that two places are apart at least."""


@dataclass(frozen=True)
class PlaceToGo:
    """A place that is worth a look.

    Args:
        scene: Number of the scene.
        x: Column of its middle, in pixels.
        y: Row.
        doubt: 1 less the margin between the two likeliest classes, 0 to 1.
        classes: These two, the likeliest first.
    """

    scene: int
    x: int
    y: int
    doubt: float
    classes: tuple[str, str]


@dataclass(frozen=True)
class _Blocks:
    """Mean features of the blocks of a cell [C, n], and their middles in the scene [n, 2]."""

    features: Tensor
    middles: np.ndarray


class PlacesToGo:
    """Remembers what the network saw of each block of the scenes, and asks any head about it.

    The mean of a block's features is kept, of which a linear head says the mean of its logits, so
    that the whole scene is judged anew after each stroke without the network. Doubt is the margin
    between the two likeliest classes (Scheffer et al. 2001); places are chosen one after the other,
    each for its doubt and for being unlike those before (maximal marginal relevance, Carbonell and
    Goldstein 1998). Blocks that are not wholly filled with data, that lie at the border of the
    scene, or where something is labelled are left out.

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
        self._blocks: dict[Cell, _Blocks] = {}

    def __contains__(self, cell: object) -> bool:
        """Whether a cell was seen."""
        with self._lock:
            return cell in self._blocks

    @property
    def seen(self) -> int:
        """Cells that were seen."""
        with self._lock:
            return len(self._blocks)

    def add(self, cell: Cell, seen: CellFeatures) -> None:
        """Remember a cell."""
        step = max(1, BLOCK // self._stride)
        height, width = (length // BLOCK for length in seen.valid.shape)
        if not height or not width:
            with self._lock:
                self._blocks[cell] = _Blocks(seen.features.new_zeros(len(seen.features), 0), _NONE)
            return
        top, left = seen.top // self._stride, seen.left // self._stride
        own = seen.features[:, top : top + height * step, left : left + width * step]
        pooled = functional.avg_pool2d(own.unsqueeze(0), step)[0].flatten(1)
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
        middles = np.stack([x.ravel(), y.ravel()], axis=1)[kept]
        with self._lock:
            self._blocks[cell] = _Blocks(pooled[:, torch.from_numpy(kept)].half().cpu(), middles)

    @torch.no_grad()
    def best(
        self, network: AdaptedModel, count: int, labelled: Callable[[int], np.ndarray]
    ) -> list[PlaceToGo]:
        """The places where a label would help most, the most helpful first.

        Args:
            network: Its head is asked.
            count: How many.
            labelled: The shapes on a scene that are labelled, in pixels.
        """
        with self._lock:
            known = {cell: blocks for cell, blocks in self._blocks.items() if len(blocks.middles)}
        if not known or network.num_classes < 2:
            return []
        blocks = list(known.values())
        middles = np.concatenate([b.middles for b in blocks])
        scenes = np.concatenate([np.full(len(b.middles), c.scene) for c, b in known.items()])
        # A cell at a time: all blocks of a large scene in float32 would take a gigabyte.
        asked = [_two_likeliest(b.features, network) for b in blocks]
        doubt = np.concatenate([1 - margin for margin, _ in asked])
        pair = np.concatenate([which for _, which in asked], axis=1)
        doubt[_covered(middles, scenes, labelled)] = -1.0
        first = np.argsort(-doubt, kind="stable")[:_CANDIDATES]
        first = first[doubt[first] >= 0]
        ends = np.cumsum([len(b.middles) for b in blocks])
        cells = np.searchsorted(ends, first, side="right")
        # From the end of its cell, so a negative column.
        own = [blocks[c].features[:, i - ends[c]] for c, i in zip(cells, first, strict=True)]
        if not own:
            return []
        features = torch.stack(own, dim=1).float()
        chosen = _unlike(features, doubt[first], middles[first], scenes[first], count)
        names = network.taxonomy.names
        return [
            PlaceToGo(
                int(scenes[i]), int(middles[i, 0]), int(middles[i, 1]), float(doubt[i]),
                (names[pair[0, i]], names[pair[1, i]]),
            )
            for i in first[chosen]
        ]  # fmt: skip


_NONE = np.empty((0, 2), dtype=np.int64)


def _two_likeliest(features: Tensor, network: AdaptedModel) -> tuple[np.ndarray, np.ndarray]:
    """The margin between the two likeliest classes of blocks [n], and their ids [2, n]."""
    device = network.segmenter.head.weight.device
    logits = network.head(features.to(device).float()[None, :, :, None])[0, :, :, 0].float()
    top, which = logits.softmax(dim=0).topk(2, dim=0)
    return (top[0] - top[1]).cpu().numpy(), which.cpu().numpy()


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
