"""The settings of a stage-2 method from ``configs/``, as ``experiment=adapt`` composes them.

A method's file names the options of other groups in its defaults list, perhaps another method that
it starts from, and has values of its own beside it. Read with a few lines here, since nothing below
the command line knows Hydra; a test holds that both agree for every method.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from terrashot.configs_folder import configs_folder, find_option, options_of
from terrashot.errors import ConfigError

PARTS = ("similarity", "transition", "loss", "transduction", "solver", "support_weighting")
"""The groups whose objects a method is built with."""
_GROUPS = (*PARTS, "inference", "method")
_OVERRIDE = "override /"

Settings = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Reads ``1e-5`` as a number, as Hydra does; YAML 1.1 wants a point in it."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def method_settings(name: str, changes: Mapping[str, Any] | None = None) -> Settings:
    """The groups that a method is made of, and ``align_corners``, as plain values.

    Args:
        name: An option of ``configs/method``.
        changes: Other values by their dotted names, such as ``{"solver.iterations": 50}``.

    Returns:
        The settings of ``method``, ``inference`` and all of ``PARTS``, None where a group is null;
        ``adaptation`` holds what the method says of it.

    Raises:
        ConfigError: no such method, group option or setting.
    """
    files = _files(name)
    chosen = {
        **_defaults(_read(configs_folder() / "run.yaml"), ""),
        **{group: value for file in files for group, value in _defaults(file, _OVERRIDE).items()},
        # One head for all maps, whatever the method: its query losses have no query here.
        **{"transduction": _defaults(_adapt(), _OVERRIDE)["transduction"]},
    }
    found: Settings = {group: _option(group, chosen.get(group)) for group in PARTS}
    found["inference"] = _option("inference", chosen.get("inference"))
    found["adaptation"] = {}
    for method in files:
        for group, values in method.items():
            if group != "defaults":
                found[group] = {**(found.get(group) or {}), **values}
    for key, value in (changes or {}).items():
        _change(found, key, value)
    return found


def _files(name: str) -> list[Settings]:
    """A method's file, and before it that of the method that it starts from."""
    path = find_option("method", name)
    if path is None:
        known = options_of("method")
        close = difflib.get_close_matches(name, known, n=1)
        guess = f" Did you mean {close[0]}?" if close else ""
        raise ConfigError(
            f"method='{name}': there is no such method. Known are {', '.join(known)}.{guess}"
        )
    own = _read(path)
    started = [e for e in own["defaults"] if isinstance(e, str) and e != "_self_"]
    return [*(file for entry in started for file in _files(entry)), own]


def _adapt() -> Settings:
    return _read(configs_folder() / "experiment" / "adapt.yaml")


def _defaults(config: Settings, prefix: str) -> dict[str, str | None]:
    """The options that a defaults list chooses, by group."""
    entries = [entry for entry in config.get("defaults", []) if isinstance(entry, dict)]
    pairs = [(str(key), value) for entry in entries for key, value in entry.items()]
    return {
        key.removeprefix(prefix): value
        for key, value in pairs
        if key.startswith(prefix) and key.removeprefix(prefix) in _GROUPS
    }


def _option(group: str, option: str | None) -> Settings | None:
    """The settings of an option, with those of the options that it is built on before them."""
    if option is None:
        return None
    path = find_option(group, option)
    if path is None:
        raise ConfigError(
            f"{group}={option}: there is no such option. Known are {', '.join(options_of(group))}."
        )
    config = _read(path)
    merged: Settings = {}
    for entry in config.pop("defaults", []):
        if entry != "_self_":
            merged |= _option(group, entry) or {}
    return merged | config


def _change(settings: Settings, key: str, value: Any) -> None:  # noqa: ANN401 - a plain value
    group, _, name = key.partition(".")
    values = settings.get(group)
    if not isinstance(values, dict) or name not in values:
        known = [f"{g}.{n}" for g, v in settings.items() for n in v or {} if n != "_target_"]
        close = difflib.get_close_matches(key, known, n=2)
        guess = f" Did you mean {' or '.join(close)}?" if close else f" It has {', '.join(known)}."
        raise ConfigError(f"{key}: this method has no such setting.{guess}")
    settings[group] = {**values, name: value}


def _read(path: Path) -> Settings:
    with path.open(encoding="utf-8") as file:
        content = yaml.load(file, Loader=_Loader)
    return content or {}
