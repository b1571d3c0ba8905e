"""The adaptation engine against the plain autograd form: both sides in one run, as a ratio.

    python scripts/benchmark_adaptation.py --size 32 64 128 256 --json adaptation.json

The problem has the size of the OpenEarthMap challenge: 4 novel classes with 5 support tiles each,
8 base classes, features of 256 channels on a SIZE x SIZE map (256 for a tile of 1024 pixels), a
rank-one transition, all query losses. Features are random clusters. The sides take turns; times
are medians of rounds, in seconds an iteration and query. The engine runs as stage 2 does, with
several queries in a pass (`adaptation.queries_per_pass`), and beside it with a single one; the
plain form knows single ones alone. The floors are measured on this machine in this run: the rate
of a large float32 matrix product, which bounds the arithmetic of an iteration, and the rate at
which memory is read, which bounds one read of the features.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarking.adaptation_sides import STEP, engine, steps_of, storage_of
from benchmarking.features import BASE, CHANNELS, NOVEL, SHOTS, FeatureScene
from benchmarking.machine import (
    in_fresh_process,
    product_rate,
    read_rate,
    synchronize,
)
from benchmarking.memory import high_water
from terrashot.adaptation.method import Query
from terrashot.adaptation.solver.anchored import AnchoredSgd
from terrashot.adaptation.solver.sgd import Sgd
from terrashot.files import write_json
from terrashot.tasks.settings.groups import AdaptationSettings

ROWS = 2 * (BASE + NOVEL) + BASE
ITERATIONS = 130


def peak_memory(side: str, size: int, queries: int) -> dict[str, float]:
    """Peak of one side in a process of its own: GB, and as a multiple of all features it is given.

    ``over_support`` is the same as a multiple of the support's features alone.
    """
    extra = in_fresh_process(_peak, side, size, queries)
    tile = CHANNELS * size * size * storage_of(side).itemsize
    support = NOVEL * SHOTS * tile
    return {
        f"peak_{side}": extra / (support + queries * tile),
        f"peak_{side}_gb": extra / 1e9,
        f"peak_{side}_over_support": extra / support,
    }


def _peak(side: str, size: int, queries: int) -> int:
    """Bytes that two iterations take beyond what libraries take."""
    steps_of(side, FeatureScene(16), queries)(2)
    before = high_water()
    steps_of(side, FeatureScene(size), queries)(2)
    return high_water() - before


def agreement(scene: FeatureScene, queries: int) -> dict[str, float]:
    """Whole adaptations: seconds a query, and the share of pixels mapped as the exact one does."""
    batch = [Query(scene.query(number)) for number in range(queries)]
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
        method._problem.objective([method._pixels(batch[0])])  # the first touch is free
        began = time.perf_counter()
        heads = method.adapt_together(batch)
        synchronize(scene.device)
        seconds[name] = (time.perf_counter() - began) / queries
        maps = [h.logits(q.features).argmax(dim=0) for h, q in zip(heads, batch, strict=True)]
        found[name] = torch.stack(maps)
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
    scene, queries = FeatureScene(size, device), options.queries
    in_pass = {"oracle": 1, "float32": queries, "bfloat16": queries}
    if queries > 1:
        in_pass["single"] = 1
    sides = {name: steps_of(name, scene, number) for name, number in in_pass.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for name, run in sides.items():
        run(1 if name == "oracle" else 3)
    for _ in range(options.rounds):
        for name, run in sides.items():
            once = queries * times["float32"][0] if times["float32"] else 1.0
            steps = 1 if name == "oracle" else max(3, min(20, round(0.5 / once)))
            times[name].append(run(steps))
    seconds = {name: statistics.median(values) for name, values in times.items()}
    tile = size * size
    product, read = product_rate(device), read_rate(device)

    def shares(name: str) -> tuple[float, float]:
        """A side's least time for the arithmetic, and for one read of the features, in its own.

        A query's arithmetic is the same in every pass; the support is read once a pass.
        """
        pixels = (NOVEL * SHOTS + 1) * tile
        read_pixels = (NOVEL * SHOTS / in_pass[name] + 1) * tile
        flop = 2 * 2 * ROWS * CHANNELS * pixels / product
        return flop / seconds[name], 4 * CHANNELS * read_pixels / read / seconds[name]

    flop_share, bandwidth_share = shares("float32")
    row: dict[str, float | int | str] = {
        "size": size,
        "device": device,
        "queries": queries,
        "ratio_float32": seconds["oracle"] / seconds["float32"],
        "ratio_bfloat16": seconds["oracle"] / seconds["bfloat16"],
        "bfloat16_over_float32": seconds["float32"] / seconds["bfloat16"],
        **{f"seconds_{name}": value for name, value in seconds.items()},
        "flop_share": flop_share,
        "bandwidth_share": bandwidth_share,
    }
    if "single" in in_pass:
        row["ratio_single"] = seconds["oracle"] / seconds["single"]
        row["flop_share_single"], row["bandwidth_share_single"] = shares("single")
    del sides
    if options.agreement:
        row |= agreement(scene, queries)
    if device == "cpu" and not options.no_memory and Path("/proc/self/status").is_file():
        for name, number in in_pass.items():
            row |= peak_memory(name, size, number)
    return row


def show(rows: list[dict[str, float | int | str]]) -> None:
    """The rows as tables."""
    _table(
        "seconds an iteration and query",
        {
            "h = w": "size", "device": "device", "queries in a pass": "queries",
            "plain": "seconds_oracle", "float32": "seconds_float32", "ratio": "ratio_float32",
            "share of sgemm": "flop_share", "of bandwidth": "bandwidth_share",
            "bfloat16 ratio": "ratio_bfloat16", "one query: ratio": "ratio_single",
            "share of sgemm ": "flop_share_single",
        },
        rows,
    )  # fmt: skip
    _table(
        "peak memory, x the features of support and queries",
        {
            "h = w": "size", "plain": "peak_oracle", "float32": "peak_float32",
            "bfloat16": "peak_bfloat16", "one query": "peak_single",
            "float32, GB": "peak_float32_gb", "x the support's": "peak_float32_over_support",
        },
        rows,
    )  # fmt: skip
    _table(
        "whole adaptations: pixels mapped as float32 maps them",
        {
            "h = w": "size", "exact, s a query": "seconds_query_exact",
            "fast": "seconds_query_fast", "ratio": "ratio_fast", "fast agrees": "agreement_fast",
            "bfloat16 agrees": "agreement_bfloat16",
        },
        rows,
    )  # fmt: skip


def _table(title: str, columns: dict[str, str], rows: list[dict[str, float | int | str]]) -> None:
    """One table, where any row has something for it beside its size."""
    if not any(key in row for row in rows for key in list(columns.values())[1:]):
        return
    table = Table(title=title)
    for name in columns:
        table.add_column(name, justify="right")
    for row in rows:
        cells = []
        for key in columns.values():
            value = row.get(key, "")
            text = f"{value:.3g}" if isinstance(value, float) else str(value)
            cells.append(f"{value:.3%}" if "agreement" in key and value != "" else text)
        table.add_row(*cells)
    Console(width=110).print(table)


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
        "--queries",
        type=int,
        default=AdaptationSettings().queries_per_pass,
        help="in one pass; default: adaptation.queries_per_pass",
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
