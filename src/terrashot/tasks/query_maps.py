"""What becomes of the map of a query tile: post-processing, and a file where one is wanted."""

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from terrashot.data.reading import image_size
from terrashot.data.transforms import EvalTransform
from terrashot.mapping.postprocess.block_map import BlockMap
from terrashot.mapping.postprocess.chain import PostProcess
from terrashot.mapping.postprocess.rule import Draft
from terrashot.mapping.tile_map import write_tile_map
from terrashot.taxonomy import Taxonomy


class QueryMaps:
    """Finishes the maps of query tiles.

    Args:
        taxonomy: The classes.
        transform: How the tiles were brought to the size they are mapped at.
        postprocess: Rules; None: the map stays as it is.
        folder: Where maps are written, ``<tile>.tif``; None: nowhere.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        transform: EvalTransform,
        postprocess: PostProcess | None = None,
        folder: Path | None = None,
    ) -> None:
        self.taxonomy = taxonomy
        self.transform = transform
        self.postprocess = postprocess
        self.folder = folder

    @property
    def num_rules(self) -> int:
        """How many maps ``after_rules`` gives."""
        return 0 if self.postprocess is None else len(self.postprocess.rules)

    @property
    def needs_scores(self) -> bool:
        """Whether ``after_rules`` is to be given probabilities."""
        return self.postprocess is not None and self.postprocess.needs_scores

    def after_rules(
        self, name: str, image: Path, prediction: Tensor, probabilities: Tensor | None
    ) -> list[Tensor]:
        """The map after each rule, in order; empty without post-processing.

        Args:
            name: The tile.
            image: Its file.
            prediction: Class ids [h, w] of the transformed tile, uint8.
            probabilities: [K, h, w], where they are needed.

        Returns:
            Maps [h, w]; padding keeps what was predicted there, and rules do not look at it.
        """
        if self.postprocess is None:
            return []
        size = image_size(image)
        part = self.transform.tile_part(prediction, size).cpu().numpy()
        height, width = part.shape

        def fit(mask: np.ndarray) -> np.ndarray:
            if mask.shape != size:
                return mask
            fitted = self.transform.mask(torch.from_numpy(mask))
            return self.transform.tile_part(fitted, size).numpy()

        def scores(left_out: Collection[int]) -> np.ndarray:
            assert probabilities is not None
            kept = probabilities[:, :height, :width].clone()
            kept[list(left_out)] = -1
            return kept.argmax(dim=0).to(torch.uint8).cpu().numpy()

        ids_map = BlockMap.of(np.array(part))
        draft = Draft(name, ids_map, self.taxonomy, fit, scores, side=max(height, width), size=size)
        maps = []
        for ids in self.postprocess.run(draft):
            whole = prediction.clone()
            whole[:height, :width] = torch.from_numpy(ids.array()).to(whole)
            maps.append(whole)
        return maps

    def save(self, name: str, image: Path, prediction: Tensor) -> None:
        """Write the map [h, w] at the tile's own size and place, where maps are wanted."""
        if self.folder is None:
            return
        ids = self.transform.tile_size(prediction.cpu(), image_size(image)).to(torch.uint8)
        stem = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        write_tile_map(self.folder / f"{stem}.tif", ids.numpy(), self.taxonomy, image)
