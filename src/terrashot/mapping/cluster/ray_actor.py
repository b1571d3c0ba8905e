"""The process of a worker under Ray."""

import os
import socket
import sys

from terrashot import __version__
from terrashot.errors import ConfigError, DataError
from terrashot.mapping.cluster.work import Outcome, Work
from terrashot.mapping.cluster.worker import MapWorker
from terrashot.mapping.job import SceneJob
from terrashot.mapping.request import MapRequest


class RayMapWorker:
    """A ``MapWorker`` that is started in a process of its own."""

    def start(
        self,
        request: MapRequest,
        precision: str,
        device: str,
        threads: int,
        folder: str,
        version: str,
    ) -> str:
        """Make ready for work; returns which process it is, and where.

        Args:
            request: See ``MapWorker``.
            precision: See ``MapWorker``.
            device: See ``MapWorker``.
            threads: To compute with on a processor.
            folder: That relative paths of the run begin at.
            version: Of terrashot in the run, which the maps are made with.

        Raises:
            ConfigError: another version, or no such device.
            DataError: a folder of the run is not there.
        """
        import torch

        if version != __version__:
            raise ConfigError(
                f"a worker has terrashot {__version__} ({sys.executable}), but the run is of "
                f"{version}. Install the same version on every node."
            )
        try:
            os.chdir(folder)
        except OSError as error:
            raise DataError(
                f"a worker can't enter {folder}, where the run was started: {error.strerror}. "
                "Start it in a folder that all nodes share."
            ) from error
        torch.set_num_threads(threads)
        self._worker = MapWorker(request, precision, device)
        return f"process {os.getpid()} on {socket.gethostname()}"

    def do(self, work: Work, job: SceneJob) -> Outcome:
        """See ``MapWorker.do``."""
        return self._worker.do(work, job)
