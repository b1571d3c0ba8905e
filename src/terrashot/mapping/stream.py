"""Batches of windows, read in the background in the order in which they are blended."""

from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from terrashot.errors import DataError
from terrashot.mapping.background import ReadAhead
from terrashot.mapping.clock import Clock
from terrashot.mapping.job import Run, SceneJob, count_batches
from terrashot.mapping.pieces import Box
from terrashot.mapping.source import TileSource


class WindowBatch(TypedDict):
    """Windows of one row.

    ``images`` [B, C, S, S], bytes or floats in 0..1; ``valid`` bool [B, S, S]; ``run`` and ``row``
    they belong to; ``columns`` of each; ``last``: whether the row ends with them; ``error``: why
    the rest of the scene cannot be read. A row without any valid pixel is an empty batch, and so
    is the end of all, whose ``run`` is -1.
    """

    images: Tensor
    valid: Tensor
    run: int
    row: int
    columns: list[int]
    last: bool
    error: str


class WindowStream(IterableDataset[WindowBatch]):
    """The windows of some rows of some scenes, in batches that never mix rows.

    A batch's windows are then the same in a run that goes on in the middle of a scene, and with
    any number of processes, and so are the network's last digits. Windows without valid pixels
    are left out. A scene that cannot be read further ends with an empty batch that says why.

    Args:
        jobs: the scenes.
        runs: the rows of this process.
        batch_size: windows in a batch.
        ahead: batches that are read ahead.
        requests: what is asked of a remote scene at once.
        clock: counts seconds of reading.
    """

    def __init__(
        self,
        jobs: Sequence[SceneJob],
        runs: Sequence[Run],
        batch_size: int,
        ahead: int,
        requests: int,
        clock: Clock,
    ) -> None:
        self.jobs = jobs
        self.runs = runs
        self.batch_size = batch_size
        self.ahead = ahead
        self.requests = requests
        self.clock = clock

    def __len__(self) -> int:
        """Batches where no window is without data: what a progress bar counts to."""
        return count_batches(self.jobs, self.runs, self.batch_size) + 1

    def __iter__(self) -> Iterator[WindowBatch]:
        """Batches, in order."""
        return iter(ReadAhead(self._batches, self.ahead))

    def _batches(self) -> Iterator[WindowBatch]:
        for number, run in enumerate(self.runs):
            job = self.jobs[run.job]
            try:
                with TileSource(job.scene, _windows(job, run), self.requests) as source:
                    for row in range(run.first, run.stop):
                        yield from self._row(source, job, number, row)
            except DataError as error:
                yield _batch([], number, run.first, last=False, error=str(error))
        # Also where nothing is left to do: processes wait for each other at the end.
        yield _batch([], -1, -1, last=True)

    def _row(self, source: TileSource, job: SceneJob, run: int, row: int) -> Iterator[WindowBatch]:
        rows, columns = job.plan.rows, job.plan.columns
        found: list[tuple[int, np.ndarray, np.ndarray]] = []
        for column, left in enumerate(columns.starts):
            with self.clock.stage("read"):
                image, valid = source.read(rows.starts[row], left, rows.size, columns.size)
            if valid.any():
                if len(found) == self.batch_size:
                    yield _batch(found, run, row, last=False)
                    found = []
                found.append((column, image, valid))
        yield _batch(found, run, row, last=True)


def _windows(job: SceneJob, run: Run) -> list[Box]:
    """The windows of a run, in the order in which they are read."""
    rows, columns = job.plan.rows, job.plan.columns
    return [
        (rows.starts[row], left, rows.size, columns.size)
        for row in range(run.first, run.stop)
        for left in columns.starts
    ]


def _batch(
    found: list[tuple[int, np.ndarray, np.ndarray]],
    run: int,
    row: int,
    last: bool,
    error: str = "",
) -> WindowBatch:
    empty = torch.empty(0)
    return {
        "images": torch.from_numpy(np.stack([i for _, i, _ in found])) if found else empty,
        "valid": torch.from_numpy(np.stack([v for _, _, v in found])) if found else empty,
        "run": run,
        "row": row,
        "columns": [c for c, _, _ in found],
        "last": last,
        "error": error,
    }
