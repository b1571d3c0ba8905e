"""One line of progress: live where someone watches, now and then in a log file."""

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.markup import escape

_EVERY = 30.0
"""Seconds between the lines in a file."""


class LiveLine:
    """Shows the latest line, and prints others above it; a context manager.

    Args:
        console: Where to.
        every: Seconds between two lines where the console is no terminal.
        now: The time in seconds.
    """

    def __init__(
        self,
        console: Console,
        every: float = _EVERY,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._every, self._now = console, every, now
        self._status = console.status("") if console.is_terminal else None
        self._line = self._printed = ""
        self._at = now()

    def __enter__(self) -> "LiveLine":
        """Begin to show it."""
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last line as it is."""
        if self._status is not None:
            self._status.stop()
        self._print()

    def show(self, line: str) -> None:
        """The line as it is now."""
        self._line = line
        if self._status is not None:
            self._status.update(escape(line))
        elif self._now() - self._at >= self._every:
            self._print()

    def say(self, line: str) -> None:
        """Another line, that stays."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _print(self) -> None:
        self._at = self._now()
        if self._line != self._printed:
            self._printed = self._line
            self.say(self._line)
