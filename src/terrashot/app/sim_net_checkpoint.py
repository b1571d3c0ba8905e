"""Which SimNet a run uses, and whether it belongs to the run's stage-1 network."""

from pathlib import Path
from typing import Any

from terrashot.app.run_folder import finished_runs
from terrashot.app.settings import Settings
from terrashot.app.stage1_checkpoint import stage1_checkpoint
from terrashot.errors import CheckpointError
from terrashot.files import file_digest
from terrashot.model.stage1_file import find_checkpoint
from terrashot.papers.simtrans.network.sim_net import PIXELS, WINDOWS, TrainedSimNet, load_sim_net

TASK = "sim_net"
_USERS = {
    "similarity": "terrashot.papers.simtrans.bridges.similarity.SimNetSimilarity",
    "support_weighting": "terrashot.papers.simtrans.bridges.support_weighting.SimNetWeighting",
}


def sim_net_parts(settings: Settings) -> dict[str, Path]:
    """The SimNet checkpoint of each stage-2 group that uses one, checked.

    Raises:
        CheckpointError: there is none, or it was trained on features of another network.
    """
    return {
        group: pixel_sim_net(settings, config.get("checkpoint"))
        for group, target in _USERS.items()
        if (config := getattr(settings, group)) is not None and config.get("_target_") == target
    }


def part_config(settings: Settings, group: str) -> dict[str, Any] | None:
    """A group's settings, with the file of its SimNet where it uses one."""
    config = getattr(settings, group)
    path = sim_net_parts(settings).get(group) if group in _USERS else None
    return config if path is None else {**config, "checkpoint": str(path)}


def pixel_sim_net(settings: Settings, value: str | None) -> Path:
    """A SimNet for pixels that fits the run's stage-1 network and feature stride.

    Raises:
        CheckpointError: there is none, or it does not fit.
    """
    digest = file_digest(stage1_checkpoint(settings))
    path = find_sim_net(settings, PIXELS, value, digest)
    about = load_sim_net(path, PIXELS).about
    command = f"python run.py experiment=simnet units=pixels data={settings.data.name}"
    if about.get("stage1") != digest:
        raise CheckpointError(
            f"{path} is a SimNet for features of another stage-1 network than "
            f"{stage1_checkpoint(settings)}; on these its answers mean nothing. Name that network "
            f"with checkpoint=, or train a SimNet on this one: {command} checkpoint=..."
        )
    stride = settings.adaptation.feature_stride
    if about.get("feature_stride") != stride:
        raise CheckpointError(
            f"{path} was trained with adaptation.feature_stride={about.get('feature_stride')}, but "
            f"this run has {stride}. Use the same, or train another: {command} "
            f"adaptation.feature_stride={stride}".replace("None", "null")
        )
    return path


def window_sim_net(settings: Settings) -> TrainedSimNet:
    """The SimNet of a weak-shot run.

    Raises:
        CheckpointError: there is none.
    """
    assert settings.weak_shot is not None
    path = find_sim_net(settings, WINDOWS, settings.weak_shot.simnet)
    return load_sim_net(path, WINDOWS)


def find_sim_net(
    settings: Settings, units: str, value: str | None, stage1: str | None = None
) -> Path:
    """The checkpoint named, or that of the latest finished run for these units on this data.

    Args:
        settings: The run.
        units: ``windows`` or ``pixels``.
        value: A file, a run folder, or None or ``latest``.
        stage1: Where several would do, runs on the stage-1 checkpoint of this digest come first.

    Raises:
        CheckpointError: there is none.
    """
    if value is not None and value != "latest":
        return find_checkpoint(value)
    logs = Path(settings.paths.logs)
    runs = [
        run
        for run in finished_runs(logs, TASK, settings.data.name)
        if run.read_info().get("units") == units
    ]
    if not runs:
        raise CheckpointError(
            f"This run needs a SimNet for {units}, but {logs}/ holds no finished one on data="
            f"{settings.data.name}. Run `python run.py experiment=simnet units={units} "
            f"data={settings.data.name}` first, or name a run folder."
        )
    chosen = max(
        runs, key=lambda r: (r.read_info().get("stage1") == stage1, r.read_info().get("started"))
    )
    return find_checkpoint(str(chosen.path))


def needs_sim_net(settings: Settings) -> bool:
    """Whether a weak-shot run weighs windows or ties them by a graph."""
    options = settings.weak_shot
    return options is not None and (options.alpha > 0 or options.weights.get("kind") != "none")
