"""Mapping scenes with one worker and with several: the same maps, and how much faster.

    python scripts/benchmark_cluster.py --ckpt logs/adapt/latest --scenes 40 --workers 1 2

A scene is made by the demo generator, and copied. Every number of workers maps all of them with one
thread each, under a Ray of nodes of one processor each, all on this machine. Time counts from the
moment at which all workers have loaded the model; rounds take turns. The last column says how much
more as many busy processes got done there than one, just before: no cluster can show more.
"""

import argparse
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from terrashot.files import file_digest, write_json
from terrashot.mapping.blending import Layers
from terrashot.mapping.checks import check_scenes
from terrashot.mapping.cluster.crew import Event, Ready
from terrashot.mapping.cluster.dispatcher import Dispatcher
from terrashot.mapping.cluster.ray_crew import RayCrew, RayOptions
from terrashot.mapping.cluster.work import divide
from terrashot.mapping.ledger import Ledger
from terrashot.mapping.products import ProductOptions
from terrashot.mapping.request import MapRequest, WindowOptions, prepare_model
from terrashot.mapping.scene_products import SceneProducts
from terrashot.model.base_head import load_network
from terrashot.model.find import find_model_file
from terrashot.model.precision import FULL

_PATIENCE = 3600.0


class WarmCrew(RayCrew):
    """Gives out no work before all workers are there."""

    def wait(self, seconds: float) -> Sequence[Event]:
        """See ``Crew``; the first time it waits for all of them."""
        events = list(super().wait(seconds))
        while len(self.places) < self._options.workers and any(
            isinstance(event, Ready) for event in events
        ):
            events += super().wait(seconds)
        return events


def request_of(checkpoint: Path, scenes: Path, output: Path, window: int) -> MapRequest:
    """A run with the settings of ``experiment=predict``, one view and no products."""
    model = load_network(checkpoint)
    options = WindowOptions(window=window, overlap=window // 4, views="plain")
    prepare_model(model, options)
    return MapRequest(
        model=model,
        name=checkpoint.name,
        digest=file_digest(checkpoint),
        scenes=check_scenes(str(scenes), model.spec),
        output=output,
        layers=Layers(),
        options=options,
        products=SceneProducts(model.taxonomy, ProductOptions(False, False, False), picture=False),
    )


def rate(request: MapRequest, address: str, workers: int) -> float:
    """Megapixels a second of all workers together."""
    request.check()
    ledger = Ledger(request.output)
    jobs = request.jobs(ledger, FULL, print)
    request.begin(ledger, jobs)
    with WarmCrew(request, jobs, FULL, RayOptions(workers, address, 1, 0, 0)) as crew:
        found = Dispatcher(crew, workers, divide(jobs, 16), 0, _PATIENCE, print, lambda _: None)
        found.run()
        speed = found.progress.rate
    if found.failures:
        raise SystemExit(str(found.failures))
    return speed


def _spin(until: float, counted: Any) -> None:  # noqa: ANN401 - a queue of a process
    count = 0
    while time.time() < until:
        count += 1
    counted.put(count)


def room(processes: int, seconds: float = 3.0) -> float:
    """How much more ``processes`` busy processes get done than one."""

    def work(number: int) -> float:
        counted: Any = multiprocessing.Queue()
        until = time.time() + seconds
        busy = [multiprocessing.Process(target=_spin, args=(until, counted)) for _ in range(number)]
        for process in busy:
            process.start()
        total = sum(counted.get() for _ in busy)
        for process in busy:
            process.join()
        return total

    return work(processes) / work(1)


def maps(folder: Path) -> dict[str, bytes]:
    """The maps by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.tif"))}


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table()
    for name in ("workers", "Mpx/s (rounds)", "of the first", "same maps", "room"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row["workers"]),
            f"{row['mpx_per_s']:.3f} ({', '.join(f'{r:.3f}' for r in row['rounds'])})",
            f"{row['ratio']:.2f}",
            "yes" if row["same"] else "NO",
            f"{row['room']:.2f}",
        )
    Console().print(table)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ckpt", required=True, help="an adapted or stage-1 model")
    parser.add_argument("--scenes", type=int, default=40, help="how many")
    parser.add_argument("--size", type=int, default=512, help="side of a scene in pixels")
    parser.add_argument("--window", type=int, default=512, help="side of a window in pixels")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    import ray
    from ray.cluster_utils import Cluster

    from terrashot.demo.large import make_large_scene

    rows: list[dict[str, Any]] = [
        {"workers": n, "rounds": [], "rooms": []} for n in options.workers
    ]
    found: list[dict[str, bytes]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scenes").mkdir()
        scene = folder / "scene.tif"
        make_large_scene(scene, options.size, options.size)
        for number in range(options.scenes):
            shutil.copy(scene, folder / "scenes" / f"{number:04d}.tif")
        checkpoint = find_model_file(options.ckpt, Path("logs"))
        head = {"num_cpus": 1, "num_gpus": 0, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(max(options.workers) - 1):
            cluster.add_node(num_cpus=1, num_gpus=0)
        try:
            for turn in range(options.rounds):
                for row in rows:
                    output = folder / f"maps_{turn}_{row['workers']}"
                    request = request_of(checkpoint, folder / "scenes", output, options.window)
                    row["rooms"].append(room(row["workers"]))
                    row["rounds"].append(rate(request, cluster.address, row["workers"]))
                    found.append(maps(output))
                    row["same"] = row.get("same", True) and found[-1] == found[0]
        finally:
            ray.shutdown()
            cluster.shutdown()
    for row in rows:
        row["mpx_per_s"] = statistics.median(row["rounds"])
        row["room"] = statistics.median(row["rooms"])
        row["ratio"] = row["mpx_per_s"] / rows[0]["mpx_per_s"]
    show(rows)
    size = sum(len(content) for content in found[0].values())
    print(f"{size / (options.scenes * options.size**2):.3f} bytes of map a pixel")
    if options.json is not None:
        write_json(options.json, {"scenes": options.scenes, "size": options.size, "rows": rows})


if __name__ == "__main__":
    main()
