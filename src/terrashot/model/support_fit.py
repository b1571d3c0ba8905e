"""A stage-2 method takes in the support, and perhaps what is sure in unlabelled tiles."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.joint import JointSelfTraining
from terrashot.adaptation.method import Method
from terrashot.adaptation.pooling import pool_pixels
from terrashot.adaptation.striding import labels_to_size, reduce_stride
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.data.support import SupportTileSource
from terrashot.model.support_tiles import SupportTiles
from terrashot.model.sure_base import SureBase
from terrashot.model.tile_network import TileFeatures, TileNetwork
from terrashot.taxonomy import Taxonomy

if TYPE_CHECKING:  # it brings Lightning with it, 200 MB that an adaptation has no need of
    from terrashot.data.datamodule import FewShotDataModule

Queries = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""Features ``[C, h, w]`` and valid pixels ``[h, w]`` of each unlabelled tile, anew each time."""


class SupportFit:
    """Fits one method to support tiles, those of a dataset or arrays in memory.

    Args:
        method: The method.
        network: Makes features.
        tiles: The support tiles.
        taxonomy: The classes, novel ones included.
        factor: The adaptation's stride is so many times as coarse as the network's.
        storage: dtype the support's features are kept in.
        seed: Of everything random in the method.
        base_counts: Pixels ``[num_base]`` of the training labels, where a loss counts them.
        queries: Features of the query tiles, anew each time, for what learns from all of them.
        sure: What the frozen head is trusted with where tiles have no labels; None: nothing.

    Attributes:
        pixels: The support that the method was last fitted to.
        tiles: The support tiles.
    """

    pixels: SupportPixels

    def __init__(
        self,
        method: Method,
        network: TileNetwork,
        tiles: SupportTileSource,
        taxonomy: Taxonomy,
        factor: int,
        storage: torch.dtype,
        seed: int,
        base_counts: Tensor | None = None,
        queries: Callable[[], Iterable[TileFeatures]] = tuple,
        sure: SureBase | None = None,
    ) -> None:
        self.method = method
        self.network = network
        self._num_base = taxonomy.num_base
        self._factor = factor
        self._seed = seed
        self.tiles = tiles
        self._pixels = SupportTiles(tiles, taxonomy, network, factor, storage, sure)
        self._base_counts = base_counts
        self._queries = queries

    @classmethod
    def of_data(
        cls,
        method: Method,
        network: TileNetwork,
        data: "FewShotDataModule",
        factor: int,
        storage: torch.dtype,
        seed: int,
    ) -> "SupportFit":
        """The same for a dataset: its support, its training labels, its query tiles."""

        def queries() -> Iterator[TileFeatures]:
            for batch in data.all_queries():
                yield network.query(batch, data.feature_views)[0]

        counts = data.train_label_counts() if data.has_training_tiles else None
        return cls(
            method,
            network,
            data.support,
            data.taxonomy,
            factor,
            storage,
            seed,
            counts,
            queries,
        )

    def fit(self, more_features: Sequence[Tensor] = (), more_labels: Sequence[Tensor] = ()) -> None:
        """Fit to the support, and to further labelled features ``[C, h, w]`` beside it."""
        self.pixels = self._pixels.pixels(more_features, more_labels)
        self.fit_other(self.method, self.pixels)

    def fit_other(self, method: Method, pixels: SupportPixels) -> None:
        """Fit a method to other pixels in the same way."""
        method.fit_support(
            self.network.head, pixels, seed=self._seed, base_counts=self._base_counts
        )

    def learn_jointly(
        self, joint: JointSelfTraining, queries: Queries, count: int
    ) -> tuple[AdaptedHead, Tensor]:
        """Let the method learn from ``count`` unlabelled tiles together; ``fit`` comes first.

        Returns:
            The head for all of them, and the sample that it learned from ``[C, 1, n]``.
        """
        sample = pool_pixels(queries(), count, joint.pixels, joint.seed)

        def adapt(features: Tensor) -> AdaptedHead:
            return self.method.adapt(features, seed=self._seed)

        return joint.run(sample, self._num_base, adapt, self.fit), sample

    def query_tiles(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All query tiles of the data, without their labels."""
        for found in self._queries():
            yield self._coarse(found.features, found.content)

    def windows(self, images: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images [1, 3, H, W] in 0..1 with their valid pixels [H, W], as features."""
        for image, valid in images:
            yield self._coarse(self.network.extract(image).features, valid)

    def _coarse(self, features: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Both at the adaptation's stride."""
        features = reduce_stride(features, self._factor)
        size = (features.shape[1], features.shape[2])
        return features, labels_to_size(valid.to(features.device), size)
