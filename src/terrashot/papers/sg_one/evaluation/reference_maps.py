"""What SG-One is compared with: the stage-1 map, and imprinting with the very same shots."""

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.inference import Inference, PixelHead
from terrashot.adaptation.methods.imprinting import Imprinting
from terrashot.data.layout import Tile
from terrashot.data.support import SupportSet
from terrashot.data.transforms import EvalTransform
from terrashot.errors import DataError
from terrashot.model.support_tiles import SupportTiles
from terrashot.model.tile_network import TileNetwork


class ReferenceMaps:
    """The stage-1 head, and imprinted heads: from all support tiles, and from one tile a class.

    Maps are made as stage 2 makes them, so that scores agree.

    Args:
        network: The stage-1 network.
        support: The support tiles.
        transform: The one they are read with.
        factor: Prototypes come from features so many times as coarse as the network's.
    """

    def __init__(
        self, network: TileNetwork, support: SupportSet, transform: EvalTransform, factor: int
    ) -> None:
        self._network = network
        self._transform = transform
        self._factor = factor
        self._taxonomy = support.taxonomy
        by_class: dict[int, list[Tile]] = {}
        for tile, class_id in zip(support.tiles, support.class_ids, strict=True):
            by_class.setdefault(class_id, []).append(tile)
        self.all_shots = self._fit(by_class)
        most = max(len(tiles) for tiles in by_class.values())
        self._single = [
            self._fit({c: [tiles[shot % len(tiles)]] for c, tiles in by_class.items()})
            for shot in range(most)
        ]

    def one_shot(self, shot: int) -> AdaptedHead | None:
        """The head of tile ``shot`` of each class; None where one shows none of its class."""
        return self._single[shot]

    def base_map(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Base classes ``[H, W]`` of a query by the stage-1 head; see ``imprinted_map``."""
        return self._map(self._network.head, features, size)

    def imprinted_map(
        self,
        head: AdaptedHead,
        features: Tensor,
        size: tuple[int, int],
        only: int | None = None,
    ) -> Tensor:
        """Classes ``[H, W]`` of a query.

        Args:
            head: One of the imprinted heads.
            features: ``[C, h, w]`` at native stride.
            size: Height and width of the map.
            only: The one novel class that may be predicted; None for all.
        """
        chosen = head if only is None else _OneNovelClass(head, only, self._taxonomy.num_base)
        return self._map(chosen, features, size)

    def _map(self, head: PixelHead, features: Tensor, size: tuple[int, int]) -> Tensor:
        stride = self._network.segmenter.stride
        # As in stage 2: heads never run in half precision.
        with torch.autocast(features.device.type, enabled=False):
            return Inference().predict_map(head, [features], size, stride)[0].long()

    def _fit(self, chosen: Mapping[int, Sequence[Tile]]) -> AdaptedHead | None:
        tiles = SupportSet(
            chosen, self._taxonomy, self._transform, spec=self._network.segmenter.spec
        )
        subset = SupportTiles(tiles, self._taxonomy, self._network, self._factor, torch.float32)
        method = Imprinting()
        try:
            pixels = subset.pixels()
        except DataError as error:
            warnings.warn(f"imprinting is left out for these shots: {error}", stacklevel=2)
            return None
        method.fit_support(self._network.head, pixels)
        return method.adapt(pixels.like)  # the same for every query


class _OneNovelClass:
    """A head that knows the base classes and one novel class, as an episode asks for."""

    def __init__(self, head: AdaptedHead, class_id: int, num_base: int) -> None:
        self._head = head
        self._class_id = class_id
        self._num_base = num_base

    def logits(self, features: Tensor) -> Tensor:
        """Logits ``[K, h, w]``; minus infinity for the other novel classes."""
        logits = self._head.logits(features)
        others = torch.arange(len(logits), device=logits.device)
        others = (others >= self._num_base) & (others != self._class_id)
        return logits.masked_fill(others[:, None, None], -torch.inf)
