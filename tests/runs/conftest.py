"""A tiny learnable dataset with the demo set's classes, and real runs of run.py on it."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rasterio.errors import NotGeoreferencedWarning

from terrashot.app.main import main

NUM_BASE, NUM_CLASSES, SIDE, BLOCK = 8, 12, 64, 16
# Small and quick, yet every part of the real thing.
SMALL = [
    "data=demo",
    "data.demo_seed=null",
    "data.crop=64",
    "augmentation=none",  # the classes of the tiny set differ by colour alone
    "data.batch_size=4",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
]
STAGE1 = [
    "experiment=stage1",
    "backbone=timm",
    "backbone.name=mobilenetv2_050",
    "decoder.pyramid_channels=16",
    "decoder.segmentation_channels=32",
    "optimizer.lr=5e-3",
    "optimizer.encoder_lr=5e-3",
]


def write(path: Path, array: np.ndarray) -> None:
    bands = array if array.ndim == 3 else array[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {"driver": "GTiff", "count": len(bands), "dtype": "uint8"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", height=SIDE, width=SIDE, **kind) as target:
            target.write(bands)


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory) -> Path:
    """48 training, 4 validation, 2 support (pool: 4) tiles a class, 5 query tiles of 64 px."""
    root = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(0)
    colors = rng.integers(40, 215, (NUM_CLASSES, 3))

    def scene(ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Blocks of one class each, in that class' colour with noise."""
        label = rng.choice(ids, (SIDE // BLOCK, SIDE // BLOCK)).repeat(BLOCK, 0).repeat(BLOCK, 1)
        image = colors[label].transpose(2, 0, 1) + rng.normal(0, 12, (3, SIDE, SIDE))
        return image.clip(0, 255).astype(np.uint8), label.astype(np.uint8)

    def tile(folder: str, name: str, ids: list[int], keep: int | None = None) -> None:
        image, label = scene(ids)
        while keep is not None and keep not in label:
            image, label = scene(ids)
        if keep is not None:
            label = np.where(label == keep, keep, 0).astype(np.uint8)
        elif folder == "trainset":
            label = np.where(label >= NUM_BASE, 0, label).astype(np.uint8)
        write(root / folder / "images" / name, image)
        write(root / folder / "labels" / name, label)

    everything = list(range(NUM_CLASSES))
    lists = {"train.txt": 48, "stage1_val.txt": 4}
    for file, count in lists.items():
        names = [f"{Path(file).stem}_{i}.tif" for i in range(count)]
        for name in names:
            tile("trainset", name, everything)
        (root / file).write_text("\n".join(names) + "\n")
    support = {}
    for index in range(NUM_BASE, NUM_CLASSES):
        support[str(index)] = [f"support_{index}_{i}.tif" for i in range(2)]
        for name in support[str(index)]:
            tile("testset", name, [*range(NUM_BASE), index, index, index], keep=index)
    pool = {}
    for index in range(NUM_BASE, NUM_CLASSES):
        pool[str(index)] = [f"pool_{index}_{i}.tif" for i in range(4)]
        for name in pool[str(index)]:
            tile("testset", name, [*range(NUM_BASE), index, index, index], keep=index)
    (root / "support_pool.json").write_text(json.dumps(pool))
    query = [f"query_{i}.tif" for i in range(5)]
    for name in query:
        tile("testset", name, everything)
    (root / "test.json").write_text(json.dumps({"support_set": support, "query_set": query}))
    return root


@pytest.fixture(scope="session")
def stage1_overrides() -> list[str]:
    """A network that trains in seconds."""
    return STAGE1


@pytest.fixture(scope="session")
def run_here(repository, tiny_root):
    """Run in this process: returns the exit code."""

    def run(logs: Path, *overrides: str) -> int:
        fixed = [*SMALL, f"data.root={tiny_root}", f"paths.logs={logs}"]
        return main(repository / "configs", [*fixed, *overrides])

    run.configs = repository / "configs"
    run.small = SMALL
    return run


@pytest.fixture(scope="session")
def start_process(repository, tiny_root):
    """Start ``python run.py`` as a user does; returns the process."""

    def start(logs: Path, *overrides: str) -> subprocess.Popen[str]:
        fixed = [*SMALL, f"data.root={tiny_root}", f"paths.logs={logs}"]
        return subprocess.Popen(
            [sys.executable, str(repository / "run.py"), *fixed, *overrides],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=logs.parent,
            env=environment(),
        )

    return start


def environment() -> dict[str, str]:
    """One thread for every process: sums in another order differ in the last digits."""
    return {**os.environ, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def wait_for_epoch():
    """Return the run in ``logs`` once its last.ckpt is of epoch ``least`` or a later one."""

    def wait(logs: Path, process: subprocess.Popen[str], least: int) -> Path:
        began = time.monotonic()
        while time.monotonic() - began < 200:
            assert process.poll() is None, process.stdout.read()
            for found in logs.glob("*/*/checkpoints/last.ckpt"):
                if last_epoch(found.parent.parent) >= least:
                    return found.parent.parent
            time.sleep(0.01)
        raise AssertionError("no checkpoint appeared")

    return wait


def last_epoch(run: Path) -> int:
    """Epoch of a run's last checkpoint, which must be whole."""
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["epoch"]


@pytest.fixture(scope="session")
def unbroken_and_resumed(start_process, wait_for_epoch):
    """The folders of one experiment's runs: one unbroken, one killed half-way and resumed.

    Both are processes with the same number of threads, so that they can be compared to the bit.
    ``outputs`` are files that only a run which has ended may have.
    """

    def run(
        folder: Path, experiment: str, *options: str, least: int = 1,
        outputs: tuple[str, ...] = ("results.json",),
    ) -> tuple[Path, Path]:  # fmt: skip
        whole, broken = folder / "whole" / "logs", folder / "broken" / "logs"
        for logs in (whole, broken):
            logs.parent.mkdir()
        process = start_process(whole, experiment, *options)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        (latest,) = whole.glob("*/latest")
        unbroken = latest.resolve()

        process = start_process(broken, experiment, *options)
        resumed = wait_for_epoch(broken, process, least)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert last_epoch(resumed) < last_epoch(unbroken)
        assert json.loads((resumed / "run.json").read_text())["status"] == "running"
        for name in outputs:
            assert (unbroken / name).exists()
            assert not (resumed / name).exists()
        command = [*process.args[:2], experiment, f"paths.logs={broken}", "resume=latest"]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=broken.parent,
            timeout=300, check=False, env=environment(),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        info = json.loads((resumed / "run.json").read_text())
        assert info["status"] == "finished"
        assert len(info["resumed"]) == 1
        return unbroken, resumed

    return run


@pytest.fixture(scope="session")
def trained(run_here, tmp_path_factory) -> Path:
    """The logs folder of a finished stage-1 run."""
    logs = tmp_path_factory.mktemp("trained") / "logs"
    assert run_here(logs, *STAGE1, "logger=csv", "trainer.max_epochs=15") == 0
    return logs
