"""A path on the command line is taken as it is, whatever its signs and whatever its key."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from terrashot.app.config.compose import compose_settings
from terrashot.app.config.paths import SHORT, as_grammar
from terrashot.app.config.typed import load_settings, save_settings
from terrashot.app.sweep.grid import split_overrides
from terrashot.errors import ConfigError

NAMES = [
    "lr=1e-3/epoch=3-step=10.ckpt",
    "tiles (2)/[new]",
    "a, b and c,d",
    "${x}/b${y",
    "final!",
    " two  spaces ",
    "tab\there",
    "it's 'quoted' \"twice\"",
    "'all of it'",
    "back\\slash\\",
    "a\\${x}",
    "scène ü 图",
    "1e3",
    "007",
    "true",
    "{a: 1}",
    "~home",
    "a:b#c%20",
]
FULL_OF_SYNTAX = "a=1 (b), 'c' [d] {e} ${x}!\t\"f\"\\"
KEYS = {
    "predict": ["ckpt", "input", "output", "paths.logs", "paths.data", "paths.run_folder"],
    "annotate": ["ckpt", "input", "labels", "output"],
    "stage2": ["checkpoint", "data.root", "resume", "similarity.cache"],
    "weak_shot": ["weak_shot.simnet", "backbone.weights"],
    "sg_one": ["episodes.trained"],
}


@pytest.fixture
def configs(repository):
    return repository / "configs"


def read(override):
    """Key and value as Hydra and then OmegaConf read them."""
    parsed = OverridesParser.create().parse_override(override)
    return parsed.get_key_element(), OmegaConf.create({"v": parsed.value()}).v


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """What stands in the current folder tells what is meant."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("experiment", KEYS)
def test_every_path_key_takes_a_name_that_is_full_of_syntax(configs, tmp_path, experiment):
    given = [f"{key}={FULL_OF_SYNTAX}" for key in KEYS[experiment]]
    further = ["similarity=clip_text"] if experiment == "stage2" else []
    settings = compose_settings(configs, [f"experiment={experiment}", *further, *given])
    for key in KEYS[experiment]:
        value = settings
        for name in SHORT.get(key, key).split("."):
            value = value[name] if isinstance(value, dict) else getattr(value, name)
        assert value == FULL_OF_SYNTAX, key
    save_settings(settings, tmp_path / "config.yaml")
    assert load_settings(tmp_path / "config.yaml") == settings


OWN = ("'all of it'", "{a: 1}", "a\\${x}")
"""Quotes, a dictionary, an escape: the user's own, unless such a thing is there."""


@pytest.mark.parametrize("name", [n for n in NAMES if n not in OWN])
@pytest.mark.parametrize("key", ["input", "output", "ckpt", "data.root", "paths.logs"])
def test_any_name_arrives_as_typed_though_nothing_is_there(name, key):
    assert read(as_grammar(f"{key}={name}")) == (SHORT.get(key, key), name)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_there_is_itself_whatever_it_looks_like(tmp_path, name):
    (tmp_path / name).mkdir(parents=True)
    once = as_grammar(f"input={name}")
    assert read(once) == ("input.path", name)
    assert as_grammar(once) == once  # a job of a multirun writes it a second time


def test_quotes_around_a_path_are_the_users_own():
    for text in ("'a, b'", '"a, b"'):
        assert read(as_grammar(f"output={text}")) == ("output.path", "a, b")


def test_null_is_no_path():
    assert read(as_grammar("checkpoint=null")) == ("checkpoint", None)


def test_references_to_settings_and_resolvers_still_work(configs, monkeypatch):
    monkeypatch.setenv("WORK", "/work (1)")
    overrides = ["paths.logs=${oc.env:WORK}/a=1", "output=${paths.logs}/maps ${x}"]
    settings = compose_settings(configs, ["experiment=predict", *overrides])
    assert settings.paths.logs == "/work (1)/a=1"
    assert settings.output.path == "/work (1)/a=1/maps ${x}"
    escaped = compose_settings(configs, ["experiment=predict", r"output=\${paths.logs}"])
    assert escaped.output.path == "${paths.logs}"


def test_a_dictionary_for_the_whole_group_is_no_path():
    given = "input={path: scenes, bands: [3, 2, 1]}"
    assert as_grammar(given) == given


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("w/epoch=9-step=10.pth", "w/epoch=9-step=10.pth"),
        ("true", True),
        ("null", None),
        ("fb_in22k", "fb_in22k"),
    ],
)
def test_weights_are_a_path_a_tag_or_a_truth_value(value, expected):
    assert read(as_grammar(f"backbone.weights={value}")) == ("backbone.weights", expected)


def test_folders_of_masks_are_paths_whatever_the_rule_is_called():
    key = "postprocess.rules.water.folder"
    assert read(as_grammar(f"{key}=m (1)/a=b")) == (key, "m (1)/a=b")


def test_keys_that_are_no_paths_keep_the_grammar(configs):
    assert as_grammar("seed=0,1", several=True) == "seed=0,1"
    assert as_grammar("input.scale=[0,3000]") == "input.scale=[0,3000]"
    with pytest.raises(ConfigError):
        compose_settings(configs, ["experiment=stage1", "seed=a=1"])


def test_a_plain_path_stays_as_typed_for_tables():
    assert as_grammar("ckpt=logs/stage1/latest") == "checkpoint=logs/stage1/latest"
    assert as_grammar("+output=maps") == "+output.path=maps"


# Multiruns


def test_a_path_with_a_comma_that_is_there_is_one_value_of_a_multirun(tmp_path):
    (tmp_path / "tiles, old").mkdir()
    fixed, varied = split_overrides(["data.root=tiles, old", "seed=0,1"])
    assert fixed == ["data.root='tiles, old'"]
    assert varied == {"seed": ["0", "1"]}


def test_a_folder_still_to_be_made_may_have_a_comma_in_a_multirun(tmp_path):
    fixed, varied = split_overrides(["paths.logs=logs,a", "paths.run_folder=b=1,c"])
    assert fixed == ["paths.logs='logs,a'", "paths.run_folder='b=1,c'"]
    assert not varied


@pytest.mark.parametrize("key", ["checkpoint", "ckpt"])
def test_runs_that_are_there_are_values_of_a_multirun(tmp_path, key):
    for name in ("one", "lr=2"):
        (tmp_path / name).mkdir()
    _, varied = split_overrides([f"{key}=one,lr=2,missing"])
    assert varied == {"checkpoint": ["one", "'lr=2'", "missing"]}


def test_values_of_a_multirun_may_be_marked_as_such():
    for text in ("choice(a,b)", "'a','b'"):
        _, varied = split_overrides([f"checkpoint={text}"])
        assert [v.strip("'") for v in varied["checkpoint"]] == ["a", "b"]
    _, varied = split_overrides(["backbone.weights=null,fb_in22k"])
    assert varied == {"backbone.weights": ["null", "fb_in22k"]}
