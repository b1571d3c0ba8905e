"""Who may use the network next: a stroke before a view, and both before the background."""

import itertools
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from typing import Any, TypeVar

Result = TypeVar("Result")


class Rank(IntEnum):
    """What is waited for, the most urgent first."""

    STROKE = 0
    VIEW = 1
    BACKGROUND = 2


class Turns:
    """Works one after the other, the most urgent first, all in one thread.

    The memory allocator keeps hundreds of megabytes for each thread that has run the network once,
    and a server has dozens of threads.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._waiting: queue.PriorityQueue[tuple[float, int, Future[Any], Any]] = (
            queue.PriorityQueue()
        )
        self._lock = threading.Lock()
        self._asking = 0  # who is more urgent than the background, waiting or at work
        self._last = time.monotonic()
        threading.Thread(target=self._serve, name="network", daemon=True).start()

    @property
    def quiet(self) -> float:
        """For how many seconds nobody but the background has wanted the network."""
        with self._lock:
            return 0.0 if self._asking else time.monotonic() - self._last

    def expect(self) -> None:
        """Somebody is about to use the network: the background waits as if it were used now."""
        with self._lock:
            self._last = time.monotonic()

    def run(self, rank: Rank, work: Callable[[], Result]) -> Result:
        """What a work returns, once nothing more urgent waits; what it raises is raised here."""
        future: Future[Result] = Future()
        urgent = rank < Rank.BACKGROUND
        with self._lock:
            self._asking += urgent
        self._waiting.put((rank, next(self._numbers), future, work))
        try:
            return future.result()
        finally:
            with self._lock:
                self._asking -= urgent
                if urgent:
                    self._last = time.monotonic()

    def close(self) -> None:
        """End the thread after all that waits; nothing may be run any more."""
        self._waiting.put((float("inf"), next(self._numbers), Future(), None))

    def _serve(self) -> None:
        while True:
            _, _, future, work = self._waiting.get()
            if work is None:
                return
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
            del future, work  # what they hold is let go before the next one comes
