"""The shots of the novel classes, as SG-One sees them: a guidance vector each."""

import warnings

import torch
from torch import Tensor

from terrashot.data.support import SupportSet
from terrashot.errors import DataError
from terrashot.papers.sg_one.guidance.guided_prediction import pool_support
from terrashot.papers.sg_one.network.network import SGOneNetwork


class NovelShots:
    """Pools each support tile once.

    Args:
        network: In evaluation mode.
        support: The support tiles.
        device: Where the network is.

    Raises:
        DataError: a class is left without a single shot.
    """

    def __init__(self, network: SGOneNetwork, support: SupportSet, device: torch.device) -> None:
        self._vectors: dict[int, list[Tensor | None]] = {}
        names = support.taxonomy.names
        for index, own in enumerate(support.class_ids):
            sample = support[index]
            image = sample["image"].unsqueeze(0).to(device)
            mask = (sample["mask"] == own).long().unsqueeze(0).to(device)
            pooled = pool_support(network, network.guidance(network.maps(image)), mask)
            pixels = int(pooled.mass[0])
            if pixels < network.stride**2:
                left = "is left out" if pixels == 0 else "is less than one feature shows"
                warnings.warn(
                    f"support tile {sample['name']}: {pixels} pixels of '{names[own]}' are left at "
                    f"the size that is evaluated (data.eval_size), which {left} (stride "
                    f"{network.stride}). A larger data.eval_size, or another tile, mends it.",
                    stacklevel=2,
                )
            found = pooled.vectors[0].float() if pixels else None
            self._vectors.setdefault(own, []).append(found)
        for own, vectors in self._vectors.items():
            if all(vector is None for vector in vectors):
                raise DataError(
                    f"No pixel of the novel class '{names[own]}' is left in any of its "
                    f"{len(vectors)} support tiles at the size that is evaluated. Raise "
                    "data.eval_size (null: the tiles' own size), or choose other support tiles."
                )

    def one(self, class_id: int, shot: int) -> Tensor | None:
        """The vector ``[1, C]`` of one support tile; None where it shows no pixel of its class."""
        vector = self._vectors[class_id][shot]
        return None if vector is None else vector.unsqueeze(0)

    def all(self, class_id: int) -> Tensor:
        """The vectors ``[K, C]`` of all support tiles of a class."""
        return torch.stack([v for v in self._vectors[class_id] if v is not None])
