"""Reading a scene's windows: from disk, and over HTTP with one request in flight and with several.

    python scripts/benchmark_remote.py --size 4096 --latency 0.05 --requests 1 8 --json remote.json

The scene is made by the demo generator and served by a process of its own on this machine, which
waits for the latency before each answer. What is read are the windows of a map (1024 pixels,
overlap 256), in their order; the network that would look at them is left out. Megapixels are those
of the scene, so that overlaps cost what they cost a map.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarking.machine import median_of
from terrashot.demo.large import make_large_scene
from terrashot.files import write_json
from terrashot.mapping.checks import check_scenes
from terrashot.mapping.pieces import Box
from terrashot.mapping.plan import WindowPlan
from terrashot.mapping.scene import Scene
from terrashot.mapping.source import TileSource

SERVER = Path(__file__).parent / "benchmarking" / "range_server.py"
WINDOW, OVERLAP = 1024, 256


@contextmanager
def served(folder: Path, latency: float) -> Iterator[str]:
    """The address of a folder."""
    command = [sys.executable, str(SERVER), str(folder), "--latency", str(latency)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


def windows_of(scene: Scene) -> list[Box]:
    """The windows of a map, in order."""
    plan = WindowPlan.of(scene.height, scene.width, WINDOW, OVERLAP)
    rows, columns = plan.rows, plan.columns
    return [(y, x, rows.size, columns.size) for y in rows.starts for x in columns.starts]


def rate(scene: Scene, requests: int, rounds: int) -> float:
    """Megapixels a second, the median of some rounds."""

    def work() -> float:
        windows = windows_of(scene)
        began = time.perf_counter()
        with TileSource(scene, windows, requests) as source:
            for window in windows:
                source.read(*window)
        return scene.pixels / 1e6 / (time.perf_counter() - began)

    return median_of(work, rounds)


def show(rows: list[dict[str, Any]], size: int, latency: float) -> None:
    """Print the table."""
    title = f"{size} x {size} pixels, {1000 * latency:.0f} ms before each answer"
    table = Table(title=title, title_justify="left")
    for name in ("read from", "Mpx/s", "of local", "of one request"):
        table.add_column(name, justify="left" if name == "read from" else "right")
    local = rows[0]["mpx_per_s"]
    one = next((row["mpx_per_s"] for row in rows if row["requests"] == 1), None)
    for row in rows:
        far = row["requests"] is not None
        table.add_row(
            row["name"],
            f"{row['mpx_per_s']:.2f}",
            f"{row['mpx_per_s'] / local:.2f}" if far else "",
            f"{row['mpx_per_s'] / one:.2f}" if far and one else "",
        )
    Console().print(table)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=4096, help="side of the scene in pixels")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--requests", type=int, nargs="+", default=[1, 8], help="in flight")
    parser.add_argument("--rounds", type=int, default=3, help="measured; one more is not counted")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "scene.tif"
        make_large_scene(path, options.size, options.size)
        (scene,) = check_scenes(str(path))
        speed = rate(scene, 1, options.rounds)
        rows.append({"name": "disk", "requests": None, "mpx_per_s": speed})
        with served(Path(name), options.latency) as address:
            (scene,) = check_scenes(f"{address}/scene.tif")
            for requests in options.requests:
                speed = rate(scene, requests, options.rounds)
                label = f"HTTP, {requests} in flight"
                rows.append({"name": label, "requests": requests, "mpx_per_s": speed})
    show(rows, options.size, options.latency)
    if options.json is not None:
        write_json(options.json, {"latency": options.latency, "size": options.size, "rows": rows})


if __name__ == "__main__":
    main()
