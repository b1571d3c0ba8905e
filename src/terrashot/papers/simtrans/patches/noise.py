"""Noisy novel windows: three ways to come by labels that are often wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from terrashot.data.tiles import TileDataset
from terrashot.errors import ConfigError
from terrashot.papers.simtrans.patches.grid import Patch
from terrashot.papers.simtrans.patches.select import support_patches


@dataclass(frozen=True)
class NovelSource:
    """Where noisy windows come from.

    Args:
        tiles: Support tiles, then training tiles.
        class_ids: The novel class of each support tile.
        size: Side of a window.
        base: Clean base windows of the training tiles, for outliers.
    """

    tiles: TileDataset
    class_ids: Sequence[int]
    size: int
    base: Sequence[Patch]


class NoiseModel(Protocol):
    """Gives windows novel labels, not all of them right."""

    def draw(self, source: NovelSource, seed: int) -> list[Patch]:
        """The windows, in an order that depends on lists and seed alone."""
        ...


class WeakRule:
    """Any window of a support tile with a little of the novel class is given its label.

    Args:
        share: Least share of novel pixels.
    """

    def __init__(self, share: float = 0.01) -> None:
        self.share = _checked("share", share)

    def draw(self, source: NovelSource, seed: int) -> list[Patch]:
        """See ``NoiseModel``."""
        return support_patches(source.tiles, source.class_ids, source.size, self.share)


class TileLabel:
    """All windows of a support tile are given the label of the tile, as of an image search."""

    def draw(self, source: NovelSource, seed: int) -> list[Patch]:
        """See ``NoiseModel``."""
        return support_patches(source.tiles, source.class_ids, source.size, 0.0)


class SyntheticNoise:
    """Clean novel windows of which a share is spoilt: flipped, or replaced by base windows.

    Args:
        rate: Share of wrong labels in each class.
        outliers: Share of the wrong ones that are base windows; the rest are windows of another
            novel class.
    """

    def __init__(self, rate: float = 0.4, outliers: float = 0.5) -> None:
        self.rate = _checked("rate", rate)
        self.outliers = _checked("outliers", outliers)

    def draw(self, source: NovelSource, seed: int) -> list[Patch]:
        """See ``NoiseModel``."""
        random = np.random.default_rng(seed)
        clean = [
            p
            for p in support_patches(source.tiles, source.class_ids, source.size, 0.0)
            if p.is_clean
        ]
        classes = sorted({p.label for p in clean})
        replaced = iter(random.permutation(len(source.base)).tolist())
        found = []
        for label in classes:
            own = [p for p in clean if p.label == label]
            wrong = round(self.rate * len(own))
            outliers = round(self.outliers * wrong) if len(classes) > 1 else wrong
            order = random.permutation(len(own)).tolist()
            found += [own[i] for i in order[wrong:]]
            for i in order[outliers:wrong]:
                others = [c for c in classes if c != label]
                found.append(replace(own[i], label=int(random.choice(others))))
            for _ in range(outliers):
                row = next(replaced, None)
                if row is None:
                    break
                found.append(replace(source.base[row], label=label))
        return sorted(found, key=lambda p: (p.label, p.tile, p.top, p.left))


def _checked(name: str, value: float) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"noise.{name} is {value!r}, but a share lies from 0 to 1.")
    return float(value)
