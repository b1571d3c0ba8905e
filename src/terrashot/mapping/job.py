"""What is left to do for each scene, and which process does which part of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from terrashot.mapping.plan import WindowPlan
from terrashot.mapping.rows import RowStore
from terrashot.mapping.scene import Scene


@dataclass(frozen=True)
class SceneJob:
    """A scene that is to be mapped.

    Args:
        scene: the scene.
        plan: its windows.
        store: its finished rows.
        output: path of the class map.
        digest: of everything that the map depends on.
        engine: what computes its windows, ``torch`` or ``onnxruntime``.
    """

    scene: Scene
    plan: WindowPlan
    store: RowStore
    output: Path
    digest: str
    engine: str


@dataclass(frozen=True)
class Run:
    """Neighbouring rows of one scene that one process computes one after the other.

    Args:
        job: index of the scene.
        first: the first row to be computed, for what it adds to the rows that are kept.
        keep: the first row that is kept.
        stop: the first row after them.
    """

    job: int
    first: int
    keep: int
    stop: int


def share_rows(
    jobs: Sequence[SceneJob], pending: Sequence[Sequence[int]], ranks: int
) -> list[list[Run]]:
    """Divide the rows that are left among processes, evenly by windows.

    Every process gets neighbouring rows, since the first of them needs its upper neighbours'
    windows once more. A row comes out the same whoever computes it.

    Args:
        jobs: the scenes.
        pending: the rows of each that are left.
        ranks: number of processes.

    Returns:
        The runs of each process, in order.
    """
    rows = [(j, row) for j, left in enumerate(pending) for row in left]
    windows = [len(jobs[j].plan.columns) for j, _ in rows]
    total, before = sum(windows), 0
    shares: list[list[tuple[int, int]]] = [[] for _ in range(ranks)]
    for item, count in zip(rows, windows, strict=True):
        shares[int((before + count / 2) / total * ranks)].append(item)
        before += count
    return [_runs(jobs, share) for share in shares]


def count_batches(jobs: Sequence[SceneJob], runs: Sequence[Run], batch_size: int) -> int:
    """Batches of these runs where no window is without data."""
    return sum(
        (run.stop - run.first) * -(-len(jobs[run.job].plan.columns) // batch_size) for run in runs
    )


def _runs(jobs: Sequence[SceneJob], share: Sequence[tuple[int, int]]) -> list[Run]:
    runs: list[Run] = []
    for job, row in share:
        if runs and runs[-1].job == job and runs[-1].stop == row:
            last = runs.pop()
            runs.append(Run(job, last.first, last.keep, row + 1))
        else:
            first = jobs[job].plan.rows.first_that_touches(row)
            runs.append(Run(job, first, row, row + 1))
    return runs
