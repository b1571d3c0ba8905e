"""A model adapted and a scene mapped: where the time goes, against the bare network."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import terrashot
from benchmark_mapping import save_random_base, save_random_model
from benchmarking.machine import synchronize
from gpu_check.hardware import check_device
from gpu_check.part import Place
from gpu_check.training import CONFIGS
from terrashot.app.main import main
from terrashot.demo.large import make_large_scene
from terrashot.model.precision import network_context, resolve_precision


def adapted(place: Place) -> dict[str, Any]:
    """``Model.adapt`` from five tiles of one class."""
    check_device(place.device)
    side = 4 * place.size
    file = place.folder / "stage1.ckpt"
    save_random_base(file)
    model = terrashot.load(file, place.device)
    pixels = np.random.default_rng(0).integers(0, 256, (5, side, side, 3), np.uint8)
    mask = np.zeros((side, side), bool)
    mask[: side // 2] = True
    began = time.perf_counter()
    made = model.adapt({"pond": [(image, mask) for image in pixels]}, method="ridge")
    synchronize(place.device)
    return {
        "tiles": 5,
        "side": side,
        "seconds": time.perf_counter() - began,
        "on": str(made.device),
    }


def mapped(place: Place) -> dict[str, Any]:
    """``experiment=predict`` on a large scene, and the bare network at the same precision."""
    check_device(place.device)
    file, scene = place.folder / "adapted.ckpt", place.folder / "scene.tif"
    save_random_model(file)
    side, window, batch = (320, 128, 1) if place.is_small else (8192, 1024, 8)
    make_large_scene(scene, side, side)
    accelerator = "gpu" if place.device == "cuda" else "cpu"
    code = main(
        CONFIGS,
        [
            "experiment=predict",
            f"ckpt={file}",
            f"input={scene}",
            f"output={place.folder / 'maps'}",
            f"paths.logs={place.folder / 'logs'}",
            f"trainer.accelerator={accelerator}",
            f"mapping.window={window}",
            f"mapping.overlap={window // 4}",
            f"mapping.batch_size={batch}",
            "mapping.views=plain",
            "output.picture=false",
        ],
    )
    if code:
        raise RuntimeError("the run failed")
    (run,) = [p for p in (place.folder / "logs" / "predict").iterdir() if not p.is_symlink()]
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    (found,), stages = results["scenes"], results["stage_seconds"]
    rate = side * side / 1e6 / found["seconds"]
    bare = _bare_rate(file, place, window, batch)
    return {
        "scene": side,
        "mpx_per_second": rate,
        "bare_mpx_per_second": bare,
        "share_of_bare": rate / bare,
        "network_busy_share": stages["compute"] / found["seconds"],
        **{f"{stage}_share": value / found["seconds"] for stage, value in stages.items()},
    }


def _bare_rate(file: Path, place: Place, window: int, batch: int) -> float:
    """Megapixels a second of the network's features alone, on windows that lie on the device."""
    segmenter = terrashot.load(file, place.device).network.segmenter
    precision = resolve_precision("auto", "cuda") if place.device == "cuda" else "32-true"
    images = torch.rand(batch, 3, window, window, device=place.device)
    rounds = 2 if place.is_small else 20
    with torch.no_grad(), network_context(precision, images.device):
        segmenter.features(images)
        synchronize(place.device)
        began = time.perf_counter()
        for _ in range(rounds):
            segmenter.features(images)
        synchronize(place.device)
    return rounds * batch * window * window / 1e6 / (time.perf_counter() - began)
