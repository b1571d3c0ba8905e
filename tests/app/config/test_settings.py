"""Nothing that a user sets is ignored, and every number has its range."""

from copy import deepcopy

import pytest
import yaml

from terrashot.app.config.compose import compose_settings
from terrashot.app.config.fields import check_ranges, values_of
from terrashot.app.config.typed import load_settings, save_settings
from terrashot.app.sweep.plan import plan_sweep
from terrashot.app.tasks.registry import all_tasks
from terrashot.errors import ConfigError


@pytest.fixture
def configs(repository):
    return repository / "configs"


@pytest.mark.parametrize(
    ("experiment", "override", "reader"),
    [
        ("simnet", "loss=ce", "stage1"),
        ("weak_shot", "loss=focal", "stage1"),
        ("stage2", "optimizer=sgd", "stage1"),
        ("stage2", "scheduler=poly", "stage1"),
        ("stage2", "mapping=best", "predict"),
        ("pretrain_false", "guidance=cosine", "stage2"),
        ("pretrain_false", "support_weighting=simnet", "stage2"),
        ("adapt", "guidance=cosine", "stage2"),
        ("stage1", "adapt.sample=3", "adapt"),
        ("stage1", "checkpoint=latest", "stage2"),
        ("stage2", "data.crop=64", "stage1"),
        ("stage1", "data.window=64", "simnet"),
        ("predict", "data=dubai", "stage1"),
        ("weak_shot", "callbacks.panels=3", "stage1"),
    ],
)
def test_g1_what_a_task_does_not_read_is_refused(configs, experiment, override, reader):
    key = override.partition("=")[0]
    with pytest.raises(ConfigError, match=f"{key} is no setting of experiment={experiment}") as e:
        compose_settings(configs, [f"experiment={experiment}", override])
    assert reader in str(e.value)


def test_g1_a_multirun_over_an_option_that_is_not_read_runs_no_job(configs, tmp_path):
    fixed = ["experiment=weak_shot", f"paths.logs={tmp_path}"]
    with pytest.raises(ConfigError, match="loss is no setting of experiment=weak_shot"):
        plan_sweep(configs, fixed, {"loss": ["ce", "focal"]}, {})
    assert not any(tmp_path.iterdir())


def test_a_key_of_an_experiments_own_file_is_held_to_the_same_rule(configs, tmp_path):
    import shutil

    copied = tmp_path / "configs"
    shutil.copytree(configs, copied)
    text = "# @package _global_\n# mine\ndefaults: [stage2]\nname: mine\ndata: {crop: 64}\n"
    (copied / "experiment/mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"data\.crop is no setting of experiment=mine"):
        compose_settings(copied, ["experiment=mine"])


def test_a_misspelled_key_of_a_datasets_file_is_named(configs, tmp_path):
    import shutil

    copied = tmp_path / "configs"
    shutil.copytree(configs, copied)
    text = (copied / "data/dubai.yaml").read_text().replace("eval_size:", "eval_sise:")
    (copied / "data/dubai.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"data\.eval_sise.*eval_size"):
        compose_settings(copied, ["experiment=stage2", "data=dubai"])


def _settings_of(configs):
    for task in all_tasks().values():
        yield compose_settings(configs, [f"experiment={task.experiment}"])


def test_every_number_of_every_task_has_a_range_that_holds(configs):
    free = {"episodes.min_pixels", "episodes.max_foreground", "weak_shot.mu", "mapping.window",
            "mapping.overlap", "mapping.norm_side"}  # fmt: skip
    # Those above are held where they are used: they must fit other settings.
    for settings in _settings_of(configs):
        for key, item, value in values_of(settings):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or key in free:
                continue
            bounds = {b for b in ("at_least", "above") if b in item.metadata}
            assert bounds, f"{key} of {settings.task} has no lower bound"
            broken = deepcopy(settings)
            part = broken
            *groups, name = key.split(".")
            for group in groups:
                part = getattr(part, group)
            setattr(part, name, min(item.metadata[b] for b in bounds) - 1)
            with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
                check_ranges(broken)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seed=-1", "seed is -1"),
        ("data.num_workers=-2", r"data\.num_workers is -2"),
        ("callbacks.panels=-1", r"callbacks\.panels is -1"),
        ("optimizer.lr=nan", r"optimizer\.lr is nan"),
        ("logger.mode=on", r"logger\.mode is 'on'.*offline"),
    ],
)
def test_a_number_out_of_its_range_is_named(configs, override, said):
    with pytest.raises(ConfigError, match=said):
        check_ranges(compose_settings(configs, ["experiment=stage1", override]))


def test_a_configuration_of_version_0_1_still_loads(configs, tmp_path):
    """It names classes by their old places and holds groups that its task never read."""
    now = compose_settings(configs, ["experiment=stage2", "guidance=cosine", "data.demo_seed=0"])
    save_settings(now, tmp_path / "config.yaml")
    old = yaml.safe_load((tmp_path / "config.yaml").read_text())
    old["method"]["_target_"] = "terrashot.adaptation.gradient_adapter.GradientAdapter"
    old["guidance"]["_target_"] = "terrashot.adaptation.guidance.CosineGuidance"
    old["solver"]["_target_"] = "terrashot.adaptation.lbfgs.Lbfgs"
    old["data"] |= {"crop": 192, "mean": [0.4, 0.4, 0.4], "std": [0.1, 0.1, 0.1]}
    old["data"]["taxonomy"]["ignore_index"] = 255
    old |= {"episodes": None, "optimizer": {"name": "adamw", "lr": 0.1}, "backbone": None}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(old))
    assert load_settings(tmp_path / "config.yaml") == now
