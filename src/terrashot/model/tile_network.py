"""The frozen network on tiles: features, timed, kept for the next job."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.inference import View, flip
from terrashot.data.feature_cache import FeatureCache, TileMaps
from terrashot.data.support import SupportTileSource
from terrashot.data.tiles import TileDataset
from terrashot.errors import ConfigError
from terrashot.networks.segmenter import Segmenter


@dataclass(frozen=True)
class TileFeatures:
    """What stage 2 sees of one tile.

    Args:
        features: float32 [C, h, w] at the network's own stride.
        content: bool [H, W], which pixels of the transformed image are no padding; flipped with
            the image where the features are of a flipped view.
        seconds: what the network took for them, also where they come from the cache.
    """

    features: Tensor
    content: Tensor
    seconds: float


class TileNetwork:
    """Features of support and query tiles, with the very same numbers from the cache.

    Args:
        segmenter: The stage-1 network, on its device.
        device: That device.
        cache: Features kept on disk; None: none.
        precision: Opens the context that the network runs in.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        device: torch.device,
        cache: FeatureCache | None,
        precision: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self.segmenter = segmenter
        self.device = device
        self._cache = cache
        self._precision = precision

    @property
    def head(self) -> LinearHead:
        """The stage-1 head."""
        head = self.segmenter.head
        assert head.bias is not None
        return LinearHead(head.weight[:, :, 0, 0], head.bias)

    def support(
        self, tiles: SupportTileSource | TileDataset, index: int, view: View = ()
    ) -> Tensor:
        """Features [C, h, w] of a view of a labelled tile, kept or extracted now."""
        path = tiles.tiles[index].image if isinstance(tiles, TileDataset) else tiles.path(index)
        found = None
        if self._cache is not None and path is not None:
            found = self._cache.load(path, view)
        if found is None:
            return self.extract(tiles[index]["image"].unsqueeze(0), path, view).features
        return self._joined(found).features

    def query(self, batch: dict[str, Any], views: Sequence[View]) -> list[TileFeatures]:
        """Features of the views of a query tile, from the batch or from the network."""
        if "features" in batch:
            each = batch["feature_seconds"] / len(batch["features"])
            content = batch["content"]
            return [self._joined(TileMaps(maps, content, each)) for maps in batch["features"]]
        path = Path(batch["path"][0])
        return [self.extract(batch["image"], path, view) for view in views]

    def extract(self, image: Tensor, path: Path | None = None, view: View = ()) -> TileFeatures:
        """Features of a view of one image [1, 3, H, W], float32; kept under ``path``, if any."""
        began = self.now()
        image = flip(image.to(self.device), view)
        with torch.no_grad(), self._precision():
            # In the order of the cache, whose numbers are to be the very same ones.
            maps = tuple(m[0].float().contiguous() for m in self.segmenter.maps(image))
        found = TileMaps(maps, _content(image[0]), self.now() - began)
        if self._cache is not None and path is not None:
            self._cache.save(path, found, view)
        return self._joined(found)

    def now(self) -> float:
        """Seconds; on a GPU, of work that is done and not only asked for."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def _joined(self, found: TileMaps) -> TileFeatures:
        """Features from their maps, on the network's device."""
        maps = [each.to(self.device) for each in found.maps]
        size = (found.content.shape[0], found.content.shape[1])
        features = self.segmenter.join(maps, size)
        return TileFeatures(features, found.content.to(self.device), found.seconds)


def stride_factor(segmenter: Segmenter, feature_stride: int | None) -> int:
    """How many times as coarse as the network's features the adaptation's are.

    Args:
        segmenter: The network.
        feature_stride: Stride of the adaptation's features in image pixels; None: the network's.

    Raises:
        ConfigError: it is no multiple of the network's stride.
    """
    stride = segmenter.stride if feature_stride is None else feature_stride
    if stride % segmenter.stride:
        raise ConfigError(
            f"adaptation.feature_stride is {stride}, but the network's features have stride "
            f"{segmenter.stride}; it must be a multiple of that, or null."
        )
    return stride // segmenter.stride


def _content(image: Tensor) -> Tensor:
    """Which pixels of ``image`` [3, H, W] are no padding, bool [H, W].

    Padding, and the black border of a tile at the edge of a survey, is exactly 0. The label is
    not asked: a tile that is to be mapped has none.
    """
    return (image != 0).any(dim=0)
