import pytest

from terrashot.app.config.checks import check_settings
from terrashot.app.config.compose import compose_settings
from terrashot.errors import CheckpointError, ConfigError, DataError


@pytest.fixture(scope="module")
def composed():
    """What runs that choose the same files share; composing takes longer than the checks."""
    return {}


@pytest.fixture
def check(repository, tmp_path, composed):
    def run(*overrides):
        logs = f"paths.logs={tmp_path / 'logs'}"
        check_settings(compose_settings(repository / "configs", [logs, *overrides], composed))

    return run


def test_the_default_of_stage_1_passes(check):
    check("experiment=stage1", "trainer.accelerator=cpu")


@pytest.mark.parametrize(
    ("overrides", "error", "said"),
    [
        (["trainer.devices=2"], ConfigError, "strategy=ddp"),
        (["strategy=fsdp", "trainer.accelerator=cpu"], ConfigError, "strategy=fsdp needs CUDA"),
        (["trainer.max_epochs=0"], ConfigError, "trainer.max_epochs"),
        (["method=classtrans"], ConfigError, "run experiment=.*stage2"),
        (["~backbone"], ConfigError, "backbone is null"),
        (["callbacks.monitor=val/miou"], ConfigError, "val/base_miou"),
        (["callbacks=ema", "callbacks.ema_decay=1"], ConfigError, "callbacks.ema_decay"),
        (["optimized_metric=test/novel_miou"], ConfigError, "optimized_metric"),
        (["data=openearthmap", "data.root=/nowhere"], DataError, "terrashot download openearthmap"),
        (["data=dubai", "data.split=train", "data.root=."], ConfigError, "data.split"),
    ],
)
def test_what_cannot_work_in_stage_1_is_found_at_once(check, overrides, error, said):
    with pytest.raises(error, match=said):
        check("experiment=stage1", *overrides)


def test_weights_that_are_divided_among_devices_are_not_averaged(check, monkeypatch):
    monkeypatch.setattr("terrashot.app.config.checks.resolve_accelerator", lambda _: "cuda")
    monkeypatch.setattr("terrashot.app.config.checks.device_count", lambda _: 1)
    with pytest.raises(ConfigError, match=r"callbacks\.ema_decay is 0\.999.*strategy=ddp"):
        check("experiment=stage1", "callbacks=ema", "strategy=fsdp")


@pytest.mark.parametrize("inside", ["", "/deeper"])
@pytest.mark.parametrize("key", ["logs", "run_folder", "feature_cache"])
def test_a_file_where_a_folder_is_needed_is_named(repository, tmp_path, key, inside):
    file = tmp_path / "file"
    file.touch()
    experiment = ["experiment=stage2", f"paths.{key}={file}{inside}"]
    with pytest.raises(ConfigError, match=rf"paths\.{key} is .*{file} is a file.*move the file"):
        check_settings(compose_settings(repository / "configs", experiment))


@pytest.mark.parametrize("key", ["logs", "feature_cache"])
def test_an_empty_folder_is_named(repository, key):
    settings = compose_settings(repository / "configs", ["experiment=stage2"])
    setattr(settings.paths, key, "")
    with pytest.raises(ConfigError, match=rf"paths\.{key} is empty"):
        check_settings(settings)


def test_stage_2_without_a_stage_1_run_names_the_command(check):
    with pytest.raises(CheckpointError, match=r"python run.py experiment=stage1 data=demo"):
        check("experiment=stage2")
    with pytest.raises(CheckpointError, match="no such file"):
        check("experiment=stage2", "checkpoint=nothing.ckpt")


def test_stage_2_refuses_a_backbone_of_its_own(check):
    with pytest.raises(ConfigError, match="backbone is no setting of experiment=stage2"):
        check("experiment=stage2", "backbone=resnet50")


def test_the_default_of_pretraining_passes(check):
    check("experiment=pretrain_false", "trainer.accelerator=cpu")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.batch_size=1"], r"holds 1 window.*data\.batch_size"),
        (["loss.top_k=127"], "a view has 126 negatives"),
        (["loss=ce"], "loss=calibrated"),
        (["loss.alpha=2"], r"loss\.alpha"),
        (["augmentation=default"], "two_views"),
        (["augmentation.scale_min=0"], r"augmentation\.scale_min"),
        (["decoder=fpn"], "decoder is no setting of experiment=pretrain_false"),
        (["method=classtrans"], "method is no setting of experiment=pretrain_false"),
        (["~optimizer"], "optimizer is null"),
        (["pretraining.window=8"], r"pretraining\.window"),
        (["pretraining.min_valid=2"], r"pretraining\.min_valid"),
        (["pretraining.head_hidden=0"], r"pretraining\.head_hidden"),
        (["callbacks.early_stopping_patience=3"], "early_stopping_patience"),
        (["callbacks.monitor=val/base_miou"], "val/knn_accuracy"),
        (["optimizer.lr_batch=0"], r"optimizer\.lr_batch"),
        (["data.train_share=0"], r"data\.train_share"),
    ],
)
def test_what_cannot_work_in_pretraining_is_found_at_once(check, overrides, said):
    with pytest.raises(ConfigError, match=said):
        check("experiment=pretrain_false", "trainer.accelerator=cpu", *overrides)


@pytest.mark.parametrize("experiment", ["stage1", "stage2"])
@pytest.mark.parametrize(
    ("option", "its"),
    [
        ("pretraining=small", "pretrain_false"),
        ("episodes=default", "sg_one"),
        ("units=pixels", "simnet"),
        ("noise=weak_rule", "weak_shot"),
        ("weak_shot=graph", "weak_shot"),
    ],
)
def test_groups_of_another_task_are_refused(check, experiment, option, its):
    with pytest.raises(ConfigError, match=f"or run experiment=.*{its}"):
        check(f"experiment={experiment}", option)
