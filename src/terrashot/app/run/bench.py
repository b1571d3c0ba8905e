"""What a task asks of the program: parts built from settings, checkpoints and runs found."""

from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.utils import get_object

from terrashot.app.run.folder import finished_runs, latest_finished
from terrashot.build import build_part
from terrashot.data.imagery import Imagery
from terrashot.errors import CheckpointError, ConfigError
from terrashot.image_spec import ImageSpec
from terrashot.model.stage1_file import find_checkpoint, load_base_spec
from terrashot.tasks.bench import FinishedRun
from terrashot.tasks.of_data import training_images
from terrashot.tasks.settings.data import TrainingData
from terrashot.tasks.settings.runs import LoggedSettings, RunSettings, TileSettings

STAGE1 = "base_segmentation"


class SettingsBench:
    """See ``terrashot.tasks.bench.Bench``.

    Args:
        settings: Of the run.
    """

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings

    def build(self, group: str, **extra: Any) -> Any:  # noqa: ANN401 - what its _target_ names
        """See ``Bench``."""
        config = getattr(self.settings, group)
        if config is None:
            return None
        if group in self._files:
            config = {**config, "checkpoint": str(self._files[group])}
        return build_part(group, config, **extra)

    def files(self) -> list[Path]:
        """See ``Bench``."""
        return list(self._files.values())

    @cached_property
    def _files(self) -> dict[str, Path]:
        """The file of each part that is built from one, by group."""
        found = {}
        for group, config in vars(self.settings).items():
            if not isinstance(config, dict) or "_target_" not in config:
                continue
            find = getattr(_class(group, config["_target_"]), "find_file", None)
            if find is not None:
                found[group] = find(config.get("checkpoint"), self)
        return found

    def stage1_checkpoint(self) -> Path:
        """See ``Bench``."""
        settings = self.settings
        assert isinstance(settings, LoggedSettings)
        given = getattr(settings, "checkpoint", None)
        if given is not None and given != "latest":
            return find_checkpoint(given)
        data = settings.data.name
        run = latest_finished(Path(settings.paths.logs), STAGE1, data)
        if run is None:
            raise CheckpointError(
                f"Stage 2 needs a stage-1 checkpoint, but {settings.paths.logs}/ holds no finished "
                f"stage-1 run on data={data}. Run `python run.py experiment=stage1 data={data}` "
                "first, or name a checkpoint with checkpoint=PATH."
            )
        return find_checkpoint(str(run.path))

    def image_spec(self) -> ImageSpec:
        """See ``Bench``."""
        settings = self.settings
        assert isinstance(settings, TileSettings)
        data = settings.data
        if not isinstance(data, TrainingData):
            return load_base_spec(self.stage1_checkpoint()).read_as(data.bands, "data.bands")
        imagery = Imagery(data.bands, data.scale, data.mean, data.std, data.rgb)
        root = Path(data.root)
        made = data.demo_seed is None or (root / "train.txt").is_file()
        return imagery.spec(training_images(settings) if made else None, root)

    def finished_runs(self, task: str) -> list[FinishedRun]:
        """See ``Bench``."""
        settings = self.settings
        assert isinstance(settings, LoggedSettings)
        runs = finished_runs(Path(settings.paths.logs), task, settings.data.name)
        return [FinishedRun(run.path, run.read_info()) for run in runs]


def _class(group: str, target: str) -> Any:  # noqa: ANN401 - whatever it names
    try:
        return get_object(target)
    except Exception as error:  # Hydra raises what it likes
        raise ConfigError(
            f"{group}._target_ is '{target}', but no such class can be imported ({error}). Name a "
            f"class as the files of configs/{group}/ do: package.module.Class."
        ) from error
