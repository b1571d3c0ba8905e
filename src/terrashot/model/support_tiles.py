"""The support of stage 2, from tiles to pixels with features."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from terrashot.adaptation.striding import labels_to_size, reduce_stride
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.data.support import SupportTileSource
from terrashot.model.sure_base import SureBase
from terrashot.model.tile_network import TileNetwork
from terrashot.taxonomy import Taxonomy


class SupportTiles:
    """Reads the support tiles one by one, so that their features are in memory once.

    Args:
        tiles: The tiles.
        taxonomy: The classes.
        network: Makes features of them, on the device that the adaptation runs on.
        factor: The adaptation's stride is so many times as coarse as the network's.
        storage: dtype the features are kept in.
        sure: What the frozen head is trusted with where tiles have no labels; None: nothing.
    """

    def __init__(
        self,
        tiles: SupportTileSource,
        taxonomy: Taxonomy,
        network: TileNetwork,
        factor: int,
        storage: torch.dtype,
        sure: SureBase | None = None,
    ) -> None:
        self._tiles = tiles
        self._taxonomy = taxonomy
        self._network = network
        self._factor = factor
        self._storage = storage
        self._sure = sure

    def pixels(
        self, more_features: Sequence[Tensor] = (), more_labels: Sequence[Tensor] = ()
    ) -> SupportPixels:
        """The support, and further labelled features ``[C, h, w]`` beside it.

        Raises:
            DataError: see ``SupportPixels``.
        """
        labels = [self._labels(index) for index in range(len(self._tiles))]

        def own_features() -> Iterator[Tensor]:
            for index in range(len(self._tiles)):
                yield reduce_stride(self._network.support(self._tiles, index), self._factor)

        own: Iterable[Tensor] = own_features()
        if self._sure is not None:
            # Labels come before features, and here they follow from them: all are held for once.
            own = [found.to(self._storage) for found in own]
            labels = self._sure.labels(own, labels, self._network.head)

        return SupportPixels(
            itertools.chain(own, more_features),
            [*labels, *more_labels],
            num_base=self._taxonomy.num_base,
            num_novel=self._taxonomy.num_novel,
            class_names=self._taxonomy.names,
            stride=self._network.segmenter.stride * self._factor,
            storage=self._storage,
            tile_classes=[*self._tiles.class_ids, *[None] * len(more_labels)],
            num_tiles=len(self._tiles),
            parts=self._network.segmenter.parts,
        )

    def _labels(self, index: int) -> Tensor:
        """Labels ``[h, w]`` at feature resolution."""
        mask = self._tiles.mask(index)
        # The network covers a cut stride with a feature of its own, and so does the averaging.
        stride = self._network.segmenter.stride
        sides = [-(-side // stride) for side in mask.shape]
        height, width = (-(-side // self._factor) for side in sides)
        return labels_to_size(mask, (height, width)).to(self._network.device)
