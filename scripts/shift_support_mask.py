"""A copy of a dataset in which one support mask of each class is shifted, for studies.

    python scripts/shift_support_mask.py ../shared/data/dubai data/dubai_shifted_0 --draw 0
    python run.py experiment=stage2 data=dubai data.root=data/dubai_shifted_0

Images and all other files are links to the originals, so that kept features are found again. The
mask moves by ``--pixels`` in a direction that ``--draw`` chooses with the tile; what it leaves
behind becomes label 0, and what leaves the tile is lost. ``shifted_masks.json`` in the copy says
which masks these are.
"""

import argparse
import random
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rich.console import Console

from terrashot.data.layout import FewShotLayout, Tile
from terrashot.data.reading import read_label
from terrashot.errors import DataError, TerrashotError
from terrashot.files import write_json

_DIRECTIONS = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}


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
    for class_id, (name, direction) in shifted.items():
        console.print(f"class {class_id}: {name} {arguments.pixels} px {direction}")
    console.print(f"in {arguments.output}")
    return 0


def shift(
    root: Path, output: Path, pixels: int, draw: int, split: str
) -> dict[int, tuple[str, str]]:
    """Write the copy; returns tile and direction by class id.

    Raises:
        DataError: the output exists, or no direction leaves a pixel of a mask inside its tile.
    """
    if output.exists():
        raise DataError(f"{output} exists already; name a new folder, or remove it.")
    layout = FewShotLayout(root, split)
    chosen: dict[int, tuple[Tile, str]] = {}
    masks: dict[Path, np.ndarray] = {}
    for class_id, tiles in layout.support.items():
        generator = random.Random(f"{draw}/{class_id}")
        order = [
            (t, d)
            for t in generator.sample(tiles, len(tiles))
            for d in generator.sample(sorted(_DIRECTIONS), 4)
        ]
        for tile, direction in order:
            assert tile.label is not None
            moved = moved_mask(read_label(tile.label), class_id, pixels, direction)
            if (moved == class_id).any():
                chosen[class_id], masks[tile.label.resolve()] = (tile, direction), moved
                break
        else:
            raise DataError(
                f"{root}: no support mask of class {class_id} stays inside its tile when it is "
                f"moved by {pixels} px. Take fewer --pixels."
            )
    _copy(root, output, masks)
    found = {class_id: (tile.name, direction) for class_id, (tile, direction) in chosen.items()}
    write_json(output / "shifted_masks.json", {"pixels": pixels, "draw": draw, "tiles": found})
    return found


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
