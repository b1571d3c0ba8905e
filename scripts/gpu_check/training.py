"""Stage 1 in half precision, compiled; and sharded, with one process."""

import csv
import json
import math
import time
from pathlib import Path
from typing import Any

from gpu_check.hardware import check_device
from gpu_check.part import Place
from gpu_check.tiles import write_tiles
from terrashot.app.main import main

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def compiled(place: Place) -> dict[str, Any]:
    """``experiment=stage1`` on the demo set with bf16 and ``trainer.compile=true``."""
    return _stage1(place, "trainer.compile=true")


def sharded(place: Place) -> dict[str, Any]:
    """The same with FSDP; without a card, which FSDP needs, with DDP."""
    strategy = "fsdp" if place.device == "cuda" else "ddp"
    return {"strategy": strategy, **_stage1(place, f"strategy={strategy}")}


def _stage1(place: Place, *further: str) -> dict[str, Any]:
    check_device(place.device)
    accelerator = "gpu" if place.device == "cuda" else "cpu"
    tiles, batch, crop, epochs = (4, 2, 64, 2) if place.is_small else (64, 8, 512, 5)
    write_tiles(place.folder / "tiles", 4 * place.size, tiles, 2)
    small = ["backbone=timm", "backbone.name=mobilenetv2_050"]
    logs = place.folder / "logs"
    began = time.perf_counter()
    code = main(
        CONFIGS,
        [
            "experiment=stage1",
            "data=demo",
            "data.demo_seed=null",
            f"data.root={place.folder / 'tiles'}",
            f"data.crop={crop}",
            f"data.batch_size={batch}",
            f"paths.logs={logs}",
            "logger=csv",
            "callbacks.panels=0",
            f"trainer.accelerator={accelerator}",
            "trainer.precision=bf16-mixed",
            f"trainer.max_epochs={epochs}",
            "trainer.log_every_n_steps=1",
            "data.num_workers=0",
            *(small if place.is_small else []),
            *further,
        ],
    )
    seconds = time.perf_counter() - began
    if code:
        raise RuntimeError("the run failed")
    (run,) = [p for p in (logs / "stage1").iterdir() if not p.is_symlink()]
    losses = _losses(run / "metrics.csv")
    if not losses or not all(map(math.isfinite, losses)):
        raise RuntimeError(f"the loss is no number: {losses}")
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    return {
        "steps": epochs * tiles // batch,
        "seconds": seconds,
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "scores": len(results["metrics"]),
    }


def _losses(file: Path) -> list[float]:
    with file.open(newline="", encoding="utf-8") as rows:
        return [float(row["train/loss"]) for row in csv.DictReader(rows) if row.get("train/loss")]
