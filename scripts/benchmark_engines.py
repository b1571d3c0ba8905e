r"""Engines and precisions side by side: megapixels a second, and whether the maps stay the same.

    python scripts/benchmark_engines.py --ckpt logs/adapt/latest \
        --tiles '../shared/data/dubai/testset/images/*.tif' --json engines.json

Real tiles are put together into one scene. In each round every side maps it, end to end (reading,
network, blending, writing), and extracts the features of the tiles as stage 2 does. The sides take
turns, so that what else the machine does meets all of them; ratios are those of medians. `before`
is float32 with channels first and batch norms of their own, as networks were computed up to version
0.2. Agreement is the share of pixels that have the class of `before`.
"""

import argparse
import glob
import json
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import rasterio
import torch
from rasterio.errors import NotGeoreferencedWarning
from rich.console import Console
from rich.table import Table
from torch import Tensor

import terrashot
from terrashot.files import write_json
from terrashot.mapping.map_scene import map_scene
from terrashot.model.model import Model
from terrashot.model.precision import FULL, HALF, network_context
from terrashot.model.tile_network import TileNetwork

SIDES = {
    "before": (FULL, "torch"),
    "float32": (FULL, "torch"),
    "bfloat16": (HALF, "torch"),
    "onnxruntime": (FULL, "onnxruntime"),
}
"""Precision and engine of each side."""


@contextmanager
def as_side(side: str) -> Iterator[None]:
    """Compute as a side does."""
    if side == "before":
        folding = patch("terrashot.mapping.request.fold_batch_norms")
        layout = patch("terrashot.networks.segmenter._gains_by_channels_last", lambda _: False)
        with layout, folding:
            yield
    else:
        yield


def put_together(files: list[Path], path: Path) -> np.ndarray:
    """One scene of the tiles, as near to a square as they go; returns its pixels [C, H, W].

    Tiles are cut to the sides of the smallest one.
    """
    across = max(1, round(len(files) ** 0.5))
    tiles = []
    for file in files[: len(files) // across * across]:
        with rasterio.open(file) as source:
            tiles.append(source.read())
    height, width = (min(tile.shape[side] for tile in tiles) for side in (1, 2))
    tiles = [tile[:, :height, :width] for tile in tiles]
    rows = [np.concatenate(tiles[i : i + across], axis=2) for i in range(0, len(tiles), across)]
    scene = np.concatenate(rows, axis=1)
    count, height, width = scene.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width}
    with rasterio.open(path, "w", dtype=scene.dtype, tiled=True, **profile) as target:
        target.write(scene)
    return scene


def time_map(
    model: Model, side: str, scene: Path, folder: Path, window: int
) -> tuple[float, np.ndarray]:
    """Seconds of a map, and its classes [H, W]."""
    precision, engine = SIDES[side]
    began = time.perf_counter()
    with as_side(side):
        (file,) = map_scene(
            model,
            scene,
            folder,
            views="plain",
            window=window,
            overlap=window // 4,
            precision=precision,
            engine=engine,
            picture=False,
            style=False,
            areas=False,
        )
    seconds = time.perf_counter() - began
    with rasterio.open(file) as source:
        return seconds, source.read(1)


def time_features(model: Model, side: str, tiles: list[Tensor]) -> float:
    """Seconds for the features of the tiles, as stage 2 takes them."""
    context = network_context(SIDES[side][0], model.device)
    network = TileNetwork(model.network.segmenter, model.device, None, lambda: context)
    began = time.perf_counter()
    with as_side(side):
        for tile in tiles:
            network.extract(tile)
    return time.perf_counter() - began


def measure(
    model: Model, files: list[Path], sides: list[str], rounds: int, window: int
) -> dict[str, Any]:
    """All rounds; the figures by side."""
    seconds: dict[str, dict[str, list[float]]] = {
        "map": defaultdict(list),
        "features": defaultdict(list),
    }
    maps: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = put_together(files, folder / "scene.tif")
        corner = torch.from_numpy(pixels[None, :, :1024, :1024]).float() / 255
        tiles = [tile for row in corner.split(512, 2) for tile in row.split(512, 3)]
        for number in range(rounds):
            for side in sides:
                place = folder / f"{side}_{number}"
                took, maps[side] = time_map(model, side, folder / "scene.tif", place, window)
                seconds["map"][side].append(took)
                if SIDES[side][1] == "torch":
                    seconds["features"][side].append(time_features(model, side, tiles))
    mpx = {"map": pixels[0].size / 1e6, "features": corner[0, 0].numel() / 1e6}
    result: dict[str, Any] = {"scene": list(pixels.shape), "window": window, "rounds": rounds}
    for work, found in seconds.items():
        medians = {side: statistics.median(values) for side, values in found.items()}
        result[work] = {
            side: {
                "mpx_per_second": mpx[work] / value,
                "ratio": medians[sides[0]] / value,
                "seconds": found[side],
            }
            for side, value in medians.items()
        }
    for side in sides:
        result["map"][side]["agreement"] = float((maps[side] == maps[sides[0]]).mean())
    return result


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    title = f"{torch.get_num_threads()} CPU threads, windows of {result['window']} px"
    table = Table(title=title, title_justify="left")
    for name in ("side", "map Mpx/s", "ratio", "agreement", "features Mpx/s", "ratio"):
        table.add_column(name, justify="left" if name == "side" else "right")
    for side, row in result["map"].items():
        own = result["features"].get(side)
        features = [f"{own['mpx_per_second']:.2f}", f"{own['ratio']:.2f}"] if own else ["", ""]
        speed = [f"{row['mpx_per_second']:.2f}", f"{row['ratio']:.2f}"]
        table.add_row(side, *speed, f"{row['agreement']:.4%}", *features)
    Console().print(table)


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ckpt", required=True, help="a stage-1 or adapted checkpoint, trained")
    parser.add_argument("--tiles", required=True, help="glob of the tiles")
    parser.add_argument("--count", type=int, default=9, help="tiles of the scene")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    files = [Path(name) for name in sorted(glob.glob(options.tiles))[: options.count]]
    if not files:
        parser.error(f"--tiles {options.tiles}: there is no such file")
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    model = terrashot.load(options.ckpt)
    result = measure(model, files, options.sides, options.rounds, options.window)
    result["threads"] = torch.get_num_threads()
    show(result)
    if options.json is not None:
        write_json(options.json, result)
    else:
        print(json.dumps({side: row["agreement"] for side, row in result["map"].items()}))


if __name__ == "__main__":
    main()
