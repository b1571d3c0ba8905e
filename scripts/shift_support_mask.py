"""A copy of a dataset in which one support mask of each class is shifted, for studies.

    python scripts/shift_support_mask.py ../shared/data/dubai data/dubai_shifted_0 --draw 0
    python run.py experiment=stage2 data=dubai data.root=data/dubai_shifted_0

Images and all other files are links to the originals, so that kept features are found again. The
mask moves by ``--pixels``; ``--draw`` chooses tile and direction among those that spoil it. What
it leaves behind becomes label 0, and what leaves the tile is lost. ``shifted_masks.json`` in the
copy says which masks these are.
"""

import argparse
import random
import shutil
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rich.console import Console

from terrashot.data.layout import FewShotLayout
from terrashot.data.reading import read_label
from terrashot.errors import DataError, TerrashotError
from terrashot.files import write_json

_DIRECTIONS = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}

SPOILT = 0.7
"""At most so much of a shifted mask is still right, where there is such a mask."""


class Shifted(NamedTuple):
    """A mask that was shifted, and the share of its pixels that still lie on the class."""

    tile: str
    direction: str
    still_right: float


def main() -> int:
    """Parse the command line, write the copy, say what was shifted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="the dataset")
    parser.add_argument("output", type=Path, help="a new folder for the copy")
    parser.add_argument("--pixels", type=int, default=64, help="by how much (default: 64)")
    parser.add_argument("--draw", type=int, default=0, help="chooses tile and direction")
    parser.add_argument("--split", default="test", help="whose support set (default: test)")
    arguments = parser.parse_args()
    console = Console()
    try:
        shifted = shift(
            arguments.root, arguments.output, arguments.pixels, arguments.draw, arguments.split
        )
    except TerrashotError as error:
        console.print(f"[bold red]Data:[/] {error}", highlight=False)
        return 1
    for class_id, mask in shifted.items():
        console.print(
            f"class {class_id}: {mask.tile} {arguments.pixels} px {mask.direction}, "
            f"{mask.still_right:.0%} of the mask is still right",
            highlight=False,
        )
    console.print(f"in {arguments.output}")
    return 0


def shift(root: Path, output: Path, pixels: int, draw: int, split: str) -> dict[int, Shifted]:
    """Write the copy; returns what was shifted by class id.

    Raises:
        DataError: the output exists, or no direction leaves a pixel of a mask inside its tile.
    """
    if output.exists():
        raise DataError(f"{output} exists already; name a new folder, or remove it.")
    layout = FewShotLayout(root, split)
    chosen: dict[int, Shifted] = {}
    masks: dict[Path, np.ndarray] = {}
    for class_id, tiles in layout.support.items():
        generator = random.Random(f"{draw}/{class_id}")
        found = []
        for tile in generator.sample(tiles, len(tiles)):
            assert tile.label is not None
            label = read_label(tile.label)
            for direction in generator.sample(sorted(_DIRECTIONS), len(_DIRECTIONS)):
                moved = moved_mask(label, class_id, pixels, direction)
                own = moved == class_id
                if own.any():
                    found.append((float((label[own] == class_id).mean()), tile, direction, moved))
        if not found:
            raise DataError(
                f"{root}: no support mask of class {class_id} stays inside its tile when it is "
                f"moved by {pixels} px. Take fewer --pixels."
            )
        # A mask that covers its tile lies where it lay: such a shift would spoil nothing.
        spoilt = [f for f in found if f[0] <= SPOILT] or [min(found, key=lambda f: f[0])]
        right, tile, direction, moved = spoilt[0]
        assert tile.label is not None
        chosen[class_id] = Shifted(tile.name, direction, round(right, 3))
        masks[tile.label.resolve()] = moved
    _copy(root, output, masks)
    tiles_json = {class_id: shifted._asdict() for class_id, shifted in chosen.items()}
    write_json(output / "shifted_masks.json", {"pixels": pixels, "draw": draw, "tiles": tiles_json})
    return chosen


def moved_mask(label: np.ndarray, class_id: int, pixels: int, direction: str) -> np.ndarray:
    """A label map whose pixels of a class lie elsewhere; ignored pixels stay ignored."""
    down, right = (pixels * step for step in _DIRECTIONS[direction])
    rows, columns = np.nonzero(label == class_id)
    rows, columns = rows + down, columns + right
    inside = (rows >= 0) & (rows < label.shape[0]) & (columns >= 0) & (columns < label.shape[1])
    moved = np.where(label == class_id, 0, label)
    free = moved[rows[inside], columns[inside]] == 0
    moved[rows[inside][free], columns[inside][free]] = class_id
    return moved


def _copy(root: Path, output: Path, masks: dict[Path, np.ndarray]) -> None:
    output.mkdir(parents=True)
    for path in sorted(p for p in root.rglob("*") if p.is_file() and ".terrashot" not in p.parts):
        target = output / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        mask = masks.get(path.resolve())
        if mask is None:
            target.symlink_to(path.resolve())
            continue
        shutil.copyfile(path, target)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(target, "r+") as file:
                file.write(mask, 1)


if __name__ == "__main__":
    sys.exit(main())
