"""An experiment on data of another kind is run by the task that takes its place there."""

from dataclasses import dataclass, field

import pytest

from terrashot.app.config import compose, typed
from terrashot.app.config.compose import compose_settings
from terrashot.app.tasks import registry
from terrashot.errors import ConfigError
from terrashot.tasks.settings.data import DatasetSettings
from terrashot.tasks.settings.field import setting
from terrashot.tasks.settings.runs import OptimizedSettings
from terrashot.tasks.task import Task


@dataclass
class ScanData(DatasetSettings):
    depth: int = setting(3, at_least=1)


@dataclass
class ScanSettings(OptimizedSettings):
    data: ScanData = field(default_factory=ScanData)


class ScanTask(Task[ScanSettings]):
    name = "scan"
    experiment = "stage1"
    settings = ScanSettings
    data_kinds = ("scans",)
    stands_for = "base_segmentation"

    def metrics(self, settings):
        return []

    def run(self, settings, run):
        raise NotImplementedError

    def sweep_score(self, settings):
        return ""


@pytest.fixture
def scans(repository, tmp_path, monkeypatch):
    """``data=scans`` in a folder of the user's own, and a task that reads it."""
    own = tmp_path / "configs" / "data"
    own.mkdir(parents=True)
    (own / "scans.yaml").write_text("# a scan\nname: scans\nkind: scans\nroot: .\ndepth: 5\n")
    (own / "odd.yaml").write_text("# of no task\nname: odd\nkind: paintings\nroot: .\n")
    monkeypatch.chdir(tmp_path)
    tasks = {**registry.all_tasks(), "scan": ScanTask()}
    for module in (registry, typed, compose):
        monkeypatch.setattr(module, "all_tasks", lambda: tasks)
    return repository / "configs"


def test_the_task_that_reads_the_data_takes_the_place_of_the_one_named(scans):
    settings = compose_settings(scans, ["experiment=stage1", "data=scans"])
    assert type(settings) is ScanSettings
    assert (settings.task, settings.data.depth, settings.name) == ("scan", 5, "stage1")
    assert settings.optimizer.name == "adamw"


def test_what_it_does_not_read_is_refused_on_the_command_line_alone(scans):
    with pytest.raises(ConfigError, match="loss is no setting of experiment=stage1 with data"):
        compose_settings(scans, ["experiment=stage1", "data=scans", "loss=focal"])
    with pytest.raises(ConfigError, match=r"data\.crop is no setting.*stage1 on tiles"):
        compose_settings(scans, ["experiment=stage1", "data=scans", "data.crop=64"])


@pytest.mark.parametrize(
    ("experiment", "data", "message"),
    [
        ("stage2", "scans", r"data\.kind is 'scans', but experiment=stage2 reads tiles.*stage1"),
        (
            "stage1",
            "odd",
            r"data\.kind is 'paintings'.*kind is one of .*scans, scenes, tiles",
        ),
    ],
)
def test_data_that_no_task_reads_so_is_refused(scans, experiment, data, message):
    with pytest.raises(ConfigError, match=message):
        compose_settings(scans, [f"experiment={experiment}", f"data={data}"])
