"""Gives work to workers, one piece at a time, until all is done or has failed often enough."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from terrashot.errors import DataError
from terrashot.mapping.cluster.crew import Crew, Done, Event, Lost, Ready
from terrashot.mapping.cluster.progress import Progress
from terrashot.mapping.cluster.work import Outcome, Work

_TICK = 1.0
"""Seconds after which the progress is shown again, whatever happens."""


@dataclass
class _Scene:
    """How far a scene is.

    Args:
        parts: Pieces that are not through.
        computed: Rows, and the seconds that they took.
        error: Why a piece of it has failed for good.
    """

    parts: int
    computed: int = 0
    seconds: float = 0.0
    error: str = ""


@dataclass
class _Item:
    """Work in the queue: how often it was tried, and by whom the last time."""

    work: Work
    tries: int = 0
    last: int | None = None


@dataclass
class _Pool:
    """Workers by what they do; those that are in none of both are being started, or gone."""

    idle: set[int] = field(default_factory=set)
    busy: dict[int, _Item] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.idle) + len(self.busy)


class Dispatcher:
    """Holds the queue; workers get one piece of work at a time and know of no other.

    Work whose worker ends, or that fails, is done again at the end of the queue, by another worker
    where there is one; what is finished of it stays in the journal of rows. A scene of which a
    piece has failed too often has no map, and all others go on.

    Args:
        crew: The workers.
        workers: How many they are; they are numbered from 0.
        work: The pieces of each scene.
        retries: How often work is done again.
        patience: Seconds without a single worker, after which the run ends.
        say: Tells the user what has happened.
        show: Is given the progress as one line, again and again.
        now: The time in seconds.
    """

    def __init__(
        self,
        crew: Crew,
        workers: int,
        work: Sequence[Sequence[Work]],
        retries: int,
        patience: float,
        say: Callable[[str], object],
        show: Callable[[str], object],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.crew = crew
        self.workers = workers
        self.retries = retries
        self.patience = patience
        self.stages: Counter[str] = Counter()
        self.progress = Progress(len(work), sum(w.pixels for pieces in work for w in pieces), now)
        self._say, self._show, self._now = say, show, now
        self._scenes = [_Scene(len(pieces)) for pieces in work]
        self._queue = deque(_Item(w) for pieces in work for w in pieces)
        self._pool = _Pool()
        self._gone: dict[int, str] = {}

    @property
    def failures(self) -> dict[int, str]:
        """Why scenes have no map, by their index."""
        return {number: scene.error for number, scene in enumerate(self._scenes) if scene.error}

    def run(self) -> None:
        """Do all of it.

        Raises:
            DataError: no worker is left, or none has come.
        """
        alone_since = self._now()
        while self._queue or self._pool.busy:
            self._give_out()
            for event in self.crew.wait(_TICK):
                self._note(event)
            self._show(self.progress.line(len(self._pool), self.workers))
            if len(self._pool):
                alone_since = self._now()
            elif len(self._gone) == self.workers:
                causes = "\n".join(f"- {why}" for why in dict.fromkeys(self._gone.values()))
                raise DataError(f"No worker is left; what is finished stays. They ended:\n{causes}")
            elif self._now() - alone_since > self.patience:
                raise DataError(
                    f"For {self.patience:g} seconds (cluster.patience) there was not a single "
                    "worker; what is finished stays. `ray status` says which nodes there are and "
                    "what they have free: cluster.cpus_per_worker and cluster.gpus_per_worker are "
                    "what each worker needs on one of them."
                )

    def _give_out(self) -> None:
        for worker in sorted(self._pool.idle):
            item = self._next(worker)
            if item is not None:
                self._pool.idle.discard(worker)
                self._pool.busy[worker] = item
                self.progress.begin()
                self.crew.begin(worker, item.work)

    def _next(self, worker: int) -> _Item | None:
        """The first work that this worker may do: not what it has just failed at, if others can."""
        alone = len(self._pool) == 1
        for item in self._queue:
            if alone or item.last != worker:
                self._queue.remove(item)
                return item
        return None

    def _note(self, event: Event) -> None:
        match event:
            case Ready(worker):
                self._pool.idle.add(worker)
            case Done(worker, outcome):
                item = self._pool.busy.pop(worker)
                self._pool.idle.add(worker)
                self.stages.update(outcome.stages)
                if outcome.error:
                    self._again(item, worker, outcome.error)
                else:
                    self._count(item.work, outcome)
            case Lost(worker, why, returns):
                self._pool.idle.discard(worker)
                lost = self._pool.busy.pop(worker, None)
                if not returns:
                    self._gone[worker] = why
                follows = "another one is started" if returns else "none is started in its place"
                self._say(f"worker {worker} has ended ({why}); {follows}")
                if lost is not None:
                    self._again(lost, worker, f"its worker has ended: {why}")

    def _again(self, item: _Item, worker: int, error: str) -> None:
        """Put work that failed at the end of the queue, or give it up."""
        item.tries += 1
        item.last = worker
        if item.tries <= self.retries:
            self._queue.append(item)
            return
        scene = self._scenes[item.work.job]
        scene.parts -= 1
        self.progress.pixels_failed += item.work.pixels
        if not scene.error:
            self.progress.scenes_failed += 1
            scene.error = error
        self._say(f"failed after {item.tries} attempt(s): {error}")

    def _count(self, work: Work, outcome: Outcome) -> None:
        scene = self._scenes[work.job]
        scene.parts -= 1
        scene.computed += outcome.rows
        scene.seconds += outcome.seconds
        self.progress.pixels_done += work.pixels
        if work.rows is None:
            self.progress.scenes_done += 1
        elif not scene.parts and not scene.error:  # first of all: then the map is there
            scene.parts = 1
            files = Work(work.job, None, 0, scene.computed, scene.seconds)
            self._queue.appendleft(_Item(files))
