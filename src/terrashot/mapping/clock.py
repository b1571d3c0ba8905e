"""Where the time goes: seconds of reading, computing, blending and writing."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Adds up seconds by stage, from several threads.

    Seconds are by the wall: a stage that waits for a processor that another one uses counts its
    waiting too, so that shares of the whole are never too small.
    """

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block's seconds as ``name``."""
        began = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - began
            with self._lock:
                self._seconds[name] += took

    def seconds(self) -> dict[str, float]:
        """Seconds by stage."""
        with self._lock:
            return dict(self._seconds)
