"""Training and mapping against what people use instead, on the same network, tiles and threads.

    python scripts/benchmark_peers.py train --make-env peers_env --json peers.json
    python scripts/benchmark_peers.py train --python peers_env/bin/python --steps 8 --rounds 3
    python scripts/benchmark_peers.py map --python peers_env/bin/python --size 1024

`train`: `experiment=stage1`, torchgeo's `SemanticSegmentationTask` in Lightning's trainer, and
segmentation_models_pytorch in a loop written by hand, all with a U-Net on the same timm encoder and
a head of 1 x 1. Every side reads the same tiles of the demo generator from disk for each step and
cuts a random crop; there is no other augmentation, no worker and no gradient clipping; AdamW and
cross-entropy. Printed are tiles a second, by the median step, the median of the rounds' ratios to
the first side, and the most memory that each process held.

`map`: `terrashot.map_scene` and the tiled inference of geoai (`predict_geotiff`) and terratorch
(`tiled_inference`) with the same random network on the same scene; megapixels a second, memory, and
the seam error: the share of pixels that get another class than in the side's own map in one piece.

Each side is a process of its own; they take turns, so that whatever else the machine does hits
all. The peers live in an environment of their own, which --make-env makes with pip (torchgeo, and
geoai-py and terratorch for `map`), or which --python names.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import venv
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarking.machine import description
from benchmarking.turns import Side
from terrashot.demo import make_demo
from terrashot.demo.classes import TAXONOMY
from terrashot.demo.large import make_large_scene
from terrashot.files import write_json
from terrashot.model.checkpoints import STAGE1, write_checkpoint
from terrashot.model.stage1_file import describe
from terrashot.networks.build import build_segmenter
from terrashot.taxonomy import Taxonomy
from terrashot.threads import available_cores

PACKAGES = {"train": ["torchgeo"], "map": ["torchgeo", "geoai-py", "terratorch"]}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CHANNELS = 16
"""Of the U-Net's last map."""
TRAIN = {
    "terrashot": (False, "benchmarking.train_terrashot", {}),
    "torchgeo": (True, "benchmarking.train_torchgeo", {}),
    "smp loop": (True, "benchmarking.train_smp", {"channels_last": False}),
    "smp loop, channels last": (True, "benchmarking.train_smp", {"channels_last": True}),
}
MAP = {
    "terrashot": (False, "benchmarking.map_terrashot", {}),
    "geoai": (True, "benchmarking.map_geoai", {}),
    "terratorch": (True, "benchmarking.map_terratorch", {}),
}
"""Of each side: whether it runs in the peers' environment, its module, what its job has beside."""


def make_env(folder: Path, packages: list[str]) -> str:
    """Make an environment with packages of the index that pip is set to; returns its Python."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", *packages], check=True)
    return str(python)


def measure(
    sides: dict[str, tuple[bool, str, dict[str, Any]]],
    job: dict[str, Any],
    python: str,
    rounds: int,
    steps: int,
) -> dict[str, dict[str, Any]]:
    """Let the sides take turns; the first turn of each is not counted.

    Args:
        sides: by name, as in ``TRAIN``.
        job: what all of them are told.
        python: the interpreter of the peers.
        rounds: turns of each side that count.
        steps: of a turn.

    Returns:
        Of each side: its facts, ``seconds`` a step in each round (median), ``peak_memory``.
    """
    with ExitStack() as stack:
        running = []
        for name, (is_peer, module, own) in sides.items():
            side = Side(name, python if is_peer else sys.executable, module, {**job, **own})
            stack.callback(side.stop)
            running.append(side)
        for side in running:
            side.ready()
            side.turn(steps)
        found: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(rounds):
            for side in running:
                found[side.name].append(statistics.median(side.turn(steps)))
        return {
            side.name: {
                **side.facts,
                "seconds": found[side.name],
                "peak_memory": side.end(),
            }
            for side in running
        }


def add_rates(result: dict[str, dict[str, Any]], amount: float) -> None:
    """Add the rate in ``amount`` a second, and its ratio to the first side's, round by round."""
    first = next(iter(result.values()))["seconds"]
    for side in result.values():
        side["rate"] = amount / statistics.median(side["seconds"])
        pairs = zip(first, side["seconds"], strict=True)
        side["ratio"] = statistics.median(mine / its for mine, its in pairs)


def show(result: dict[str, dict[str, Any]], title: str, unit: str) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    seams = any("seams" in side for side in result.values())
    for name in ("side", unit, "ratio", "peak MB", *(["seam error"] if seams else [])):
        table.add_column(name, justify="left" if name == "side" else "right")
    for name, side in result.items():
        row = [f"{side['rate']:.3g}", f"{side['ratio']:.2f}", f"{side['peak_memory'] / 2**20:.0f}"]
        table.add_row(name, *row, *([f"{side['seams']:.3%}"] if seams else []))
    Console().print(table)


