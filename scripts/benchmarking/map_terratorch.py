"""A side of ``benchmark_peers.py``: the tiled inference of terratorch."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import segmentation_models_pytorch as smp
import torch
from terratorch.tasks.tiled_inference import tiled_inference

from benchmarking.memory import forget_high_water
from benchmarking.peer_tiles import share_head
from benchmarking.turns import Turns, run_side


def map_scene(job: dict[str, Any], turns: Turns) -> None:
    """Map the scene until the turns end; first once in one piece, for the seams."""
    torch.set_num_threads(job["threads"])
    network = smp.Unet(f"tu-{job['backbone']}", encoder_weights=None, classes=job["classes"])
    share_head(network, job["channels"], job["classes"])
    network.load_state_dict(torch.load(job["weights"], weights_only=True))
    network = network.to(job["device"]).eval()
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

    whole = run(-(-job["size"] // 32) * 32, 0)
    seams = float((run(job["window"], job["overlap"]) != whole).mean())
    del whole
    forget_high_water()
    while True:
        turns.tick(seams=seams)
        run(job["window"], job["overlap"])


if __name__ == "__main__":
    run_side(map_scene)
