"""Lay tiles of a dataset beside each other: one scene and its labels, to try out and to time.

    python scripts/make_mosaic.py ../shared/data/dubai/testset city.tif --tiles 'dubai6_*'

Tiles are taken in the order of their names, row by row, and cut to the sides of the smallest one.
The scene is a tiled GeoTIFF without a place on earth, its labels stand in <name>_labels.tif.
"""

import argparse
from pathlib import Path

import numpy as np
import rasterio


def main() -> None:
    """Make the mosaic that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="holds images/ and labels/")
    parser.add_argument("path", type=Path, help="the GeoTIFF to write")
    parser.add_argument("--tiles", default="*", help="which, a pattern of their names")
    parser.add_argument("--side", type=int, default=4, help="tiles along a side (4)")
    options = parser.parse_args()
    names = sorted(path.name for path in (options.folder / "images").glob(f"{options.tiles}.tif"))
    count = options.side**2
    if len(names) < count:
        parser.error(f"--side {options.side} takes {count} tiles, but there are {len(names)}")
    labels = options.path.with_name(f"{options.path.stem}_labels.tif")
    for kind, path in (("images", options.path), ("labels", labels)):
        tiles = []
        for name in names[:count]:
            with rasterio.open(options.folder / kind / name) as source:
                tiles.append(source.read())
        height, width = (min(tile.shape[side] for tile in tiles) for side in (1, 2))
        tiles = [tile[:, :height, :width] for tile in tiles]
        rows = [
            np.concatenate(tiles[i : i + options.side], axis=2)
            for i in range(0, count, options.side)
        ]
        whole = np.concatenate(rows, axis=1)
        profile = {"driver": "GTiff", "dtype": "uint8", "tiled": True, "compress": "deflate"}
        profile |= dict(zip(("count", "height", "width"), whole.shape, strict=True))
        with rasterio.open(path, "w", **profile) as target:
            target.write(whole)
    print(f"{options.path} and {labels} of {count} tiles, {names[0]} to {names[count - 1]}")


if __name__ == "__main__":
    main()
