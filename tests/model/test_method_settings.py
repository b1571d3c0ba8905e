"""A method's settings, read without Hydra, are those that ``experiment=adapt`` composes."""

import pytest

from terrashot.app.config.compose import compose_settings
from terrashot.configs_folder import configs_folder, options_of
from terrashot.errors import ConfigError
from terrashot.model.method_settings import PARTS, method_settings


@pytest.mark.parametrize("name", options_of("method"))
def test_every_method_is_read_as_hydra_composes_it(name):
    composed = compose_settings(configs_folder(), ["experiment=adapt", f"method={name}"])
    found = method_settings(name)
    for group in (*PARTS, "inference", "method"):
        assert found[group] == getattr(composed, group), group
    for key, value in found["adaptation"].items():
        assert getattr(composed.adaptation, key) == value
    assert composed.adaptation.align_corners == found["adaptation"].get("align_corners")


def test_other_values_are_taken_and_the_configuration_stays():
    changed = method_settings("terrashot", {"solver.iterations": 3, "inference.flips": "none"})
    assert changed["solver"]["iterations"] == 3
    assert changed["inference"]["flips"] == "none"
    assert method_settings("terrashot")["solver"]["iterations"] == 30


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("terashot", {}, "no such method.*Did you mean terrashot"),
        ("terrashot", {"solver.iteration": 3}, r"Did you mean solver\.iterations"),
        ("ridge", {"solver.iterations": 3}, "no such setting"),
    ],
)
def test_unknown_names_are_told(name, changes, words):
    with pytest.raises(ConfigError, match=words):
        method_settings(name, changes)
