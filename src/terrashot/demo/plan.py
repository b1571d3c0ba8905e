"""Which tiles the demo set has: split, role, theme and what must be seen in each."""

from dataclasses import dataclass, field

import numpy as np

from terrashot.demo.classes import NOVEL, Land

# Least pixels of what a theme stands for, so that every class occurs in every set of queries.
_THEME_NEEDS: dict[str, dict[Land, int]] = {
    "rural": {Land.AGRICULTURE: 15000, Land.ROAD: 1500},
    "lakeside": {Land.WATER: 9000},
    "suburb": {Land.BUILDING: 5000, Land.VEHICLE: 100},
    "commercial": {Land.HALL: 9000, Land.PARKING: 3000, Land.VEHICLE: 1200},
    "leisure": {Land.SPORTS_FIELD: 9000},
}
# What a support tile of a class shows at least, and the theme it is drawn from.
_SUPPORT: dict[Land, tuple[str, int]] = {
    Land.VEHICLE: ("depot", 3000),
    Land.PARKING: ("car_parks", 20000),
    Land.SPORTS_FIELD: ("leisure", 20000),
    Land.HALL: ("halls", 20000),
}
POOL_TILES = 5
"""Tiles a novel class from which other support sets are drawn, beside the support set's own."""


@dataclass(frozen=True)
class TilePlan:
    """One tile: its file name, its split, its role and what its scene must contain.

    ``role`` is ``train``, ``stage1_val``, ``support``, ``pool`` or ``query``; ``novel`` is the
    class of a support or pool tile.
    """

    name: str
    split: str
    role: str
    theme: str
    novel: Land | None = None
    needs: dict[Land, int] = field(default_factory=dict)

    def accepts(self, labels: np.ndarray) -> bool:
        """Whether a scene with these labels [H, W] may be used for the tile."""
        counts = np.bincount(labels.ravel(), minlength=len(Land))
        if any(counts[land] < least for land, least in self.needs.items()):
            return False
        if self.novel is None:
            return True
        # Coarse features take labels by nearest neighbour: some must remain, whichever the corner.
        coarse = (labels[::16, ::16], labels[8::16, 8::16])
        return all(int((part == self.novel).sum()) >= 3 for part in coarse)


def _themes(**counts: int) -> list[str]:
    return [theme for theme, count in counts.items() for _ in range(count)]


def plan_tiles() -> list[TilePlan]:
    """All tiles of the demo set, in writing order."""
    tiles: list[TilePlan] = []

    def add(
        split: str, role: str, theme: str, needs: dict[Land, int], novel: Land | None = None
    ) -> None:
        number = sum(t.split == split for t in tiles)
        tiles.append(TilePlan(f"{split}_{number:03d}.tif", split, role, theme, novel, needs))

    for theme in _themes(rural=17, lakeside=11, suburb=14, commercial=14, leisure=8):
        add("train", "train", theme, {})
    for theme in _themes(rural=3, lakeside=2, suburb=3, commercial=2, leisure=2):
        add("train", "stage1_val", theme, _THEME_NEEDS[theme])
    queries = {
        "val": _themes(rural=1, lakeside=1, suburb=1, commercial=4, leisure=4),
        "test": _themes(rural=3, lakeside=2, suburb=3, commercial=4, leisure=4),
    }
    for split, themes in queries.items():
        for novel in NOVEL:
            theme, least = _SUPPORT[novel]
            for _ in range(5):
                add(split, "support", theme, {novel: least}, novel)
        for theme in themes:
            add(split, "query", theme, _THEME_NEEDS[theme])
    # Last, so that all other tiles stay what they are: a tile's dice follow from its place.
    for novel in NOVEL:
        theme, least = _SUPPORT[novel]
        for _ in range(POOL_TILES):
            add("test", "pool", theme, {novel: least}, novel)
    return tiles
