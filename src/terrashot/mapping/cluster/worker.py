"""What a worker does with the work that it is given."""

import time

import torch

from terrashot.errors import ConfigError, DataError, TerrashotError
from terrashot.mapping.alone import map_alone
from terrashot.mapping.cluster.work import Outcome, Work
from terrashot.mapping.job import SceneJob
from terrashot.mapping.ledger import Ledger
from terrashot.mapping.mapper import SceneMapper
from terrashot.mapping.request import MapRequest


class MapWorker:
    """Maps one scene, or a part of one, at a time, with the code of a run in one process.

    Args:
        request: What the maps depend on; its scenes are not looked at.
        precision: ``32-true`` or ``bf16-mixed``.
        device: ``cpu`` or ``cuda``.

    Raises:
        ConfigError: there is no such device.
        DataError: the folder of the maps is not that of the run.
    """

    def __init__(self, request: MapRequest, precision: str, device: str) -> None:
        self._request = request
        self._ledger = Ledger(request.output)
        self._precision = precision
        self._device = torch.device(device)
        if device == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                "a worker was given a GPU (cluster.gpus_per_worker), but PyTorch sees none there. "
                "Install a PyTorch for CUDA on that node, or set cluster.gpus_per_worker=0."
            )
        if not self._ledger.is_begun:
            raise DataError(
                f"a worker does not see {request.output.absolute()} as the run does. Maps go to a "
                "folder that all nodes share: name one on a shared file system with output=FOLDER."
            )
        torch.backends.cudnn.benchmark = device == "cuda"  # windows are all of one size
        request.model.to(self._device)

    def do(self, work: Work, job: SceneJob) -> Outcome:
        """Do a piece of work; what is wrong with the scene is a part of the outcome."""
        began = time.perf_counter()
        mapper = self._request.mapper([job], self._ledger)
        try:
            error = self._map(mapper, work, job)
        except TerrashotError as raised:
            error = str(raised)
        seconds = time.perf_counter() - began
        return Outcome(mapper.rows_computed, seconds, mapper.clock.seconds(), error)

    def _map(self, mapper: SceneMapper, work: Work, job: SceneJob) -> str:
        """Returns why there is no map; empty: there is one, or the rows that were asked for."""
        if work.rows is None:
            stream = mapper.share()
            mapper.credit(work.computed, work.seconds)
        else:
            stream = mapper.part(range(*work.rows))
        map_alone(mapper, stream, self._device, self._precision)
        return mapper.failures.get(job.scene.path, "")
