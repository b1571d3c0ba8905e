"""A folder of images and labels that nobody has described yet: what is in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.enums import ColorInterp

from terrashot.data.layout import PART_FOLDERS, Tile
from terrashot.data.placement import system_name
from terrashot.data.reading import label_nodata, opened_raster
from terrashot.data.tile_names import SUFFIXES
from terrashot.errors import DataError
from terrashot.taxonomy import IGNORE


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    Args:
        root: The folder that the tiles lie in, as a dataset's layout has it.
        tiles: Images with a label of the same name.
        unlabelled: Images without one.
        bands: Band counts of the images, with how many have them.
        types: Pixel types, likewise.
        sizes: Width and height, likewise.
        systems: Reference systems, likewise; an empty text where there is none.
        colors: Whether labels are colours, not numbers.
        codes: Pixels of each value, or colour 0xRRGGBB, of the labels.
    """

    root: Path
    tiles: tuple[Tile, ...]
    unlabelled: int
    bands: Counter[int]
    types: Counter[str]
    sizes: Counter[tuple[int, int]]
    systems: Counter[str]
    colors: bool
    codes: Counter[int]

    @property
    def classes(self) -> list[int]:
        """The codes that are no background and not ignored, most frequent last."""
        skipped = {0} if self.colors else {0, IGNORE}
        return sorted(code for code in self.codes if code not in skipped)

    @property
    def are_ids(self) -> bool:
        """Whether the labels hold class ids as terrashot counts them: 1, 2, 3, ..."""
        return not self.colors and self.classes == list(range(1, len(self.classes) + 1))


def survey(root: Path) -> Survey:
    """Look at every header of a folder, and at every label.

    Args:
        root: Somewhere below it, folders ``images`` and ``labels`` lie side by side.

    Raises:
        DataError: there are none, or several that are no dataset together; no image has a label,
            or a file can't be read.
    """
    home, tiles, unlabelled = _tiles(root)
    bands, types, sizes = Counter[int](), Counter[str](), Counter[tuple[int, int]]()
    systems, codes = Counter[str](), Counter[int]()
    colored: set[bool] = set()
    for tile in tiles:
        assert tile.label is not None
        with opened_raster(tile.image) as source:
            bands[source.count] += 1
            types[source.dtypes[0]] += 1
            sizes[source.width, source.height] += 1
            systems[system_name(source.crs) if source.crs else ""] += 1
        is_color, found = _codes(tile.label)
        colored.add(is_color)
        codes.update(found)
    if len(colored) > 1:
        raise DataError(
            f"{root}: some labels are colours and others numbers. Bring them to one form, or "
            "describe them as two datasets."
        )
    labelled, are_colors = tuple(tiles), colored == {True}
    return Survey(home, labelled, unlabelled, bands, types, sizes, systems, are_colors, codes)


def _tiles(root: Path) -> tuple[Path, list[Tile], int]:
    if not root.is_dir():
        raise DataError(f"{root} is no folder; a folder of images and labels was expected.")
    folders = sorted(p for p in [root, *root.rglob("*")] if p.is_dir() and (p / "images").is_dir())
    tiles, alone, homes = [], 0, set[Path]()
    for folder in folders:
        labels = _by_stem(folder / "labels")
        for stem, image in _by_stem(folder / "images").items():
            if stem in labels:
                tiles.append(Tile(stem, image, labels[stem]))
                homes.add(folder.parent if folder.name in PART_FOLDERS else folder)
            else:
                alone += 1
    if not tiles:
        raise DataError(
            f"{root} holds no image with a label. Expected are folders images/ and labels/ side by "
            f"side, there or below, whose files have the same names ({', '.join(SUFFIXES)}); "
            f"found: {len(folders)} folder(s) images/ with {alone} image(s)."
        )
    if len(homes) > 1:
        raise DataError(
            f"{root} holds labelled images in {len(homes)} folders: "
            f"{', '.join(str(home) for home in sorted(homes)[:4])}. A dataset has one folder "
            "images/ and one labels/, or one of each in trainset/, valset/ and testset/. Bring the "
            "files together, or describe each folder by itself."
        )
    return homes.pop(), tiles, alone


def _by_stem(folder: Path) -> dict[str, Path]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {f.stem: f for f in files if f.suffix.lower() in SUFFIXES}


def _codes(label: Path) -> tuple[bool, dict[int, int]]:
    """Whether a label is coloured, and the pixels of each of its codes."""
    with opened_raster(label) as source:
        pixels = np.asarray(source.read())
        palette = ColorInterp.palette in source.colorinterp
        nodata = label_nodata(source)
    if len(pixels) == 1 and pixels.dtype.kind in "ui":
        found = _count(pixels[0])
        # As it is read: what the file calls no data is no class, unless it is an id.
        if nodata not in (None, 0, IGNORE):
            found.pop(nodata, None)
        return False, found
    if len(pixels) in (3, 4) and pixels.dtype == np.uint8 and not palette:
        red, green, blue = (band.astype(np.int64) for band in pixels[:3])
        return True, _count(red << 16 | green << 8 | blue)
    raise DataError(
        f"{label} has {len(pixels)} band(s) of type {pixels.dtype}; a label has one band of whole "
        "numbers, or red, green and blue of 8 bits."
    )


def _count(codes: np.ndarray) -> dict[int, int]:
    found, counts = np.unique(codes, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def split_by_name(tiles: Sequence[Tile], share: float) -> tuple[list[str], list[str]]:
    """File names for training and validation: every so-manieth tile of the sorted names.

    Of two tiles and more at least one is held out, since a network is chosen by its validation.
    """
    names = sorted(tile.image.name for tile in tiles)
    step = max(2, min(round(1 / share), len(names)))
    held = names[step - 1 :: step]
    return [name for name in names if name not in set(held)], held
