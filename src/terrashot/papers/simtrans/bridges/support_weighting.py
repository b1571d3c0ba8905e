"""How far the pixels of doubtful support masks are trusted."""

from pathlib import Path

import torch
from torch import Tensor

from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.errors import CheckpointError, ConfigError
from terrashot.papers.simtrans.bridges.find_sim_net import pixel_sim_net
from terrashot.papers.simtrans.network.sim_net import PIXELS, load_sim_net
from terrashot.papers.simtrans.training.sample_weights import less_base, mean_one, positive
from terrashot.ranges import check_range
from terrashot.tasks.bench import Bench


class SimNetWeighting:
    """Weights from the similarity of a mask's pixels to those of the other tiles' masks.

    A pixel is compared with anchors drawn from each *other* tile of its class, so that a tile
    that is wrong as a whole is judged by the rest; of the means a tile the median counts, so that
    one such tile hardly harms the others. Less the similarity to the nearest base class
    (``less_base``), made positive, brought to mean 1 over all tiles of the class (a mean a tile
    would hide a bad one) and clipped. With one tile a class, the anchors are the tile's own.

    Args:
        checkpoint: SimNet of ``experiment=simnet units=pixels`` on the same stage-1 network.
        anchors: Pixels drawn from each mask.
        correction: Take the similarity to base classes off.
        rescale: ``softplus`` or ``rank``, see ``positive``.
        sharpness: Of softplus.
        minimum: Least weight.
        maximum: Largest weight.

    Raises:
        CheckpointError: no such SimNet.
        ConfigError: a setting out of its range.
    """

    def __init__(
        self,
        checkpoint: str,
        anchors: int = 64,
        correction: bool = True,
        rescale: str = "softplus",
        sharpness: float = 10.0,
        minimum: float = 0.1,
        maximum: float = 3.0,
    ) -> None:
        if anchors < 1 or not 0 <= minimum <= 1 <= maximum:
            raise ConfigError(
                f"support_weighting has anchors {anchors}, minimum {minimum} and maximum {maximum};"
                " anchors must be at least 1, minimum from 0 to 1 and maximum at least 1."
            )
        check_range("support_weighting.maximum", maximum)
        check_range("support_weighting.sharpness", sharpness, above=0)
        positive(torch.zeros(1), rescale, sharpness)  # refuses what it does not know
        self.trained = load_sim_net(Path(checkpoint), PIXELS)
        self.anchors = anchors
        self.correction = correction
        self.rescale = rescale
        self.sharpness = sharpness
        self.minimum = minimum
        self.maximum = maximum

    @classmethod
    def find_file(cls, given: str | None, bench: Bench) -> Path:
        """The SimNet that fits the run; see ``terrashot.tasks.bench.PartOfFile``."""
        return pixel_sim_net(bench, given)

    @torch.no_grad()
    def weigh(self, support: SupportPixels, seed: int = 0) -> SupportPixels:
        """See ``SupportWeighting``; of features with several parts the decoder's map is compared.

        Raises:
            CheckpointError: the SimNet was trained on features of another length.
        """
        self._network = self.trained.network.to(support.like.device)
        channels = self._network.head.channels
        if channels != support.parts[0]:
            raise CheckpointError(
                f"support_weighting: the SimNet {self.trained.path} compares features of length "
                f"{channels}, but those of the stage-1 network have {support.parts[0]}. Train it "
                "on this network: python run.py experiment=simnet units=pixels checkpoint=..."
            )
        weights: dict[tuple[int, int | None], Tensor] = {}
        for label in range(support.num_base, support.num_classes):
            if (label, label) in support.tile_counts:
                weights[label, label] = self._of_class(support, label, seed)
        return support.weighted(weights)

    def _of_class(self, support: SupportPixels, label: int, seed: int) -> Tensor:
        """Weights ``[n]`` of the mask pixels of a class."""
        blocks = [b.pixels for b in support.blocks if (b.label, b.tile_class) == (label, label)]
        pixels = torch.cat([b[: support.parts[0]].T.float() for b in blocks])  # [n, C]
        tiles = support.tiles_of(label, label).to(pixels.device)
        generator = torch.Generator().manual_seed(seed)
        numbers = tiles.unique().tolist()
        to_tiles = torch.stack(
            [self._to(pixels, _drawn(pixels[tiles == t], self.anchors, generator)) for t in numbers]
        )  # [T, n]
        own = torch.empty_like(to_tiles[0])
        for row, tile in enumerate(numbers):
            others = [r for r in range(len(numbers)) if r != row] or [row]
            where = tiles == tile
            own[where] = to_tiles[others][:, where].quantile(0.5, dim=0)
        if self.correction:
            base = [self._to(pixels, anchors) for anchors in self._network.anchors]
            own = less_base(own, torch.stack(base, dim=1))
        weights = mean_one(positive(own, self.rescale, self.sharpness))
        return weights.clamp(self.minimum, self.maximum)

    def _to(self, pixels: Tensor, anchors: Tensor) -> Tensor:
        """Mean similarity ``[n]`` of pixels ``[n, C]`` to anchors ``[K, C]``."""
        rows = max(1, (1 << 16) // len(anchors))
        head = self._network.head
        return torch.cat([head.similarity(p, anchors).mean(dim=1) for p in pixels.split(rows)])


def _drawn(pixels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    chosen = torch.randperm(len(pixels), generator=generator)[:count]
    return pixels[chosen.to(pixels.device)]
