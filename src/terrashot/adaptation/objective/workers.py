"""Threads that each run single-threaded kernels on their own share of the work."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier, Lock
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkerPool:
    """Runs one function in each of a fixed number of threads.

    A product of a cache-sized block is too small to be split over threads: they would wait for
    each other after every kernel. So each worker computes whole blocks by itself, and workers
    meet once a pass. One worker runs in the calling thread.

    Args:
        size: Number of workers.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._lock = Lock()
        self._threads: ThreadPoolExecutor | None = None
        if size > 1:
            threads = torch.get_num_threads()
            self._threads = ThreadPoolExecutor(
                size, thread_name_prefix="terrashot", initializer=_single_threaded
            )
            # Start them all now: torch takes the last thread's setting for those of the future.
            together = Barrier(size)
            list(self._threads.map(lambda _: together.wait(), range(size)))
            torch.set_num_threads(threads)

    def run(self, work: Callable[[int], Result]) -> list[Result]:
        """Results of ``work(0)`` to ``work(size - 1)``, in that order."""
        if self._threads is None:
            with torch.no_grad():
                return [work(0)]
        # Workers wait for each other, so the shares of two passes must not mix.
        with self._lock:
            futures = [self._threads.submit(_without_graph, work, i) for i in range(self.size)]
            return [future.result() for future in futures]


def shares(items: Sequence[Item], weights: Sequence[int], loads: list[int]) -> list[list[Item]]:
    """Split items over workers so that the loads of all become about equal.

    The split depends on the arguments alone, and each share keeps the order of the items.

    Args:
        items: What is to be done.
        weights: How much work each item is.
        loads: How much work each worker has already; the items' weights are added.
    """
    owner: dict[int, int] = {}
    for index in sorted(range(len(items)), key=lambda i: (-weights[i], i)):
        lightest = loads.index(min(loads))
        owner[index] = lightest
        loads[lightest] += weights[index]
    return [[item for i, item in enumerate(items) if owner[i] == w] for w in range(len(loads))]


@cache
def worker_pool(size: int) -> WorkerPool:
    """The pool of that size; one for all adaptations of the process."""
    return WorkerPool(size)


# A forked process has the pool but none of its threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=worker_pool.cache_clear)


def _single_threaded() -> None:
    # A thread takes over the process' setting at its first question or parallel kernel, and only
    # then does its own setting last.
    torch.get_num_threads()
    torch.set_num_threads(1)


def _without_graph(work: Callable[[int], Result], index: int) -> Result:
    with torch.no_grad():
        return work(index)
