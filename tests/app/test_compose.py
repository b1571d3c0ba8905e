import pytest

from terrashot.app.compose import compose_settings, group_options, load_settings, save_settings
from terrashot.app.kinds.registry import task_kind
from terrashot.errors import ConfigError


@pytest.fixture
def configs(repository):
    return repository / "configs"


def test_every_experiment_composes_into_checked_settings(configs):
    for experiment in group_options(configs)["experiment"]:
        settings = compose_settings(configs, [f"experiment={experiment}"])
        assert settings.name == experiment
        assert task_kind(settings).name == settings.task


def test_every_option_of_every_group_composes(configs):
    of_stage_2 = {"method", "similarity", "transition", "transduction", "solver", "inference"}
    for group, options in group_options(configs).items():
        stage = 2 if group in of_stage_2 else 1
        for option in options:
            if group == "experiment":
                continue
            views = group == "augmentation" and option.startswith("two_views")
            experiment = "pretrain_false" if views else f"stage{stage}"
            overrides = [f"experiment={experiment}", f"{group}={option}"]
            if group == "launcher":  # where jobs run; nothing of a job's own settings
                compose_settings(configs, overrides)
                continue
            if (group, option) == ("backbone", "timm"):
                overrides.append("backbone.name=resnet18")
            assert getattr(compose_settings(configs, overrides), group) is not None


def test_every_option_opens_with_a_line_that_describes_it(configs):
    from terrashot.app.overview import describe_option

    for group, options in group_options(configs).items():
        for option in options:
            assert len(describe_option(configs / group / f"{option}.yaml")) > 10, (group, option)


@pytest.mark.parametrize("path", ["scenes/*.tif", "a b/c,d.tif", "it's (new)=1.tif", "x[1].tif"])
def test_short_names_are_written_out_and_paths_keep_their_characters(configs, path):
    overrides = [f"input={path}", "input.scale=[0,3000]", "output=maps", "ckpt=a.ckpt"]
    settings = compose_settings(configs, ["experiment=predict", *overrides])
    assert settings.input.path == path
    assert settings.input.scale == [0, 3000]
    assert (settings.output.path, settings.checkpoint) == ("maps", "a.ckpt")


def test_the_command_line_wins_over_the_methods_choice_of_a_loss(configs):
    method = compose_settings(configs, ["experiment=stage2", "method=classtrans"])
    chosen = compose_settings(configs, ["experiment=stage2", "method=classtrans", "loss=ce"])
    assert "LDAM" in method.loss["_target_"]
    assert "CrossEntropy" in chosen.loss["_target_"]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("trainer.max_epoch=3", "trainer.max_epochs"),
        ("backbone=mobilenet", "mobilenetv2"),
        ("data=openearthmaps", "openearthmap"),
        ("trainer.max_epochs=many", "trainer.max_epochs"),
        ("+trainer.nodes=2", "trainer.nodes"),
        ("stage1", "key=value"),
        ("seed=1.5", "seed"),
    ],
)
def test_a_mistaken_override_is_named_with_its_remedy(configs, override, said):
    with pytest.raises(ConfigError) as error:
        compose_settings(configs, ["experiment=stage1", override])
    message = str(error.value)
    assert said in message
    assert "\n" not in message


def test_no_experiment_is_an_error_that_names_one(configs):
    with pytest.raises(ConfigError, match="experiment=stage1"):
        compose_settings(configs, ["seed=1"])


def test_saved_settings_come_back_equal_and_take_overrides(configs, tmp_path):
    settings = compose_settings(configs, ["experiment=stage1", "data.batch_size=3"])
    save_settings(settings, tmp_path / "config.yaml")
    assert load_settings(tmp_path / "config.yaml") == settings
    changed = load_settings(tmp_path / "config.yaml", ["trainer.devices=2"])
    assert changed.trainer.devices == 2
    with pytest.raises(ConfigError, match=r"trainer\.device"):
        load_settings(tmp_path / "config.yaml", ["trainer.device=2"])


def test_a_group_is_left_out_with_null(repository):
    settings = compose_settings(
        repository / "configs", ["experiment=stage2", "inference=null", "postprocess=null"]
    )
    assert settings.inference is None
    assert settings.postprocess is None
