"""Which SimNet a run on image folders uses."""

from pathlib import Path

from terrashot.errors import CheckpointError
from terrashot.model.stage1_file import find_checkpoint
from terrashot.papers.simtrans.folders.image_sets import ImageSets
from terrashot.papers.simtrans.settings import ImageWeakShotSettings
from terrashot.tasks.bench import Bench

TASK = "image_sim_net"


def find_image_sim_net(bench: Bench, settings: ImageWeakShotSettings, sets: ImageSets) -> Path:
    """The checkpoint named, or that of the latest finished run with these base classes.

    Raises:
        CheckpointError: there is none.
    """
    given = settings.weak_shot.simnet
    if given is not None and given != "latest":
        return find_checkpoint(given)
    runs = [run for run in bench.finished_runs(TASK) if run.info.get("classes") == sets.base]
    if not runs:
        raise CheckpointError(
            f"This run needs a SimNet, but {settings.paths.logs}/ holds no finished one on "
            f"data={settings.data.name} with its {len(sets.base)} base classes. Run `python run.py "
            f"experiment=simnet data={settings.data.name} data.root={settings.data.root}` first, "
            "or name a run folder with weak_shot.simnet=RUN."
        )
    chosen = max(runs, key=lambda run: str(run.info.get("started")))
    return find_checkpoint(str(chosen.path))
