"""Who may use the network next: a stroke before a view, and both before the background."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum


class Rank(IntEnum):
    """What is waited for, the most urgent first."""

    STROKE = 0
    VIEW = 1
    BACKGROUND = 2


class Turns:
    """A lock that is taken only while nothing more urgent waits for it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._busy = False
        self._waiting = dict.fromkeys(Rank, 0)

    @contextmanager
    def take(self, rank: Rank) -> Iterator[None]:
        """Hold it, once whoever has it is done and nothing more urgent waits."""

        def free() -> bool:
            return not self._busy and not any(self._waiting[r] for r in Rank if r < rank)

        with self._condition:
            self._waiting[rank] += 1
            self._condition.wait_for(free)
            self._waiting[rank] -= 1
            self._busy = True
        try:
            yield
        finally:
            with self._condition:
                self._busy = False
                self._condition.notify_all()
