from itertools import zip_longest

import pytest
import shapely
import yaml

from terrashot.app.config.compose import compose_settings
from terrashot.app.config.fields import has_key
from terrashot.app.config.groups import group_options, option_files
from terrashot.app.config.typed import load_settings, save_settings
from terrashot.app.tasks.registry import all_tasks, find_task
from terrashot.errors import ConfigError


@pytest.fixture
def configs(repository):
    return repository / "configs"


def test_every_experiment_composes_into_checked_settings(configs):
    for experiment in group_options(configs)["experiment"]:
        settings = compose_settings(configs, [f"experiment={experiment}"])
        assert settings.name == experiment
        assert find_task(settings.task).name == settings.task


def test_every_option_of_every_group_composes(configs, write_layer):
    layer = write_layer([shapely.box(0, 0, 9, 9)], ["field"])
    given = {
        ("backbone", "timm"): ["backbone.name=resnet18"],
        ("data", "scenes"): [f"data.scenes.labels={layer}"],
    }
    files = option_files(configs)
    chosen: dict[str, dict[str, list[list[str]]]] = {}  # by experiment and group
    for group, options in group_options(configs).items():
        if group in ("experiment", "launcher"):  # a launcher sets nothing of a job's own
            continue
        readers = [t for t in all_tasks().values() if has_key(t.settings, group)]
        for option in options:
            content = yaml.safe_load(files[group][option].read_text()) or {}
            kind = content.get("kind", "tiles") if group == "data" else "tiles"
            reader = next(t.experiment for t in readers if kind in t.data_kinds)
            root = ["data.root=."] if content.get("root") == "???" else []
            overrides = [f"{group}={option}", *root, *given.get((group, option), [])]
            chosen.setdefault(reader, {}).setdefault(group, []).append(overrides)
    for experiment, groups in chosen.items():
        # An option of each group at a time, since composing takes long.
        for together in zip_longest(*groups.values()):
            overrides = [o for options in together for o in options or []]
            settings = compose_settings(configs, [f"experiment={experiment}", *overrides])
            for group, options in zip(groups, together, strict=True):
                assert options is None or getattr(settings, group) is not None, overrides


def test_every_launcher_goes_with_every_stage(configs):
    for option in group_options(configs)["launcher"]:
        for experiment in ("stage1", "stage2"):
            compose_settings(configs, [f"experiment={experiment}", f"launcher={option}"])


def test_every_option_opens_with_a_line_that_describes_it(configs):
    from terrashot.app.config.groups import describe_option

    for group, files in option_files(configs).items():
        for option, path in files.items():
            assert len(describe_option(path)) > 10, (group, option)


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
    ("overrides", "method", "distillation"),
    [
        ([], "terrashot", 0.0),
        (["input=city.tif"], "terrashot_joint", 0.15),
        (["input.path=queries", "solver.penalty=1"], "terrashot_joint", 0.15),
        (["input=null"], "terrashot", 0.0),
        (["input=city.tif", "method=diam"], "diam", 0.0),
        (["input=city.tif", "transduction=diam"], "terrashot", 100.0),
    ],
)
def test_an_adaptation_with_tiles_to_learn_from_learns_jointly(
    configs, overrides, method, distillation
):
    settings = compose_settings(configs, ["experiment=adapt", *overrides])
    assert settings.method["name"] == method
    assert settings.transduction["distillation"] == distillation
    assert (settings.adaptation.joint is not None) == (method == "terrashot_joint")


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


def test_jobs_that_choose_the_same_files_share_what_is_composed_and_differ_in_nothing(configs):
    shared = {}
    jobs = [
        ["experiment=stage2", "method=diam", f"seed={seed}", f"solver.lr={rate}", *further]
        for seed, rate, further in (
            (0, "1e-3", []),
            (1, "2e-3", ["data.support_draw=3", "tags=[a,b]"]),
            (2, "1e-3", ["data=dubai", "adaptation.feature_stride=16"]),
        )
    ]
    for job in jobs:
        assert compose_settings(configs, job, shared) == compose_settings(configs, job)
    assert len(shared) == 2  # data=dubai reads another file
    with pytest.raises(ConfigError, match=r"solver\.lrr"):
        compose_settings(configs, [*jobs[0], "solver.lrr=1"], shared)
