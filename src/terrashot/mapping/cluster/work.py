"""What a worker does at a time: a whole scene, some rows of a large one, or its files."""

from collections.abc import Sequence
from dataclasses import dataclass

from terrashot.mapping.job import SceneJob


@dataclass(frozen=True)
class Work:
    """One piece of work.

    Args:
        job: Index of the scene.
        rows: The first row of windows and the one after the last, of which those that are left
            are computed; None: all that are left, and then the files of the scene.
        pixels: Of the scene that become finished with it.
        computed: Rows of the scene that others have computed in this run.
        seconds: That they took.
    """

    job: int
    rows: tuple[int, int] | None
    pixels: int
    computed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What came of a piece of work.

    Args:
        rows: Computed.
        seconds: Taken.
        stages: Seconds by stage.
        error: Why it was not done; empty: it was.
    """

    rows: int
    seconds: float
    stages: dict[str, float]
    error: str = ""


def divide(jobs: Sequence[SceneJob], rows: int) -> list[list[Work]]:
    """What is to be done for each scene.

    A scene of many rows of windows is divided among workers, each of which computes neighbouring
    rows: the first of them needs its upper neighbour's windows once more, so that stretches of
    ``rows`` rows compute one in ``rows`` again. The files of such a scene are one more piece of
    work, that of a whole scene, when all its rows are there.

    Args:
        jobs: The scenes.
        rows: Of windows in a piece; a scene with no more than that left is one piece.
    """
    return [_pieces(number, job, rows) for number, job in enumerate(jobs)]


def _pieces(number: int, job: SceneJob, rows: int) -> list[Work]:
    pending = job.store.pending()
    if len(pending) <= rows:
        return [Work(number, None, _pixels(job, pending))]
    found = []
    for first in range(0, len(pending), rows):
        part = pending[first : first + rows]
        found.append(Work(number, (part[0], part[-1] + 1), _pixels(job, part)))
    return found


def _pixels(job: SceneJob, rows: Sequence[int]) -> int:
    """Pixels of the scene that these rows finish."""
    spans = (job.plan.rows.finished(row) for row in rows)
    return sum(stop - start for start, stop in spans) * job.scene.width
