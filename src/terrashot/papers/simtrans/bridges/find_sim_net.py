"""Which SimNet a run uses, and whether it belongs to the run's stage-1 network."""

from pathlib import Path

from terrashot.errors import CheckpointError
from terrashot.files import file_digest
from terrashot.model.stage1_file import find_checkpoint
from terrashot.papers.simtrans.network.sim_net import PIXELS, load_sim_net
from terrashot.tasks.bench import Bench
from terrashot.tasks.settings.runs import LoggedSettings

TASK = "sim_net"


def pixel_sim_net(bench: Bench, given: str | None) -> Path:
    """A SimNet for pixels that fits the run's stage-1 network and feature stride.

    Raises:
        CheckpointError: there is none, or it does not fit.
    """
    settings = bench.settings
    assert isinstance(settings, LoggedSettings)
    stage1 = bench.stage1_checkpoint()
    digest = file_digest(stage1)
    path = find_sim_net(bench, PIXELS, given, digest)
    about = load_sim_net(path, PIXELS).about
    command = f"python run.py experiment=simnet units=pixels data={settings.data.name}"
    if about.get("stage1") != digest:
        raise CheckpointError(
            f"{path} is a SimNet for features of another stage-1 network than "
            f"{stage1}; on these its answers mean nothing. Name that network "
            f"with checkpoint=, or train a SimNet on this one: {command} checkpoint=..."
        )
    stride = settings.adaptation.feature_stride  # type: ignore[attr-defined] # stage 2 has it
    if about.get("feature_stride") != stride:
        raise CheckpointError(
            f"{path} was trained with adaptation.feature_stride={about.get('feature_stride')}, but "
            f"this run has {stride}. Use the same, or train another: {command} "
            f"adaptation.feature_stride={stride}".replace("None", "null")
        )
    return path


def find_sim_net(bench: Bench, units: str, given: str | None, stage1: str | None = None) -> Path:
    """The checkpoint named, or that of the latest finished run for these units on this data.

    Args:
        bench: Knows the run and the finished ones.
        units: ``windows`` or ``pixels``.
        given: A file, a run folder, or None or ``latest``.
        stage1: Where several would do, runs on the stage-1 checkpoint of this digest come first.

    Raises:
        CheckpointError: there is none.
    """
    if given is not None and given != "latest":
        return find_checkpoint(given)
    settings = bench.settings
    assert isinstance(settings, LoggedSettings)
    runs = [run for run in bench.finished_runs(TASK) if run.info.get("units") == units]
    if not runs:
        raise CheckpointError(
            f"This run needs a SimNet for {units}, but {settings.paths.logs}/ holds no finished "
            f"one on data={settings.data.name}. Run `python run.py experiment=simnet units={units} "
            f"data={settings.data.name}` first, or name a run folder."
        )
    chosen = max(runs, key=lambda run: (run.info.get("stage1") == stage1, run.info.get("started")))
    return find_checkpoint(str(chosen.path))
