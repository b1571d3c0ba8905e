"""The adaptation engine against the plain autograd form: both sides in one run, as a ratio.

    python scripts/benchmark_adaptation.py --size 32 64 128 256 --json adaptation.json

The problem has the size of the OpenEarthMap challenge: 4 novel classes with 5 support tiles each,
8 base classes, features of 256 channels on a SIZE x SIZE map (256 for a tile of 1024 pixels), a
rank-one transition, all query losses. Features are random clusters. The sides take turns; times
are medians of rounds, in seconds an iteration, for one query and for each of several queries that
share a pass (`adaptation.queries_per_pass`). The floors are measured on this machine in this
run: the rate of a large float32 matrix product, which bounds the arithmetic of an iteration, and
the rate at which memory is read, which bounds one read of the features.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from terrashot.adaptation.adapter import Query
from terrashot.adaptation.anchored import AnchoredSgd
from terrashot.adaptation.gradient_adapter import GradientAdapter
from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.oracle import PlainObjective
from terrashot.adaptation.solver import Sgd
from terrashot.adaptation.support import SupportPixels
from terrashot.adaptation.support_loss import make_support_loss
from terrashot.adaptation.transduction import Transduction
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.files import write_json
from terrashot.losses.cross_entropy import CrossEntropy
from terrashot.similarity.transport import Transport

BASE, NOVEL, SHOTS, CHANNELS = 8, 4, 5, 256
ROWS = 2 * (BASE + NOVEL) + BASE
STEP = {"lr": 9e-5, "momentum": 0.9, "weight_decay": 5e-4, "decay_to": "snapshot"}
ITERATIONS = 130


class Scene:
    """A seeded problem of one size; tiles are made when they are asked for."""

    def __init__(self, size: int, device: str = "cpu") -> None:
        self.size = size
        self.device = device
        generator = torch.Generator().manual_seed(0)
        self.centres = torch.randn(BASE + NOVEL, CHANNELS, generator=generator).relu()
        self.centres *= 5 / self.centres.norm(dim=1, keepdim=True)
        self.snapshot = LinearHead(
            (8 / 25 * self.centres[:BASE]).to(device), torch.zeros(BASE, device=device)
        )
        self.classes = [BASE + tile // SHOTS for tile in range(NOVEL * SHOTS)]
        self.labels = [self._truth(tile, own) for tile, own in enumerate(self.classes)]

    def tiles(self) -> Iterator[Tensor]:
        """Support features ``[C, h, w]``, one after the other."""
        for tile, truth in enumerate(self.labels):
            yield self._features(tile, truth)

    def support_labels(self) -> list[Tensor]:
        """Label 0 but for the tile's own class."""
        return [torch.where(t >= BASE, t, torch.zeros_like(t)) for t in self.labels]

    def query(self, number: int = 0) -> Tensor:
        """Features ``[C, h, w]`` with all classes."""
        return self._features(1000 + number, self._truth(1000 + number, None))

    def _truth(self, seed: int, own: int | None) -> Tensor:
        """Blobs of classes; about a tenth of a tile is its own class."""
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.randint(0, BASE, (8, 8), generator=generator)
        novel = torch.rand(8, 8, generator=generator) < 0.12
        drawn = torch.randint(BASE, BASE + NOVEL, (8, 8), generator=generator)
        coarse = torch.where(novel, drawn if own is None else torch.tensor(own), coarse)
        repeats = self.size // 8
        return coarse.repeat_interleave(repeats, 0).repeat_interleave(repeats, 1)

    def _features(self, seed: int, truth: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(10_000 + seed)
        values = torch.randn(CHANNELS, self.size, self.size, generator=generator).mul_(0.35)
        for begin in range(0, CHANNELS, 16):  # so that a tile costs its own memory alone
            part = slice(begin, begin + 16)
            values[part] += self.centres[:, part][truth].permute(2, 0, 1)
        return values.relu_().to(self.device)


def adapter(solver: Sgd, workers: int | None = None) -> GradientAdapter:
    """ClassTrans with cross entropy, whose settings keep the descent stable."""
    return GradientAdapter(
        solver=solver,
        loss=CrossEntropy(),
        similarity=Transport(),
        transition=RankOneTransition(),
        transduction=Transduction(
            entropy=3.0, kl=16.0, distillation=100.0, refresh_after=[10, 20, 30, 40, 50, 100]
        ),
        workers=workers,
        support_weight=650.0,
        reference_norm=5.0,
        history_every=0,
    )


def engine(scene: Scene, storage: torch.dtype, solver: Sgd) -> GradientAdapter:
    """The adapter with the support taken in."""
    support = SupportPixels(
        scene.tiles(), scene.support_labels(), BASE, NOVEL, storage=storage,
        tile_classes=scene.classes,
    )  # fmt: skip
    method = adapter(solver)
    method.fit_support(scene.snapshot, support)
    return method


def engine_steps(scene: Scene, storage: torch.dtype, queries: int = 1) -> Callable[[int], float]:
    """Seconds an iteration and query of the engine, for a number of iterations."""
    method = engine(scene, storage, Sgd(iterations=0, **STEP))
    problem, layout = method._problem, method._layout
    pixels = [method._pixels(Query(scene.query(number))) for number in range(queries)]
    objective = problem.objective(pixels)
    start = layout.pack(method.start_parameters(), method.support.like).expand(queries, -1)
    objective.begin(start)

    def run(iterations: int) -> float:
        synchronize(scene.device)
        began = time.perf_counter()
        Sgd(iterations=iterations, **STEP).descend(start, objective, history_every=0)
        synchronize(scene.device)
        return (time.perf_counter() - began) / iterations / queries

    return run


def oracle_steps(scene: Scene) -> Callable[[int], float]:
    """Seconds an iteration of the plain form."""
    small = Scene(32, scene.device)
    method = engine(small, torch.float32, Sgd(iterations=0, **STEP))  # for start and scale alone
    features = torch.stack(list(scene.tiles())).mul_(float(method.scale.factor))
    loss = make_support_loss(CrossEntropy(), method.support, method.options)
    objective = PlainObjective(
        features,
        torch.stack(scene.support_labels()).to(features.device),
        scene.classes,
        scene.query() * float(method.scale.factor),
        torch.ones(scene.size, scene.size, device=features.device),
        LinearHead(scene.snapshot.weight / float(method.scale.factor), scene.snapshot.bias),
        loss,
        method.options.support_weight,
        method.transition,
        method.transduction,
    )
    start = method.start_parameters()
    objective.refresh(start)

    def run(iterations: int) -> float:
        parameters = {name: torch.nn.Parameter(value.clone()) for name, value in start.items()}
        optimizer = torch.optim.SGD(parameters.values(), lr=9e-5, momentum=0.9, weight_decay=5e-4)
        synchronize(scene.device)
        began = time.perf_counter()
        for iteration in range(iterations):
            gradients, _ = objective.gradient(dict(parameters), iteration)
            for name, parameter in parameters.items():
                parameter.grad = gradients[name]
            optimizer.step()
        synchronize(scene.device)
        return (time.perf_counter() - began) / iterations

    return run


def synchronize(device: str) -> None:
    """Wait for the GPU."""
    if device == "cuda":
        torch.cuda.synchronize()


def median_of(work: Callable[[], float], rounds: int) -> float:
    """Median of some rounds, after one that is not counted."""
    work()
    return statistics.median(work() for _ in range(rounds))


def product_rate(device: str) -> float:
    """Floating-point operations a second of a large float32 matrix product."""
    side = 2048 if device == "cpu" else 8192
    one, two = torch.randn(2, side, side, device=device).unbind()

    def work() -> float:
        synchronize(device)
        began = time.perf_counter()
        _ = one @ two
        synchronize(device)
        return 2 * side**3 / (time.perf_counter() - began)

    return median_of(work, 5)


def read_rate(device: str) -> float:
    """Bytes a second at which a tensor far larger than the caches is read."""
    values = torch.ones(256 << 20, device=device)

    def work() -> float:
        synchronize(device)
        began = time.perf_counter()
        values.sum()
        synchronize(device)
        return values.nbytes / (time.perf_counter() - began)

    return median_of(work, 5)


def peak_memory(side: str, size: int) -> dict[str, float]:
    """Peak of one side in a process of its own, in GB and as a multiple of the features."""
    context = multiprocessing.get_context("spawn")
    # An executor, since a pool would start a process that fails again and again.
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(_peak, side, size).result()


def _peak(side: str, size: int) -> dict[str, float]:
    warm = oracle_steps(Scene(32)) if side == "oracle" else engine_steps(Scene(32), _dtype(side))
    warm(2)  # buffers of libraries belong to neither side
    before = _high_water()
    scene = Scene(size)
    run = oracle_steps(scene) if side == "oracle" else engine_steps(scene, _dtype(side))
    run(2)
    extra = _high_water() - before
    itemsize = 2 if side == "bfloat16" else 4
    features = NOVEL * SHOTS * CHANNELS * size * size * itemsize
    return {"gigabytes": extra / 1e9, "features": extra / features}


def _high_water() -> int:
    """Most memory that this process has held, in bytes.

    Read from /proc: getrusage also counts what the process held before it became this program.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _dtype(side: str) -> torch.dtype:
    return torch.bfloat16 if side == "bfloat16" else torch.float32


def agreement(scene: Scene) -> dict[str, float]:
    """Whole adaptations: seconds a query, and the share of pixels mapped as the exact one does."""
    query = Query(scene.query())
    found: dict[str, Tensor] = {}
    seconds: dict[str, float] = {}
    prepare: dict[str, float] = {}
    sides = {
        "exact": (torch.float32, Sgd(iterations=ITERATIONS, **STEP)),
        "bfloat16": (torch.bfloat16, Sgd(iterations=ITERATIONS, **STEP)),
        "fast": (torch.float32, AnchoredSgd(iterations=ITERATIONS, **STEP)),
    }
    for name, (storage, solver) in sides.items():
        began = time.perf_counter()
        method = engine(scene, storage, solver)
        synchronize(scene.device)
        prepare[name] = time.perf_counter() - began
        method._problem.objective([method._pixels(query)])  # the first touch of the query is free
        began = time.perf_counter()
        head = method.adapt_together([query])[0]
        synchronize(scene.device)
        seconds[name] = time.perf_counter() - began
        found[name] = head.logits(query.features).argmax(dim=0)
    exact = found.pop("exact")
    row = {f"agreement_{n}": float((m == exact).float().mean()) for n, m in found.items()}
    return {
        **row,
        "seconds_query_exact": seconds["exact"],
        "seconds_query_fast": seconds["fast"],
        "seconds_prepare_exact": prepare["exact"],  # once for all queries, the support included
        "seconds_prepare_fast": prepare["fast"],
        "ratio_fast": seconds["exact"] / seconds["fast"],
    }


def measure(size: int, device: str, options: argparse.Namespace) -> dict[str, float | int | str]:
    """One row."""
    scene = Scene(size, device)
    sides = {
        "oracle": oracle_steps(scene),
        "float32": engine_steps(scene, torch.float32),
        "bfloat16": engine_steps(scene, torch.bfloat16),
    }
    if options.queries > 1:
        sides["together"] = engine_steps(scene, torch.float32, options.queries)
    times: dict[str, list[float]] = {name: [] for name in sides}
    for name, run in sides.items():
        run(1 if name == "oracle" else 3)
    for _ in range(options.rounds):
        for name, run in sides.items():
            once = times["float32"][0] if times["float32"] else 1.0
            steps = 1 if name == "oracle" else max(3, min(20, round(0.5 / once)))
            times[name].append(run(steps))
    seconds = {name: statistics.median(values) for name, values in times.items()}
    pixels = (NOVEL * SHOTS + 1) * size * size
    floor = 2 * 2 * ROWS * CHANNELS * pixels / product_rate(device)  # s of arithmetic alone
    row: dict[str, float | int | str] = {
        "size": size,
        "device": device,
        "ratio_float32": seconds["oracle"] / seconds["float32"],
        "ratio_bfloat16": seconds["oracle"] / seconds["bfloat16"],
        "bfloat16_over_float32": seconds["float32"] / seconds["bfloat16"],
        **{f"seconds_{name}": value for name, value in seconds.items()},
        "flop_share": floor / seconds["float32"],
        "bandwidth_share": 4 * CHANNELS * pixels / read_rate(device) / seconds["float32"],
    }
    if "together" in sides:
        row |= {
            "queries": options.queries,
            "ratio_together": seconds["oracle"] / seconds["together"],
            "together_over_one": seconds["float32"] / seconds["together"],
            "flop_share_together": floor / seconds["together"],
        }
    del sides
    if options.agreement:
        row |= agreement(scene)
    if device == "cpu" and not options.no_memory and Path("/proc/self/status").is_file():
        for name in ("oracle", "float32", "bfloat16"):
            peak = peak_memory(name, size)
            row |= {f"peak_{name}_gb": peak["gigabytes"], f"peak_{name}": peak["features"]}
    return row


def show(rows: list[dict[str, float | int | str]]) -> None:
    """A table of the rows."""
    table = Table(
        title="seconds an iteration; peak memory as a multiple of the support features",
        caption="at once, its share: of several queries in a pass",
    )
    columns = {
        "h = w": "size", "device": "device", "oracle": "seconds_oracle",
        "float32": "seconds_float32", "ratio": "ratio_float32", "bf16 ratio": "ratio_bfloat16",
        "at once": "ratio_together",
        "flop share": "flop_share", "its share": "flop_share_together",
        "bandwidth": "bandwidth_share", "peak oracle": "peak_oracle",
        "float32 ": "peak_float32", "bf16": "peak_bfloat16", "fast": "ratio_fast",
        "agree fast": "agreement_fast", "agree bf16": "agreement_bfloat16",
    }  # fmt: skip
    for title in columns:
        table.add_column(title, justify="right")
    for row in rows:
        cells = []
        for key in columns.values():
            value = row.get(key, "")
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            cells.append(f"{value:.2%}" if "agreement" in key and value != "" else text)
        table.add_row(*cells)
    Console(width=150).print(table)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None, help="default: as torch chooses")
    parser.add_argument("--json", type=Path, default=None, help="write the rows to this file")
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak memory")
    parser.add_argument(
        "--agreement", action="store_true", help="whole adaptations too: bfloat16, solver=fast"
    )
    parser.add_argument(
        "--queries", type=int, default=4, help="in one pass, beside a single one (4); 1: leave out"
    )
    options = parser.parse_args()
    if any(size < 8 or size % 8 for size in options.size):
        parser.error("--size: sizes must be multiples of 8")
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = []
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        for size in options.size:
            rows.append(measure(size, device, options))
            show(rows)
            if options.json:
                write_json(options.json, rows)


if __name__ == "__main__":
    main()
