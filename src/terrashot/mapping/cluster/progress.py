"""How far a run on many workers is."""

import time
from collections.abc import Callable
from datetime import timedelta


class Progress:
    """Counts scenes and pixels; says all of it in one line.

    Args:
        scenes: That are to be mapped.
        pixels: Of them, as far as they are not mapped yet.
        now: The time in seconds.
    """

    def __init__(self, scenes: int, pixels: int, now: Callable[[], float] = time.monotonic) -> None:
        self.scenes, self.pixels = scenes, pixels
        self.scenes_done = self.scenes_failed = 0
        self.pixels_done = self.pixels_failed = 0
        self._now = now
        self._began: float | None = None

    def begin(self) -> None:
        """The first worker begins; how long workers took to start says nothing of the rest."""
        if self._began is None:
            self._began = self._now()

    @property
    def rate(self) -> float:
        """Megapixels a second, of all workers together."""
        passed = 0.0 if self._began is None else self._now() - self._began
        return self.pixels_done / 1e6 / passed if passed > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest will take at this rate; None: not known yet."""
        left = self.pixels - self.pixels_done - self.pixels_failed
        return left / 1e6 / self.rate if self.rate > 0 else None

    def line(self, workers: int, of: int) -> str:
        """All of it.

        Args:
            workers: That are there.
            of: That are asked for.
        """
        left = self.scenes - self.scenes_done - self.scenes_failed
        mpx = [p / 1e6 for p in (self.pixels_done, self.pixels_failed, self.pixels)]
        seconds = self.seconds_left
        ends = "" if seconds is None else f", about {timedelta(seconds=round(seconds))} left"
        return (
            f"scenes: {self.scenes_done} done, {self.scenes_failed} failed, {left} left; "
            f"Mpx: {mpx[0]:.1f} done, {mpx[1]:.1f} failed, {mpx[2] - mpx[0] - mpx[1]:.1f} left; "
            f"{self.rate:.2f} Mpx/s{ends}; {workers} of {of} workers"
        )
