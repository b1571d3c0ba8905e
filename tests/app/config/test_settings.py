"""Nothing that a user sets is ignored, and every number has its range."""

import math
from copy import deepcopy
from dataclasses import fields
from types import UnionType
from typing import get_args

import pytest
import yaml

from terrashot.app.config.compose import compose_settings
from terrashot.app.config.fields import check_ranges, field_types, group_type
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


def test_a_key_of_a_grid_is_asked_for_by_its_own_name(configs):
    """The grid's key is ``data.support_draw`` with its dot, which no override can name."""
    override = "sweep.grid.data.support_draw=[0]"
    with pytest.raises(ConfigError) as error:
        compose_settings(configs, ["experiment=ablation_method", override])
    message = str(error.value)
    assert "Did you mean data.support_draw" in message
    readers = message.partition("run experiment=")[2].partition(",")[0].split(" or ")
    assert len(readers) == len(set(readers))


def test_an_argument_that_a_file_leaves_out_is_added_by_a_plus(configs):
    given = ["experiment=stage2", "method=classtrans"]
    with pytest.raises(ConfigError, match=r"\+method\.scaling=VALUE sets it"):
        compose_settings(configs, [*given, "method.scaling=standardise"])
    settings = compose_settings(configs, [*given, "+method.scaling=standardise"])
    assert settings.method["scaling"] == "standardise"


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
    text = (copied / "data/dubai.yaml").read_text().replace("eval_batch_size:", "eval_batch_sise:")
    (copied / "data/dubai.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"data\.eval_batch_sise.*eval_batch_size"):
        compose_settings(copied, ["experiment=stage2", "data=dubai"])


def test_a_value_that_should_be_a_list_is_told_how_lists_are_typed(configs):
    with pytest.raises(ConfigError, match=r"data\.bands: a list .* such as data\.bands=\[1,2\]"):
        compose_settings(configs, ["experiment=stage1", "data=dubai", "data.bands=red"])


def _numbers_of(kind, prefix=""):
    """Key, field and type of every number of a Settings class, whatever its value."""
    types = field_types(kind)
    for item in fields(kind):
        hint = types[item.name]
        inner = group_type(hint)
        if inner is not None:
            yield from _numbers_of(inner, f"{prefix}{item.name}.")
        elif {int, float} & {hint, *(get_args(hint) if isinstance(hint, UnionType) else ())}:
            yield prefix + item.name, item


@pytest.mark.parametrize("task", all_tasks().values(), ids=lambda task: task.name)
def test_every_number_of_every_task_has_a_range_that_holds(configs, task):
    """Also those that are null by default; weak_shot.mu is a logarithm and may be anything."""
    # A task that stands for another runs on data of its kind, which a config is named after.
    data = [f"data={task.data_kinds[0]}", "data.root=."] if task.stands_for else []
    # A group that is null by default has its numbers where it is chosen.
    chosen = ["cluster=ray"] if hasattr(task.settings, "cluster") else []
    settings = compose_settings(configs, [f"experiment={task.experiment}", *data, *chosen])
    assert type(settings) is task.settings
    for key, item in _numbers_of(task.settings):
        bounds = {item.metadata[b] for b in ("at_least", "above") if b in item.metadata}
        assert bounds or key == "weak_shot.mu", f"{key} has no lower bound"
        for wrong in (math.nan, math.inf, -math.inf, *(low - 1 for low in bounds)):
            broken = deepcopy(settings)
            part = broken
            *groups, name = key.split(".")
            for group in groups:
                part = getattr(part, group)
            setattr(part, name, wrong)
            with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
                check_ranges(broken)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seed=-1", "seed is -1"),
        ("data.num_workers=-2", r"data\.num_workers is -2"),
        ("callbacks.panels=-1", r"callbacks\.panels is -1"),
        ("optimizer.lr=nan", r"optimizer\.lr is nan"),
        ("data.eval_size=7", r"data\.eval_size is 7.*at least 32"),
        ("data.crop=7", r"data\.crop is 7"),
        ("data.std=[0.1,nan,0.1]", r"data\.std\[1\] is nan"),
        ("loss.label_smoothing=nan", r"loss\.label_smoothing is nan"),
        ("trainer.limit_train_batches=inf", r"limit_train_batches is inf"),
        ("logger.mode=on", r"logger\.mode is 'on'.*offline"),
    ],
)
def test_a_number_out_of_its_range_is_named(configs, override, said):
    with pytest.raises(ConfigError, match=said):
        check_ranges(compose_settings(configs, ["experiment=stage1", override]))


@pytest.mark.parametrize(
    ("experiment", "override", "said"),
    [
        ("stage2", "adaptation.panels=-1", r"adaptation\.panels is -1"),
        ("stage2", "solver.lr=inf", r"solver\.lr is inf"),
        ("predict", "mapping.overlap=-8", r"mapping\.overlap is -8"),
        ("sg_one", "episodes.max_foreground=1.5", r"episodes\.max_foreground is 1\.5"),
    ],
)
def test_so_it_is_in_other_tasks(configs, experiment, override, said):
    settings = compose_settings(configs, [f"experiment={experiment}"])
    key, _, value = override.partition("=")
    *groups, name = key.split(".")
    part = settings
    for group in groups:
        part = part[group] if isinstance(part, dict) else getattr(part, group)
    value = float(value) if value == "inf" or "." in value else int(value)
    part.__setitem__(name, value) if isinstance(part, dict) else setattr(part, name, value)
    with pytest.raises(ConfigError, match=said):
        check_ranges(settings)


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
