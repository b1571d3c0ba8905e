"""Processor threads: how many, and what they do while they wait."""

import math
import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux says how much of its processors a container may use."""


def wait_passively() -> None:
    """Let waiting threads of this process, and of those that it starts, sleep.

    By default the threads of OpenMP spin for a while in the hope of more work. On a machine with
    other load they then hold the cores that the others, and their own kind, are waiting for. It
    counts where torch is imported later; what the environment says already is left as it is.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def available_cores() -> int:
    """Cores this process may use; a container or a scheduler can grant fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, _granted(_QUOTA) or cores)


def default_threads(current: int) -> int:
    """Threads to compute with: those at hand, but no more than cores; as told, where told.

    Args:
        current: Threads that would be used otherwise, which a quota does not lower.
    """
    return current if "OMP_NUM_THREADS" in os.environ else min(current, available_cores())


def _granted(file: Path) -> int | None:
    """Cores that a container's quota comes to, rounded up; None: no quota."""
    try:
        quota, period = file.read_text(encoding="utf-8").split()[:2]
        return max(1, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
        return None
