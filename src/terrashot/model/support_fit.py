"""A stage-2 method takes in the support, and perhaps what is sure in unlabelled tiles."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.joint import JointSelfTraining
from terrashot.adaptation.method import Method
from terrashot.adaptation.striding import labels_to_size, reduce_stride
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.data.datamodule import FewShotDataModule
from terrashot.model.support_tiles import SupportTiles
from terrashot.model.tile_network import TileNetwork

Queries = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""Features ``[C, h, w]`` and valid pixels ``[h, w]`` of each unlabelled tile, anew each time."""


class SupportFit:
    """Fits one method to the support tiles of a dataset.

    Args:
        method: The method.
        network: Makes features.
        data: The support tiles, and the training labels where a loss counts them.
        factor: The adaptation's stride is so many times as coarse as the network's.
        storage: dtype the support's features are kept in.
        seed: Of everything random in the method.

    Attributes:
        pixels: The support that the method was last fitted to.
    """

    pixels: SupportPixels

    def __init__(
        self,
        method: Method,
        network: TileNetwork,
        data: FewShotDataModule,
        factor: int,
        storage: torch.dtype,
        seed: int,
    ) -> None:
        self.method = method
        self.network = network
        self._data = data
        self._factor = factor
        self._seed = seed
        self._tiles = SupportTiles(
            data.support, data.taxonomy, network, factor=factor, storage=storage
        )
        self._base_counts = data.train_label_counts() if data.has_training_tiles else None

    def fit(self, more_features: Sequence[Tensor] = (), more_labels: Sequence[Tensor] = ()) -> None:
        """Fit to the support, and to further labelled features ``[C, h, w]`` beside it."""
        self.pixels = self._tiles.pixels(more_features, more_labels)
        self.method.fit_support(
            self.network.head, self.pixels, seed=self._seed, base_counts=self._base_counts
        )

    def learn_jointly(self, joint: JointSelfTraining, queries: Queries) -> None:
        """Let the method learn from unlabelled tiles together; ``fit`` comes first."""

        def adapt(features: Tensor, valid: Tensor) -> AdaptedHead:
            return self.method.adapt(features, valid, seed=self._seed)

        joint.run(queries, adapt, self.fit)

    def query_tiles(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All query tiles of the data, without their labels."""
        for batch in self._data.all_queries():
            found = self.network.query(batch, self._data.feature_views)[0]
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
