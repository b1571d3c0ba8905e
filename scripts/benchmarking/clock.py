"""Seconds that something takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(into: list[dict[str, float]]) -> Iterator[None]:
    """Seconds of the clock and of the processor (server and client)."""
    clock, own = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - clock, time.process_time() - own
    into.append({"seconds": round(seconds, 3), "cpu": round(cpu, 3)})
