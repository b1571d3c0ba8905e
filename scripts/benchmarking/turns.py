"""Sides of a comparison, each in a process of its own, that take turns.

A side may be a loop that somebody else holds: it calls ``Turns.tick`` before each step, which waits
there while another side has its turn. Nothing but the standard library is needed, so that a side
can run in an environment of its own.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarking.memory import high_water

SCRIPTS = Path(__file__).resolve().parent.parent


class Turns:
    """The end of a side: it works while it is asked to, and says how long each step took.

    Whatever libraries print goes to standard error; standard output is for the other end.
    """

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self._left = 0
        self._began: float | None = None
        self._seconds: list[float] = []

    def tick(self, **facts: Any) -> None:  # noqa: ANN401 - plain values
        """A step ends and another one begins.

        Args:
            facts: what the other end is told before the first turn.
        """
        now = time.perf_counter()
        if self._began is not None:
            self._seconds.append(now - self._began)
            self._left -= 1
        if self._left == 0:
            self._say({"seconds": self._seconds, **facts})
            self._seconds = []
            asked = sys.stdin.readline().strip()
            if not asked:
                os._exit(1)  # the other end is gone
            if asked == "end":
                self._say({"peak_memory": high_water()})
                os._exit(0)  # the loop is a library's; nothing of it is kept
            self._left = int(asked)
        self._began = time.perf_counter()

    def _say(self, value: dict[str, Any]) -> None:
        print(json.dumps(value), file=self._out, flush=True)


def run_side(function: Callable[[dict[str, Any], Turns], None]) -> None:
    """Run a side as a program whose one argument is its job, in JSON."""
    turns = Turns()
    function(json.loads(sys.argv[1]), turns)


class Side:
    """The other end: starts a side, gives it its turns, ends it.

    Args:
        name: for the table.
        python: the interpreter, of whatever environment.
        module: to run, below ``scripts``.
        job: plain values.
    """

    def __init__(self, name: str, python: str, module: str, job: dict[str, Any]) -> None:
        self.name = name
        path = os.pathsep.join(p for p in (str(SCRIPTS), os.environ.get("PYTHONPATH")) if p)
        threads = str(job["threads"])
        self._process = subprocess.Popen(
            [python, "-m", module, json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": threads},
        )
        self.facts: dict[str, Any] = {}

    def ready(self) -> "Side":
        """Wait until its first step could begin."""
        self.facts = self._heard()
        return self

    def turn(self, steps: int) -> list[float]:
        """Seconds of the next steps."""
        return list(self._ask(str(steps))["seconds"])

    def end(self) -> int:
        """End it; returns the most memory that it held, in bytes."""
        peak = int(self._ask("end")["peak_memory"])
        self._process.wait()
        return peak

    def stop(self) -> None:
        """End it without an answer."""
        self._process.kill()
        self._process.wait()

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended; its message stands above")
        return dict(json.loads(line))
