"""Whole-scene maps: peak memory by scene size, seconds a megapixel, and where the time goes.

    python scripts/benchmark_mapping.py --size 5000 10000 20000 --json mapping.json

Each size is mapped by `run.py experiment=predict` in a process of its own, whose peak memory is the
one that the system counted for it. Scenes are made by the demo generator. Without --ckpt the
network is mobilenetv2 with an FPN and 12 classes, with random weights: time and memory do not
depend on them. Reading and writing happen in the background, beside the network; their seconds are
counted all the same, so that the shares are what the stages would cost one after the other.
Settings of the run may follow after `--`, for example `-- mapping.window=512`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.adaptation.transition.none import NoTransition
from terrashot.demo.classes import TAXONOMY
from terrashot.demo.large import make_large_scene
from terrashot.files import write_json
from terrashot.model.adapted_file import save_adapted_model
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.checkpoints import STAGE1, write_checkpoint
from terrashot.model.stage1_file import describe
from terrashot.networks.build import build_segmenter
from terrashot.networks.segmenter import Segmenter
from terrashot.taxonomy import Taxonomy

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = ("compute", "read", "blend", "write")


def random_segmenter(taxonomy: Taxonomy) -> Segmenter:
    """A network for the base classes that has learned nothing."""
    torch.manual_seed(0)
    return build_segmenter(
        {
            "backbone": {"name": "mobilenetv2_100"},
            "decoder": {"name": "fpn"},
            "num_classes": taxonomy.num_base,
        }
    )


def save_random_base(path: Path) -> None:
    """Such a network as a stage-1 checkpoint of the demo set's base classes."""
    taxonomy = Taxonomy.from_dict(TAXONOMY).base_only()
    segmenter = random_segmenter(taxonomy)
    write_checkpoint(path, STAGE1, describe(segmenter, taxonomy), segmenter.state_dict())


def save_random_model(path: Path) -> None:
    """An adapted model of the demo set's classes that has learned nothing."""
    taxonomy = Taxonomy.from_dict(TAXONOMY)
    base, novel = taxonomy.num_base, taxonomy.num_novel
    segmenter = random_segmenter(taxonomy)
    channels = segmenter.channels
    parameters = {
        "base_weight": torch.randn(base, channels),
        "base_bias": torch.zeros(base),
        "novel_weight": torch.randn(novel, channels),
        "novel_bias": torch.zeros(novel),
    }
    scale = FeatureScale(torch.ones(channels), torch.zeros(channels))
    head = AdaptedHead(parameters, NoTransition(), torch.zeros(base, channels), scale)
    save_adapted_model(path, AdaptedModel(segmenter, head, taxonomy), {})


def measure(scene: Path, checkpoint: Path, folder: Path, settings: list[str]) -> dict[str, Any]:
    """Map a scene in a process of its own."""
    command = [
        sys.executable,
        str(REPOSITORY / "run.py"),
        "experiment=predict",
        f"ckpt={checkpoint}",
        f"input={scene}",
        f"output={folder / 'maps'}",
        f"paths.logs={folder / 'logs'}",
        *settings,
    ]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"the run on {scene} failed; its message stands above")
    text = (folder / "logs" / "predict" / "latest" / "results.json").read_text(encoding="utf-8")
    results = json.loads(text)
    stages = results["stage_seconds"]
    (found,) = results["scenes"]
    beside = sum(stages[s] for s in STAGES[1:])
    return {
        "width": found["width"],
        "height": found["height"],
        "seconds": seconds,
        "mapping_seconds": found["seconds"],
        "seconds_per_mpx": found["seconds"] / (found["width"] * found["height"] / 1e6),
        "peak_memory_mb": usage.ru_maxrss / 1024,  # Linux counts in KiB
        "stage_seconds": stages,
        "share_beside_the_network": beside / sum(stages[s] for s in STAGES),
        "share_of_the_run": beside / found["seconds"],
    }


def show(rows: list[dict[str, Any]], threads: int) -> None:
    """Print the curve."""
    table = Table(title=f"experiment=predict, {threads} CPU threads", title_justify="left")
    for name in ("scene", "peak MB", "s", "s/Mpx", *STAGES, "read+blend+write"):
        table.add_column(name, justify="right")
    for row in rows:
        stages = [f"{row['stage_seconds'][s]:.1f}" for s in STAGES]
        table.add_row(
            f"{row['width']} x {row['height']}",
            f"{row['peak_memory_mb']:.0f}",
            f"{row['mapping_seconds']:.0f}",
            f"{row['seconds_per_mpx']:.2f}",
            *stages,
            f"{100 * row['share_of_the_run']:.1f} %",
        )
    Console().print(table)


def main() -> None:
    """Measure every size of the command line."""
    arguments, settings = sys.argv[1:], []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, settings = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs="+", default=[1000, 2000], help="sides, pixels")
    parser.add_argument("--ckpt", type=Path, help="an adapted checkpoint; otherwise random weights")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, help="where scenes and maps lie (a temporary one)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        checkpoint = options.ckpt or folder / "adapted.ckpt"
        if options.ckpt is None:
            save_random_model(checkpoint)
        rows = []
        for size in options.size:
            scene = folder / f"scene_{size}.tif"
            make_large_scene(scene, size, size)
            place = folder / str(size)
            place.mkdir()
            rows.append(measure(scene, checkpoint, place, settings))
            scene.unlink()
            if options.json is not None:
                write_json(options.json, {"threads": torch.get_num_threads(), "sizes": rows})
    show(rows, torch.get_num_threads())


if __name__ == "__main__":
    main()
