"""A side of ``benchmark_peers.py``: the tiled inference of terratorch."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from terratorch.tasks.tiled_inference import tiled_inference

from benchmarking.peer_maps import map_in_turns, trained_network
from benchmarking.turns import Turns, run_side


def map_scene(job: dict[str, Any], turns: Turns) -> None:
    """Map the scene, see ``map_in_turns``."""
    torch.set_num_threads(job["threads"])
    network = trained_network(job).to(job["device"]).eval()
    mean, std = (torch.tensor(job[key]).view(3, 1, 1) for key in ("mean", "std"))
    target = Path(job["folder"]) / "terratorch.tif"

    def run(window: int, overlap: int) -> np.ndarray:
        with rasterio.open(job["scene"]) as source:  # reading and writing are left to the user
            image, profile = source.read(), source.profile
        scores = tiled_inference(
            network,
            ((torch.from_numpy(image).float() / 255 - mean) / std)[None],
            crop=window,
            stride=window - overlap,
            batch_size=1,
            device=job["device"],
        )
        classes = scores[0].argmax(0).byte().cpu().numpy()
        with rasterio.open(target, "w", **{**profile, "count": 1, "nodata": None}) as file:
            file.write(classes, 1)
        return np.asarray(classes)

    map_in_turns(job, turns, run)


if __name__ == "__main__":
    run_side(map_scene)
