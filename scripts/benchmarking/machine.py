"""What a machine can do, and what a process has taken of it."""

import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


def description(device: str) -> dict[str, Any]:
    """Names and versions of what figures were measured on."""
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": torch.cpu.get_capabilities().get("cpu_name", platform.processor()),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if device == "cuda":
        card = torch.cuda.get_device_properties(0)
        found |= {
            "card": card.name,
            "memory_gb": round(card.total_memory / 1e9, 1),
            "cuda": torch.version.cuda,
            "capability": f"{card.major}.{card.minor}",
            "bf16": torch.cuda.is_bf16_supported(including_emulation=False),
        }
    return found


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


def in_fresh_process(function: Callable[..., Result], *arguments: object) -> Result:
    """What a function returns in a process of its own, whose peak memory is nobody else's."""
    context = multiprocessing.get_context("spawn")
    # An executor, since a pool would start a process that fails again and again.
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(function, *arguments).result()
