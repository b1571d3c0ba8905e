"""A side of ``benchmark_peers.py``: ``terrashot.map_scene``."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch

import terrashot
from benchmarking.memory import forget_high_water
from benchmarking.turns import Turns, run_side


def map_scene(job: dict[str, Any], turns: Turns) -> None:
    """Map the scene until the turns end; first once in one piece, for the seams."""
    torch.set_num_threads(job["threads"])
    model = terrashot.load(job["checkpoint"])
    scene = Path(job["scene"])

    def run(name: str, window: int, overlap: int) -> np.ndarray:
        folder = Path(job["folder"]) / "terrashot" / name
        terrashot.map_scene(
            model,
            scene,
            folder,
            views="plain",
            window=window,
            overlap=overlap,
            precision="32-true",
            picture=False,
            style=False,
            areas=False,
            project=False,
        )
        with rasterio.open(folder / scene.name) as file:
            return np.asarray(file.read(1))

    whole = run("whole", -(-job["size"] // 32) * 32, 0)
    seams = float((run("windows", job["window"], job["overlap"]) != whole).mean())
    del whole
    forget_high_water()
    for number in itertools.count():
        turns.tick(seams=seams)
        run(str(number), job["window"], job["overlap"])


if __name__ == "__main__":
    run_side(map_scene)
