"""Windows drawn from scenes: what an unlabelled city looks like, without reading all of it."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from terrashot.image_spec import as_unit
from terrashot.mapping.scene import Scene
from terrashot.mapping.source import TileSource
from terrashot.networks.segmenter import PAD_MULTIPLE


class SceneSample:
    """Windows at random places; a scene gets as many as its share of the area.

    Args:
        scenes: The scenes.
        count: Windows in all.
        window: Side of a window in pixels; less where a scene is smaller.
        seed: Of the draw.
    """

    def __init__(self, scenes: Sequence[Scene], count: int, window: int, seed: int = 0) -> None:
        self.window = window
        rng = np.random.default_rng(seed)
        areas = np.array([scene.pixels for scene in scenes], dtype=np.float64)
        drawn = np.sort(rng.choice(len(scenes), size=count, p=areas / areas.sum()))
        self.places: list[tuple[Scene, int, int]] = []
        for index in drawn:
            scene = scenes[index]
            top, left = (self._start(rng, side) for side in (scene.height, scene.width))
            self.places.append((scene, top, left))

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.places)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Image float32 [1, C, h, w] in 0..1 and which pixels hold data, bool [h, w].

        Raises:
            DataError: a file is damaged where a window lies.
        """
        for scene, top, left in self.places:
            height, width = (min(self.window, side) for side in (scene.height, scene.width))
            with TileSource(scene, [(top, left, height, width)]) as source:
                pixels, valid = source.read(top, left, height, width)
            image = as_unit(torch.from_numpy(pixels).unsqueeze(0))
            yield image, torch.from_numpy(valid)

    def _start(self, rng: np.random.Generator, side: int) -> int:
        """A place where the network's strides fall as they do when the scene is mapped."""
        return int(rng.integers(0, max(0, side - self.window) // PAD_MULTIPLE + 1)) * PAD_MULTIPLE
