"""Which stage-1 checkpoint a run starts from."""

from pathlib import Path

from terrashot.app.kinds.base_segmentation import BaseSegmentationKind
from terrashot.app.run_folder import latest_finished
from terrashot.app.settings import Settings
from terrashot.errors import CheckpointError
from terrashot.model.stage1_file import find_checkpoint


def stage1_checkpoint(settings: Settings) -> Path:
    """The checkpoint that stage 2 starts from: the one named, or the latest on this data.

    Raises:
        CheckpointError: there is none.
    """
    if settings.checkpoint is not None and settings.checkpoint != "latest":
        return find_checkpoint(settings.checkpoint)
    run = latest_finished(Path(settings.paths.logs), BaseSegmentationKind.name, settings.data.name)
    if run is None:
        raise CheckpointError(
            f"Stage 2 needs a stage-1 checkpoint, but {settings.paths.logs}/ holds no finished "
            f"stage-1 run on data={settings.data.name}. Run `python run.py experiment=stage1 "
            f"data={settings.data.name}` first, or name a checkpoint with checkpoint=PATH."
        )
    return find_checkpoint(str(run.path))
