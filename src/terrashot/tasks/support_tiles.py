"""The support of stage 2, from tiles to pixels with features."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from terrashot.adaptation.striding import labels_to_size, reduce_stride
from terrashot.adaptation.support import SupportPixels
from terrashot.data.support import SupportSet
from terrashot.taxonomy import Taxonomy


class SupportTiles:
    """Reads the support tiles one by one, so that their features are in memory once.

    Args:
        tiles: The tiles.
        taxonomy: The classes.
        features: Features ``[C, h, w]`` of a tile by its number, at native stride.
        stride: Of the network.
        factor: The adaptation's stride is so many times as coarse.
        storage: dtype the features are kept in.
        device: Where the adaptation runs.
    """

    def __init__(
        self,
        tiles: SupportSet,
        taxonomy: Taxonomy,
        features: Callable[[int], Tensor],
        stride: int,
        factor: int,
        storage: torch.dtype,
        device: torch.device,
    ) -> None:
        self._tiles = tiles
        self._taxonomy = taxonomy
        self._features = features
        self._stride = stride
        self._factor = factor
        self._storage = storage
        self._device = device

    def pixels(
        self, more_features: Sequence[Tensor] = (), more_labels: Sequence[Tensor] = ()
    ) -> SupportPixels:
        """The support, and further labelled features ``[C, h, w]`` beside it.

        Raises:
            DataError: see ``SupportPixels``.
        """

        def features() -> Iterator[Tensor]:
            for index in range(len(self._tiles)):
                yield reduce_stride(self._features(index), self._factor)
            yield from more_features

        return SupportPixels(
            features(),
            [*(self._labels(index) for index in range(len(self._tiles))), *more_labels],
            num_base=self._taxonomy.num_base,
            num_novel=self._taxonomy.num_novel,
            ignore_index=self._taxonomy.ignore_index,
            class_names=self._taxonomy.names,
            stride=self._stride * self._factor,
            storage=self._storage,
            tile_classes=[*self._tiles.class_ids, *[None] * len(more_labels)],
            num_tiles=len(self._tiles),
        )

    def _labels(self, index: int) -> Tensor:
        """Labels ``[h, w]`` at feature resolution."""
        mask = self._tiles.mask(index)
        # The network covers a cut stride with a feature of its own, and so does the averaging.
        sides = [-(-side // self._stride) for side in mask.shape]
        height, width = (-(-side // self._factor) for side in sides)
        return labels_to_size(mask, (height, width)).to(self._device)
