"""A side of ``benchmark_peers.py``: the tiled inference of geoai."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from geoai.inference import predict_geotiff

from benchmarking.peer_maps import map_in_turns, trained_network
from benchmarking.turns import Turns, run_side


def map_scene(job: dict[str, Any], turns: Turns) -> None:
    """Map the scene, see ``map_in_turns``."""
    torch.set_num_threads(job["threads"])
    network = trained_network(job)
    mean, std = (np.array(job[key], np.float32).reshape(3, 1, 1) for key in ("mean", "std"))
    target = Path(job["folder"]) / "geoai.tif"

    def run(window: int, overlap: int) -> np.ndarray:
        predict_geotiff(
            network,
            job["scene"],
            str(target),
            tile_size=window,
            overlap=overlap,
            batch_size=1,
            num_classes=job["classes"],
            output_dtype="uint8",
            output_nodata=255,
            preprocess_fn=lambda tile: (tile / 255 - mean) / std,
            postprocess_fn=lambda scores: scores.argmax(0)[None],
            device=job["device"],
            verbose=False,
        )
        with rasterio.open(target) as file:
            return np.asarray(file.read(1))

    map_in_turns(job, turns, run)


if __name__ == "__main__":
    run_side(map_scene)
