"""Fixtures that every test may use; wandb's offline runs are read with wandb's own reader."""

import importlib.util
import json
import math
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

# One thread a process, set before anything imports torch, and inherited by the processes that
# tests start: tests run beside each other (`make test`), small networks gain nothing from a second
# thread, and threads that wait busily slow whatever else the machine does.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

FIXTURES = [
    "tests.fixtures.adapted",
    "tests.fixtures.browser",
    "tests.fixtures.disks",
    "tests.fixtures.label_store",
    "tests.fixtures.layers",
    "tests.fixtures.maps",
    "tests.fixtures.once",
    "tests.fixtures.remote",
    "tests.fixtures.runs",
    "tests.fixtures.scene",
]

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures, but not where tests are only dealt out: torch takes seconds to import."""
    if not config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        for name in FIXTURES:
            config.pluginmanager.import_plugin(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests train come last: most tests have answered within minutes.

    The longest of these begin first, so that no process is left alone with one of them.
    """
    trains = {item.path for item in items if "tiny_root" in getattr(item, "fixturenames", ())}
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: -tests[item.path] if item.path in trains else -math.inf)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out, by name, what would begin after the moment that CI sets."""
    deadline = float(os.environ.get("TEST_DEADLINE", "inf"))
    if time.time() > deadline:
        pytest.skip("no time left on this machine: TEST_DEADLINE has passed")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of specs, golden figures, real tiles and weights beside the repository."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder ../shared (golden figures, real tiles, weights) is not here")
    return folder


@dataclass
class OfflineRun:
    """One offline run: what a person would see after ``wandb sync``."""

    path: Path
    run_id: str = ""
    project: str = ""
    group: str = ""
    name: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    def values(self, metric: str) -> list[float]:
        """All values of a metric in the order they were logged."""
        return [row[metric] for row in self.history if metric in row]

    def media(self, name: str) -> list[dict[str, Any]]:
        """The media entries (images, tables) logged under ``name``."""
        start = f"{name}."
        rows = [
            {k.removeprefix(start): v for k, v in row.items() if k.startswith(start)}
            for row in self.history
        ]
        return [row for row in rows if row]

    def table(self, name: str) -> list[dict[str, Any]]:
        """The rows of the last table logged under ``name``."""
        content = json.loads((self.path / "files" / self.media(name)[-1]["path"]).read_text())
        return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]


def read_offline_run(folder: Path) -> OfflineRun:
    """Read the run in ``folder`` (``offline-run-<time>-<id>``)."""
    (file,) = folder.glob("*.wandb")
    run = OfflineRun(folder)
    # wandb 0.31 has no python reader any more, but a command; earlier ones have no such command.
    old = importlib.util.find_spec("wandb.sdk.internal.datastore") is not None
    for record in _records_by_datastore(file) if old else _records_by_command(file):
        value = record.get(record["type"], {})
        if record["type"] == "run":
            run.run_id, run.project = value["run_id"], value["project"]
            run.group, run.name = value.get("run_group", ""), value.get("display_name", "")
            run.tags = value.get("tags", [])
        if record["type"] in ("run", "config"):
            config = value.get("config", value).get("update", {})
            run.config.update({k: v for k, v in config.items() if not k.startswith("_")})
        elif record["type"] == "history":
            run.history.append(value["item"])
        elif record["type"] == "summary":
            run.summary.update(value.get("update", {}))
    return run


def _records_by_command(file: Path) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1200).stdout
    yield from (json.loads(line) for line in lines.splitlines() if line.startswith("{"))


def _records_by_datastore(file: Path) -> Iterator[dict[str, Any]]:
    from wandb.proto import wandb_internal_pb2
    from wandb.sdk.internal.datastore import DataStore

    def items(entries: Any) -> dict[str, Any]:
        return {e.key or ".".join(e.nested_key): json.loads(e.value_json) for e in entries}

    def scan() -> list[Any]:
        store, found = DataStore(), []
        store.open_for_scan(str(file))
        while data := store.scan_data():
            found.append(wandb_internal_pb2.Record())
            found[-1].ParseFromString(data)
        return found

    # wandb 0.29 says that a run has ended a moment before its file holds it.
    patience = time.monotonic() + 10
    while not any(r.HasField("exit") for r in scan()) and time.monotonic() < patience:
        time.sleep(0.05)
    for record in scan():
        kind = record.WhichOneof("record_type")
        if kind == "run":
            fields = ("run_id", "project", "run_group", "display_name")
            value = {name: getattr(record.run, name) for name in fields}
            value |= {"tags": list(record.run.tags)}
            value |= {"config": {"update": items(record.run.config.update)}}
            yield {"type": "run", "run": value}
        elif kind in ("config", "summary"):
            yield {"type": kind, kind: {"update": items(getattr(record, kind).update)}}
        elif kind == "history":
            yield {"type": kind, kind: {"item": items(record.history.item)}}


@pytest.fixture
def offline_run() -> Callable[[Path], OfflineRun]:
    """``read_offline_run`` as a fixture, since tests are no package."""
    return read_offline_run


@pytest.fixture
def offline_wandb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """wandb as on a machine where nobody ever logged in; its run is closed afterwards."""
    import wandb

    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no_netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "wandb_config"))
    yield
    if wandb.run is not None:
        wandb.finish()
    wandb.teardown()


@pytest.fixture(scope="session")
def color_model():
    """Knows each class by its colour: whatever the window, a pixel's class is known for sure."""
    import torch

    from terrashot.adaptation.inference import Inference
    from terrashot.adaptation.temperature import Calibration
    from terrashot.image_spec import ImageSpec
    from terrashot.taxonomy import Taxonomy

    colors = {"background": "#202020", "tree": "#20c020", "road": "#c0c0c0", "pool": "#2040e0"}
    rows = [{"name": name, "color": color} for name, color in colors.items()]

    class ColorModel(torch.nn.Module):
        stride = 1
        spec = ImageSpec()
        inference = Inference()
        calibration = Calibration()
        taxonomy = Taxonomy.from_dict(
            {"name": "colors", "background": rows[0], "base": rows[1:3], "novel": rows[3:]}
        )
        windows = 0

        def forward(self, image):
            self.windows += len(image)
            known = torch.tensor([c.rgb for c in self.taxonomy.classes]) / 255
            distance = (image[:, None] - known[None, :, :, None, None]).square().sum(2)
            return (-50 * distance).softmax(1)

    return ColorModel()


@pytest.fixture(scope="session")
def paint(color_model):
    """A picture, uint8 [3, H, W], of class ids [H, W] in the colours that the model knows."""
    return lambda ids: color_model.taxonomy.palette()[ids].transpose(2, 0, 1).copy()


@pytest.fixture
def write_raster(tmp_path):
    """Write a raster [bands, H, W] into a temporary folder: ``(name, array, **profile)``."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    def write(name: str, array: Any, **profile: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fixed = {"driver": "GTiff", "count": len(array), "dtype": array.dtype.name}
        fixed |= {"height": array.shape[1], "width": array.shape[2]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", **(fixed | profile)) as target:
                target.write(array)
        return path

    return write
