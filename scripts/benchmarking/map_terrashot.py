"""A side of ``benchmark_peers.py``: ``terrashot.map_scene``."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch

import terrashot
from benchmarking.peer_maps import map_in_turns
from benchmarking.turns import Turns, run_side


def map_scene(job: dict[str, Any], turns: Turns) -> None:
    """Map the scene, see ``map_in_turns``."""
    torch.set_num_threads(job["threads"])
    model = terrashot.load(job["checkpoint"])
    scene = Path(job["scene"])

    numbers = itertools.count()

    def run(window: int, overlap: int) -> np.ndarray:
        folder = Path(job["folder"]) / "terrashot" / str(next(numbers))  # finished maps are kept
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

    map_in_turns(job, turns, run)


if __name__ == "__main__":
    run_side(map_scene)