def train(options: argparse.Namespace, python: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Compare training."""
    root = options.root or folder / "demo"
    if not root.exists():
        make_demo(root)
    job = {
        "root": str(root.resolve()),
        "backbone": options.backbone,
        "classes": len(TAXONOMY["base"]) + 1,
        "channels": CHANNELS,
        "mean": MEAN,
        "std": STD,
        "batch": options.batch,
        "crop": options.crop,
        "lr": 1e-3,
        "precision": options.precision,
        "device": options.device,
        "threads": options.threads,
    }
    chosen = {name: TRAIN[name] for name in options.sides or TRAIN}
    result = measure(chosen, job, python, options.rounds, options.steps)
    sizes = {name: side["parameters"] for name, side in result.items()}
    if len(set(sizes.values())) > 1:
        raise SystemExit(f"the networks are not the same: {sizes} parameters")
    add_rates(result, options.batch)
    title = f"U-Net on {options.backbone}, batches of {options.batch} x {options.crop} px"
    show(result, f"{title}, {options.precision}, {options.threads} threads", "tiles/s")
    return result


def write_network(folder: Path, backbone: str) -> dict[str, str]:
    """A network that has learned nothing, as a stage-1 checkpoint and as smp names its tensors."""
    torch.manual_seed(0)
    taxonomy = Taxonomy.from_dict(TAXONOMY).base_only()
    segmenter = build_segmenter(
        {
            "backbone": {"name": backbone},
            "decoder": {"name": "unet"},
            "num_classes": taxonomy.num_base,
            "mean": MEAN,
            "std": STD,
        }
    )
    torch.nn.init.normal_(segmenter.head.weight)  # else one class would win everywhere
    state = segmenter.state_dict()
    write_checkpoint(folder / "network.ckpt", STAGE1, describe(segmenter, taxonomy), state)
    renamed = {
        f"segmentation_{name}" if name.startswith("head.") else name: tensor
        for name, tensor in state.items()
    }
    torch.save(renamed, folder / "network.pt")
    return {"checkpoint": str(folder / "network.ckpt"), "weights": str(folder / "network.pt")}


def map_scenes(options: argparse.Namespace, python: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Compare mapping."""
    scene = folder / "scene.tif"
    make_large_scene(scene, options.size, options.size)
    job = {
        "scene": str(scene),
        "folder": str(folder),
        **write_network(folder, options.backbone),
        "backbone": options.backbone,
        "classes": len(TAXONOMY["base"]) + 1,
        "channels": CHANNELS,
        "mean": MEAN,
        "std": STD,
        "window": options.window,
        "overlap": options.overlap,
        "size": options.size,
        "device": options.device,
        "threads": options.threads,
    }
    chosen = {name: MAP[name] for name in options.sides or MAP}
    result = measure(chosen, job, python, options.rounds, 1)
    add_rates(result, options.size**2 / 1e6)
    title = f"U-Net on {options.backbone}, {options.size} px, windows of {options.window} px"
    show(result, f"{title}, {options.threads} threads", "Mpx/s")
    return result


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, sides in (("train", TRAIN), ("map", MAP)):
        own = kinds.add_parser(kind)
        peers = own.add_mutually_exclusive_group(required=True)
        peers.add_argument("--python", help="interpreter of an environment with the peers")
        peers.add_argument("--make-env", type=Path, help="a folder; pip makes the environment")
        own.add_argument("--sides", nargs="+", choices=list(sides), help="default: all")
        own.add_argument("--backbone", default="resnet18", help="a timm model")
        own.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
        own.add_argument("--threads", type=int, default=available_cores())
        own.add_argument("--rounds", type=int, default=5, help="turns of each side")
        own.add_argument("--json", type=Path, help="also write the figures to this file")
    train_options, map_options = kinds.choices["train"], kinds.choices["map"]
    train_options.add_argument("--root", type=Path, help="demo tiles that are there already")
    train_options.add_argument("--steps", type=int, default=16, help="of a turn")
    train_options.add_argument("--batch", type=int, default=8)
    train_options.add_argument("--crop", type=int, default=192)
    train_options.add_argument("--precision", default="32-true", choices=["32-true", "bf16-mixed"])
    map_options.add_argument("--size", type=int, default=2048, help="side of the scene, pixels")
    map_options.add_argument("--window", type=int, default=512)
    map_options.add_argument("--overlap", type=int, default=128)
    return parser.parse_args()


def main() -> None:
    """Measure what the command line asks for."""
    options = parse()
    python = options.python or make_env(options.make_env, PACKAGES[options.kind])
    compare = {"train": train, "map": map_scenes}[options.kind]
    with tempfile.TemporaryDirectory() as name:
        result = compare(options, python, Path(name))
    if options.json is not None:
        settings = {k: str(v) for k, v in vars(options).items() if v is not None}
        hardware = description(options.device) | {"threads": options.threads}
        write_json(options.json, {"hardware": hardware, "settings": settings, options.kind: result})


if __name__ == "__main__":
    main()
