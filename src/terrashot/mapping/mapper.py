"""Mapping whole scenes: windows through the network, blended, written; any number of processes."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from terrashot.adaptation.temperature import Calibration
from terrashot.data.remote.address import RasterPath
from terrashot.errors import DataError, TerrashotError
from terrashot.image_spec import as_unit
from terrashot.mapping.background import WriteBehind
from terrashot.mapping.blending import Blender, Layers
from terrashot.mapping.clock import Clock
from terrashot.mapping.engine import TORCH
from terrashot.mapping.job import Run, SceneJob, share_rows
from terrashot.mapping.ledger import Ledger, address_key
from terrashot.mapping.stream import WindowBatch, WindowStream
from terrashot.model.views import Views

Barrier = Callable[[str], object]


def _alone(_: str) -> None:
    """The barrier of a single process."""


class SceneMapper:
    """Maps scenes window by window; rows of windows that are finished already are left out.

    Each process computes its share of the rows. A scene's files are written in the background as
    soon as its last row is there, or, where several processes share the scene, at the end. A
    scene that can't be read or written further does not stop the others; ``failures`` names it.

    Args:
        model: images [B, C, H, W] in 0..1 to probabilities [B, K, H, W]; frozen here.
        jobs: the scenes that have no map yet.
        ledger: notes which maps are whole.
        finish: writes the files of a scene whose rows are all there; returns their paths.
        layers: what is kept of the probabilities.
        views: flips and rotations.
        batch_size: windows in a batch.
        ahead: batches that are read ahead.
        requests: what is asked of a remote scene at once.
        calibration: of the probabilities that are kept.
        captured: what computes the windows of jobs whose engine is not torch.
    """

    def __init__(
        self,
        model: nn.Module,
        jobs: Sequence[SceneJob],
        ledger: Ledger,
        finish: Callable[[SceneJob], list[Path]],
        layers: Layers,
        views: Views,
        batch_size: int = 1,
        ahead: int = 4,
        requests: int = 8,
        calibration: Calibration | None = None,
        captured: nn.Module | None = None,
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.jobs = list(jobs)
        self.ledger = ledger
        self.finish_scene = finish
        self.layers = layers
        self.views = views
        self.batch_size = batch_size
        self.ahead = ahead
        self.requests = requests
        self.calibration = calibration
        self.captured = captured
        self.clock = Clock()
        self._barrier: Barrier = _alone
        self.failures: dict[RasterPath, str] = {}
        self._writer = WriteBehind()
        self._blender: Blender | None = None
        self._place = (-1, -1)  # run and row of the last batch
        self._out = torch.empty(0)
        self._began: dict[int, float] = {}
        self._rows_left: list[int] = []

    def share(self, rank: int = 0, processes: int = 1, barrier: Barrier = _alone) -> WindowStream:
        """Divide the rows that are left among the processes; returns this one's windows.

        Args:
            rank: of this process.
            processes: how many there are.
            barrier: waits for all of them.
        """
        self._barrier = barrier
        pending = [job.store.pending() for job in self.jobs]
        # No process may finish a row while another one still looks what is left.
        barrier("rows are listed")
        shares = share_rows(self.jobs, pending, processes)
        self.runs: list[Run] = shares[rank]
        held = [
            {rank for rank, runs in enumerate(shares) if any(run.job == job for run in runs)}
            for job in range(len(self.jobs))
        ]
        # Who computes a scene's last rows writes its files; one whose rows are all there, anyone.
        self._mine = [
            job for job, ranks in enumerate(held) if max(ranks, default=job % processes) == rank
        ]
        # With these runs a scene is whole that no other process has a part in.
        last = {run.job: number for number, run in enumerate(self.runs)}
        self._closing = {number for job, number in last.items() if len(held[job]) == 1}
        self._rows_left = [len(left) for left in pending]
        return self._stream()

    def part(self, rows: range) -> WindowStream:
        """The windows of what is left of some rows of the only scene; its files are not written.

        Others compute other rows at the same time; who calls ``share`` after all of them writes
        the files.
        """
        (job,) = self.jobs
        pending = [row for row in job.store.pending() if row in rows]
        (self.runs,) = share_rows(self.jobs, [pending], 1)
        self._mine, self._closing, self._rows_left = [], set(), [len(pending)]
        return self._stream()

    @property
    def rows_computed(self) -> int:
        """Rows of this run: those that ``share`` or ``part`` found left, and those credited."""
        return sum(self._rows_left)

    def credit(self, rows: int, seconds: float) -> None:
        """Let the note of the only scene count what others have computed of it in this run.

        Args:
            rows: How many, beside those that ``share`` found left.
            seconds: That they took.
        """
        self._rows_left[0] += rows
        self._began[0] = time.perf_counter() - seconds

    def stop(self) -> None:
        """End the thread that writes; what is submitted is still written."""
        self._writer.stop()

    def _stream(self) -> WindowStream:
        return WindowStream(
            self.jobs, self.runs, self.batch_size, self.ahead, self.requests, self.clock
        )

    def step(self, batch: WindowBatch) -> int:
        """Map the windows of a batch, which lie on the model's device; returns their number."""
        if batch["run"] < 0:
            self._finish_rest()
            return 0
        run = self.runs[batch["run"]]
        job = self.jobs[run.job]
        self._began.setdefault(run.job, time.perf_counter())
        if batch["error"]:
            self._fail(job, batch["error"])
            return 0
        if self._place[0] != batch["run"]:
            self._blender = Blender(job.plan, self.layers, self.calibration)
        assert self._blender is not None
        if self._place != (batch["run"], batch["row"]):
            self._place = (batch["run"], batch["row"])
            self._out = self._blender.start_row(batch["row"])
        if batch["columns"]:
            probabilities = self._predict(job, batch["images"])
            with self.clock.stage("blend"):
                for index, column in enumerate(batch["columns"]):
                    self._blender.add(
                        batch["row"],
                        column,
                        probabilities[index],
                        batch["valid"][index],
                        self._out,
                    )
        if batch["last"] and batch["row"] >= run.keep:
            self._writer.submit(partial(self._save, job, batch["row"], self._out))
            if batch["row"] == run.stop - 1 and batch["run"] in self._closing:
                self._writer.submit(partial(self._finish, run.job))
        return len(batch["columns"])

    def _predict(self, job: SceneJob, images: Tensor) -> Tensor:
        network = self.model if job.engine == TORCH else self.captured
        assert network is not None
        with self.clock.stage("compute"):
            probabilities = self.views(network, as_unit(images))
            if images.device.type == "cuda":
                torch.cuda.synchronize(images.device)
        return probabilities

    def _save(self, job: SceneJob, row: int, out: Tensor) -> None:
        with self.clock.stage("write"):
            job.store.save(row, out.numpy())

    def _finish_rest(self) -> None:
        """Write the files of scenes that several processes shared, or whose rows were all there."""
        self._writer.drain()
        self._barrier("rows are computed")
        for index in self._mine:
            job = self.jobs[index]
            if not self.ledger.is_finished(job.output.stem, job.digest):
                self._finish(index)
        self._barrier("maps are written")

    def _finish(self, index: int) -> None:
        job = self.jobs[index]
        if job.store.pending() or job.scene.path in self.failures:
            return  # a row is missing, here or in another process, which says why
        began = self._began.get(index, time.perf_counter())
        try:
            with self.clock.stage("write"):
                files = self.finish_scene(job)
        except TerrashotError as error:
            self._fail(job, str(error))
            return
        facts = {
            "scene": str(job.scene.path),
            **address_key(job.scene.path),
            "height": job.scene.height,
            "width": job.scene.width,
            "seconds": round(time.perf_counter() - began, 2),
            "rows_computed": self._rows_left[index],
            "rows": len(job.plan.rows),
        }
        self.ledger.finish(job.output.stem, job.digest, files, facts)

    def _fail(self, job: SceneJob, message: str) -> None:
        self.failures[job.scene.path] = message
        print(f"\n{message}", flush=True)  # at once, and in every process: the others go on


def describe_failures(
    failures: dict[RasterPath, str], missing: Sequence[RasterPath], scenes: int
) -> DataError:
    """The error that ends a run some of whose scenes have no map."""
    if len(missing) == 1 and missing[0] in failures:
        return DataError(failures[missing[0]])
    lines = [f"- {failures.get(p, f'{p}: see the message above')}" for p in missing]
    return DataError(f"{len(missing)} of {scenes} scenes have no map:\n" + "\n".join(lines))
