"""What is asked of workers, wherever they are, and what they report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from terrashot.mapping.cluster.work import Outcome, Work


@dataclass(frozen=True)
class Ready:
    """A worker has loaded the model and waits for work."""

    worker: int


@dataclass(frozen=True)
class Done:
    """A worker is through with its work, whatever came of it, and waits for more."""

    worker: int
    outcome: Outcome


@dataclass(frozen=True)
class Lost:
    """A worker has ended, with or without work.

    Args:
        worker: Which one.
        why: One line.
        returns: Whether another process is being started in its place.
    """

    worker: int
    why: str
    returns: bool


Event = Ready | Done | Lost


class Crew(Protocol):
    """Workers with a number each, all of them being started."""

    def begin(self, worker: int, work: Work) -> None:
        """Give work to a worker that waits."""
        ...

    def wait(self, seconds: float) -> Sequence[Event]:
        """What has happened; waits for it no longer than ``seconds``."""
        ...
