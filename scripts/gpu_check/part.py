"""One part of the check, in a process of its own, within its budget of time."""

import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

OK, FAILED, SKIPPED, LATE = "ok", "FAILED", "skipped", "TOO LATE"
_TAIL = 1500
"""So many characters of what a part that failed has said are kept."""


class SkippedError(Exception):
    """A part that this machine cannot do; says why."""


@dataclass(frozen=True)
class Place:
    """Where a part runs.

    Args:
        device: ``cuda`` or ``cpu``.
        size: Side of feature maps in pixels, a multiple of 8: 256 for tiles of 1024 pixels.
        folder: Of the part alone, for whatever it writes.
        seconds: Its budget.
    """

    device: str
    size: int
    folder: Path
    seconds: float

    @property
    def is_small(self) -> bool:
        """Whether the part shall only show that it runs."""
        return self.size < 128


@dataclass(frozen=True)
class Part:
    """A part and the seconds that it may take.

    Args:
        name: In the table.
        work: Takes a ``Place``, returns figures by name.
        seconds: Budget on a card.
    """

    name: str
    work: Callable[[Place], dict[str, Any]]
    seconds: float


@dataclass
class Outcome:
    """What became of a part: ``state``, its seconds, its figures, and why where it did not end."""

    name: str
    state: str
    seconds: float
    figures: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def run_part(part: Part, place: Place) -> Outcome:
    """Run a part; whatever it does, this returns, at the latest when its budget is spent.

    The process is a fork, which has everything imported. It holds only as long as this process
    has not touched the card nor computed anything itself.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    began = time.perf_counter()
    process = context.Process(target=_work, args=(part, place, sending))
    process.start()
    sending.close()
    answer: tuple[str, Any] | None = None
    try:
        if receiving.poll(place.seconds):
            answer = receiving.recv()
    except EOFError:  # it died without a word
        process.join(10)
        answer = (FAILED, f"the process ended with code {process.exitcode}")
    seconds = time.perf_counter() - began
    _end(process)
    if answer is None:
        reason = f"not done after its budget of {place.seconds:.0f} s"
        return Outcome(part.name, LATE, seconds, reason=f"{reason}; {_last_words(place)}")
    state, found = answer
    if state == OK:
        return Outcome(part.name, OK, seconds, found)
    return Outcome(part.name, state, seconds, reason=str(found))


def _work(part: Part, place: Place, sending: Connection) -> None:
    """In the process of the part."""
    os.setsid()  # so that what it starts ends with it
    with _log(place).open("w", buffering=1, encoding="utf-8") as log:
        for number in (1, 2):  # what libraries print too
            os.dup2(log.fileno(), number)
        sys.stdout = sys.stderr = log
        try:
            sending.send((OK, part.work(place)))
        except SkippedError as reason:
            sending.send((SKIPPED, str(reason)))
        except BaseException as error:  # an exit too is an answer
            traceback.print_exc(file=log)
            said = " ".join(str(error).split())[:300]
            sending.send((FAILED, f"{type(error).__name__}: {said}; {_last_words(place)}"))
    sending.close()
    os._exit(0)  # without the exit handlers of the parent


def _end(process: multiprocessing.process.BaseProcess) -> None:
    """See that a process, and what it has started, is gone."""
    process.join(5)
    if process.is_alive() and process.pid is not None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()
        process.join(10)


def _log(place: Place) -> Path:
    return place.folder / "log.txt"


def _last_words(place: Place) -> str:
    file = _log(place)
    text = file.read_text(encoding="utf-8", errors="replace").strip() if file.is_file() else ""
    return f"its last words, of {file}:\n{text[-_TAIL:]}" if text else "it said nothing"
