"""A side of ``benchmark_peers.py``: the tiled inference of geoai."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import segmentation_models_pytorch as smp
import torch
from geoai.inference import predict_geotiff

from benchmarking.memory import forget_high_water
from benchmarking.peer_tiles import share_head
from benchmarking.turns import Turns, run_side


def map_scene(job: dict[str, Any], turns: Turns) -> None:
    """Map the scene until the turns end; first once in one piece, for the seams."""
    torch.set_num_threads(job["threads"])
    network = smp.Unet(f"tu-{job['backbone']}", encoder_weights=None, classes=job["classes"])
    share_head(network, job["channels"], job["classes"])
    network.load_state_dict(torch.load(job["weights"], weights_only=True))
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

    whole = run(-(-job["size"] // 32) * 32, 0)
    seams = float((run(job["window"], job["overlap"]) != whole).mean())
    del whole
    forget_high_water()
    while True:
        turns.tick(seams=seams)
        run(job["window"], job["overlap"])


if __name__ == "__main__":
    run_side(map_scene)
