"""A part that a configuration names refuses numbers that make no sense, whatever the way in."""

import inspect
import math

import pytest
import yaml
from hydra.utils import get_object

from terrashot.build import build_part
from terrashot.errors import ConfigError
from terrashot.ranges import check_range

GROUPS = ["loss", "solver", "transition", "transduction", "similarity", "inference"]
# Parts that read a file first, and numbers that may be below 0.
NEGATIVE = {"threshold"}


def parts(folder):
    """Group, file name and settings of every part of these groups."""
    for group in GROUPS:
        for path in sorted((folder / group).glob("*.yaml")):
            values = yaml.safe_load(path.read_text())
            if "_target_" in values and not any("${" in str(v) for v in values.values()):
                yield group, path.stem, values


def numbers(values):
    """The numbers of a part, also those that its file leaves at their default."""
    known = inspect.signature(get_object(values["_target_"])).parameters
    given = {**{k: p.default for k, p in known.items()}, **values}
    return [k for k, v in given.items() if type(v) in (int, float)]


def test_no_part_takes_a_number_that_makes_no_sense(repository):
    seen = 0
    for group, name, values in parts(repository / "configs"):
        build_part(group, values)
        for key in numbers(values):
            wrong = [math.nan, math.inf, *([] if key in NEGATIVE else [-1])]
            for value in wrong:
                print(f"{group}={name}: {key}={value}")
                with pytest.raises(ConfigError, match=key):
                    build_part(group, {**values, key: value})
                seen += 1
    assert seen > 60


@pytest.mark.parametrize(
    ("rule", "changed", "said"),
    [
        ("minimum_size.MinimumSize", {"pixels": 0}, "minimum_size.pixels is 0"),
        ("minimum_size.MinimumSize", {"pixels": math.nan}, "minimum_size.pixels is nan"),
        ("fill_holes.FillHoles", {"max_pixels": -3}, "fill_holes.max_pixels is -3"),
        ("paste_masks.PasteMasks", {"min_pixels": -1}, "paste_masks.min_pixels is -1"),
        ("paste_masks.PasteMasks", {"min_pixels": 9, "max_pixels": 4}, "at least 9"),
        ("paste_masks.PasteMasks", {"value": 0.5}, "value is 0.5, but it must be a whole"),
    ],
)
def test_rules_of_the_map_refuse_it_too(rule, changed, said):
    values = {"_target_": f"terrashot.mapping.postprocess.{rule}"}
    if rule.startswith("paste"):
        values |= {"folder": "masks", "class_name": "road"}
    with pytest.raises(ConfigError, match=said):
        build_part("postprocess", values | changed)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 2, True, "1", None, [1]])
def test_what_is_no_number_of_the_range_is_refused(value):
    with pytest.raises(ConfigError, match=r"a\.b is .*, but it must be a number, at least 0"):
        check_range("a.b", value, at_least=0, below=2)


def test_a_whole_number_is_asked_for_where_it_counts_something():
    check_range("a", 3, whole=True)
    with pytest.raises(ConfigError, match="a whole number, above 2 and at most 9: sheep"):
        check_range("a", 3.0, whole=True, above=2, at_most=9, why="sheep")
