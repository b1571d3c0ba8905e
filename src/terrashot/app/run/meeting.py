"""Where processes that were started from outside meet: the first names the folder of their run."""

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import torch.distributed
from lightning.fabric.plugins.environments import TorchElasticEnvironment

from terrashot.app.run.launch import Launch
from terrashot.errors import TerrashotError

_MINUTES = 20.0
"""How long processes wait for each other; imports and checks can take minutes on a busy node."""
_SECONDS_TO_APPEAR = 60.0
_KEY = "terrashot/folder"


class Meeting:
    """The store that the processes of a launch share, at the address that DDP uses as well.

    It lives as long as the run: the first process serves it, and Lightning uses it after us.

    Args:
        launch: What has started the processes; ``starter`` is set.

    Raises:
        TerrashotError: the others did not come.
    """

    def __init__(self, launch: Launch) -> None:
        place = launch.environment() or TorchElasticEnvironment()
        self._where = f"{place.main_address}:{place.main_port}"  # into the environment as well
        self._launch = launch
        try:
            self._store, _, _ = next(
                torch.distributed.rendezvous(
                    "env://", launch.rank, launch.processes, timeout=timedelta(minutes=_MINUTES)
                )
            )
        except (RuntimeError, OSError) as error:
            raise self._nobody("did not meet there") from error

    def tell(self, folder: Path, finished: bool) -> None:
        """What the first process says: the folder, and whether its run has finished already."""
        self._store.set(_KEY, json.dumps([str(folder), finished]))

    def hear(self) -> tuple[Path, bool]:
        """What the first process has said.

        Raises:
            TerrashotError: it said nothing, or the folder is not to be seen from here.
        """
        try:
            folder, finished = json.loads(self._store.get(_KEY))
        except (RuntimeError, OSError) as error:
            raise self._nobody("heard nothing about the folder of their run") from error
        limit = time.monotonic() + _SECONDS_TO_APPEAR
        while not Path(folder).is_dir():  # network file systems take their time
            if time.monotonic() > limit:
                raise TerrashotError(
                    f"The run's folder is {folder} (seen from {os.getcwd()}), made by the first "
                    "process of the run, but on this node there is none. Put paths.logs on a file "
                    "system that all nodes share, and start all processes in the same folder."
                )
            time.sleep(0.5)
        return Path(folder), bool(finished)

    def _nobody(self, what: str) -> TerrashotError:
        launch = self._launch
        return TerrashotError(
            f"The {launch.processes} processes that {launch.starter} has started were to agree on "
            f"one run folder at {self._where}, but process {launch.rank} ended its wait (of at "
            f"most {_MINUTES:.0f} minutes): they {what}. Either one of them ended before, and its "
            "own message says why, or the nodes do not reach each other there: MASTER_ADDR and "
            "MASTER_PORT name another place."
        )
