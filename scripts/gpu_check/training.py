"""Stage 1 in half precision, compiled; and sharded, with one process."""

import csv
import json
import math
import time
from pathlib import Path
from typing import Any

from gpu_check.hardware import check_device
from gpu_check.part import Place
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
    steps = 2 if place.is_small else 40
    small = ["backbone=timm", "backbone.name=mobilenetv2_050", "data.crop=64", "data.batch_size=2"]
    logs = place.folder / "logs"
    began = time.perf_counter()
    code = main(
        CONFIGS,
        [
            "experiment=stage1",
            "data=demo",
            f"data.root={place.folder.parent / 'demo'}",
            f"paths.logs={logs}",
            "logger=csv",
            "callbacks.panels=0",
            f"trainer.accelerator={accelerator}",
            "trainer.precision=bf16-mixed",
            "trainer.max_epochs=2",
            f"trainer.limit_train_batches={steps}",
            "trainer.limit_val_batches=2",
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
        "steps": 2 * steps,
        "seconds": seconds,
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "scores": len(results["metrics"]),
    }


def _losses(file: Path) -> list[float]:
    with file.open(newline="", encoding="utf-8") as rows:
        return [float(row["train/loss"]) for row in csv.DictReader(rows) if row.get("train/loss")]
