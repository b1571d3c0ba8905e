"""Who may use the network: people at the page first, what happens in the background after."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that the background takes only while nobody waits at the page."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._busy = False
        self._waiting = 0

    @contextmanager
    def page(self) -> Iterator[None]:
        """Hold it, as soon as whoever has it is done."""
        with self._condition:
            self._waiting += 1
            self._condition.wait_for(lambda: not self._busy)
            self._waiting -= 1
            self._busy = True
        yield from self._held()

    @contextmanager
    def background(self) -> Iterator[None]:
        """Hold it when nobody at the page wants it."""
        with self._condition:
            self._condition.wait_for(lambda: not self._busy and not self._waiting)
            self._busy = True
        yield from self._held()

    def _held(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._condition:
                self._busy = False
                self._condition.notify_all()
