import pytest

from terrashot.app.checks import check_settings
from terrashot.app.compose import compose_settings
from terrashot.errors import CheckpointError, ConfigError, DataError


@pytest.fixture
def check(repository, tmp_path):
    def run(*overrides):
        logs = f"paths.logs={tmp_path / 'logs'}"
        check_settings(compose_settings(repository / "configs", [logs, *overrides]))

    return run


def test_the_default_of_stage_1_passes(check):
    check("experiment=stage1", "trainer.accelerator=cpu")


@pytest.mark.parametrize(
    ("overrides", "error", "said"),
    [
        (["trainer.devices=2"], ConfigError, "strategy=ddp"),
        (["strategy=fsdp", "trainer.accelerator=cpu"], ConfigError, "strategy=fsdp needs CUDA"),
        (["trainer.max_epochs=0"], ConfigError, "trainer.max_epochs"),
        (["method=classtrans"], ConfigError, "stage 2"),
        (["~backbone"], ConfigError, "backbone is null"),
        (["callbacks.monitor=val/miou"], ConfigError, "val/base_miou"),
        (["optimized_metric=test/novel_miou"], ConfigError, "optimized_metric"),
        (["data=openearthmap", "data.root=/nowhere"], DataError, "download_openearthmap"),
        (["data=dubai", "data.split=train", "data.root=."], ConfigError, "data.split"),
    ],
)
def test_what_cannot_work_in_stage_1_is_found_at_once(check, overrides, error, said):
    with pytest.raises(error, match=said):
        check("experiment=stage1", *overrides)


def test_stage_2_without_a_stage_1_run_names_the_command(check):
    with pytest.raises(CheckpointError, match=r"python run.py experiment=stage1 data=demo"):
        check("experiment=stage2")
    with pytest.raises(CheckpointError, match="no such file"):
        check("experiment=stage2", "checkpoint=nothing.ckpt")


def test_stage_2_refuses_a_backbone_of_its_own(check):
    with pytest.raises(ConfigError, match="checkpoint describes"):
        check("experiment=stage2", "backbone=resnet50")
