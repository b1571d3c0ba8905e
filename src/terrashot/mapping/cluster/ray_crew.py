"""Workers as actors of Ray, on this machine or on a cluster."""

import importlib.util
import logging
import os
import re
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from terrashot import __version__
from terrashot.data.remote.address import without_secrets
from terrashot.errors import ConfigError, one_line
from terrashot.mapping.cluster.crew import Done, Event, Lost, Ready
from terrashot.mapping.cluster.ray_actor import RayMapWorker
from terrashot.mapping.cluster.work import Work
from terrashot.mapping.job import SceneJob
from terrashot.mapping.request import MapRequest

_LONGEST = 300
"""Characters of why a worker ended."""
_ANSWERS = 10.0
"""Seconds within which something has to answer at an address."""


@dataclass(frozen=True)
class RayOptions:
    """Where workers run, and what each of them gets.

    Args:
        workers: How many.
        address: Of a Ray cluster, ``auto`` for the one of this machine; None: one of its own, which
            ends with the run.
        cpus: Processors, and so threads, of each.
        gpus: GPUs of each; a share of one where several workers have it together; 0: none.
        restarts: How often a worker that can't start is started again.
    """

    workers: int
    address: str | None
    cpus: int
    gpus: float
    restarts: int


def check_ray(address: str | None) -> None:
    """Find what can't work before any work.

    Args:
        address: Of a Ray cluster, ``auto`` or None.

    Raises:
        ConfigError: Ray is not installed, or nothing answers at the address.
    """
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            "cluster=ray needs ray, which is not installed. Run `pip install 'terrashot[cluster]'` "
            "on every node, or leave cluster out: one process then maps all scenes."
        )
    if address in (None, "auto"):
        return
    place = re.fullmatch(r"(?:ray://)?\[?([^\s/\]]+)\]?:(\d{1,5})", str(address))
    if place is None or int(place[2]) > 65_535:
        raise ConfigError(
            f"cluster.address is '{address}', but it must be HOST:PORT as `ray start --head` "
            "prints it, auto for the Ray that runs on this machine, or null for one of its own."
        )
    try:  # Ray itself would try for minutes
        socket.create_connection((place[1], int(place[2])), _ANSWERS).close()
    except OSError as error:
        raise _unreachable(str(address), error) from error


def _unreachable(address: str, error: BaseException) -> ConfigError:
    return ConfigError(
        f"cluster.address: no Ray could be reached at {address} ({one_line(error, _LONGEST)}). "
        "`ray start --head` starts one on its first node and prints the address; `auto` is the one "
        "that runs on this machine."
    )


class RayCrew:
    """See ``Crew``; a context manager, which ends what it has started.

    The model goes to each node once, through Ray's object store. A worker knows one scene at a
    time. One that ends, or fails at anything but the scene, is replaced by a new process.

    Args:
        request: What the maps depend on.
        jobs: The scenes, by the numbers that work names.
        precision: ``32-true`` or ``bf16-mixed``.
        options: Of Ray.
    """

    def __init__(
        self, request: MapRequest, jobs: Sequence[SceneJob], precision: str, options: RayOptions
    ) -> None:
        self._request = request
        self._jobs = jobs
        self._precision = precision
        self._options = options
        self.places: dict[int, str] = {}  # where each worker runs
        self._actors: dict[int, Any] = {}
        self._waiting: dict[Any, tuple[int, bool]] = {}  # what is awaited: of whom, a start?
        self._failed_starts: Counter[int] = Counter()

    def __enter__(self) -> "RayCrew":
        """Connect to Ray.

        Raises:
            ConfigError: no Ray at the address, or one without what each worker needs.
        """
        # Nothing is said to anyone about the use of Ray, unless the environment wants it.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        self._ray = ray
        options = self._options
        own = {
            "num_cpus": options.workers * options.cpus,
            "include_dashboard": False,
        }
        # As in the process of the run: threads that wait sleep (see terrashot.threads).
        environment = {
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
            "OMP_NUM_THREADS": str(options.cpus),
        }
        try:
            ray.init(
                address=options.address or "local",
                log_to_driver=False,  # workers' output would stand between the lines of progress
                logging_level=logging.ERROR,
                runtime_env={"env_vars": environment},
                **(own if options.address is None else {}),
            )
        except Exception as error:  # Ray raises what it likes
            where = options.address or "this machine (cluster.address=null)"
            raise _unreachable(where, error) from error
        try:
            self._check_resources()
            self._shared = ray.put(replace(self._request, scenes=()))
            for worker in range(options.workers):
                self._start(worker)
        except BaseException:
            ray.shutdown()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the workers, and the Ray that was started for them."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._ray.shutdown()

    def begin(self, worker: int, work: Work) -> None:
        """See ``Crew``."""
        awaited = self._actors[worker].do.remote(work, self._jobs[work.job])
        self._waiting[awaited] = (worker, False)

    def wait(self, seconds: float) -> Sequence[Event]:
        """See ``Crew``."""
        if not self._waiting:
            return []
        ready, _ = self._ray.wait(list(self._waiting), num_returns=1, timeout=seconds)
        if ready:  # and all that came with it
            waiting = list(self._waiting)
            ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        return [self._event(awaited) for awaited in ready]

    def _event(self, awaited: Any) -> Event:  # noqa: ANN401 - Ray's reference to a result
        worker, starting = self._waiting.pop(awaited)
        try:
            result = self._ray.get(awaited)
        except Exception as error:  # the worker's own, or one of Ray's that says how it ended
            where = self.places.pop(worker, "at its start")
            return self._replace(worker, f"{where}: {_reason(error)}", starting)
        if not starting:
            return Done(worker, result)
        self._failed_starts[worker] = 0
        self.places[worker] = result
        return Ready(worker)

    def _replace(self, worker: int, why: str, starting: bool) -> Lost:
        self._ray.kill(self._actors.pop(worker))
        if starting:
            self._failed_starts[worker] += 1
        returns = self._failed_starts[worker] <= self._options.restarts
        if returns:
            self._start(worker)
        return Lost(worker, why, returns)

    def _start(self, worker: int) -> None:
        options = self._options
        kind = self._ray.remote(RayMapWorker).options(
            num_cpus=options.cpus,
            num_gpus=options.gpus,
            max_restarts=0,  # the queue has to hear of it, so a new one is started here
            scheduling_strategy="SPREAD",  # readers and writers on as many nodes as there are
        )
        actor = kind.remote()
        device = "cuda" if options.gpus else "cpu"
        started = actor.start.remote(
            self._shared, self._precision, device, options.cpus, str(Path.cwd()), __version__
        )
        self._actors[worker] = actor
        self._waiting[started] = (worker, True)

    def _check_resources(self) -> None:
        """Raise a ConfigError where a Ray of its own lacks the GPUs; a cluster may still grow."""
        options = self._options
        there = self._ray.cluster_resources().get("GPU", 0)
        if options.address is None and options.workers * options.gpus > there:
            raise ConfigError(
                f"cluster.workers={options.workers} with {options.gpus:g} GPU(s) each "
                f"(cluster.gpus_per_worker) need more than the {there:g} of this machine. Lower one"
                " of them, or name a cluster with cluster.address."
            )


def _reason(error: BaseException) -> str:
    """Why a worker ended, in one line: what was raised there, not how it came here."""
    said = one_line(getattr(error, "cause", None) or error, 10 * _LONGEST)
    return without_secrets(said.rpartition("Worker exit detail: ")[2][:_LONGEST])
