"""From the command line to typed settings: Hydra composes, mistakes become one clear paragraph."""

import contextlib
import copy
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from terrashot.app.config.groups import (
    check_group_names,
    group_options,
    option_files,
    search_path,
)
from terrashot.app.config.paths import SHORT, as_grammar
from terrashot.app.config.typed import task_of, to_settings, unknown_key
from terrashot.app.tasks.registry import all_tasks, find_task
from terrashot.errors import ConfigError
from terrashot.tasks.settings.runs import RunSettings

JOINT = ("method=terrashot_joint", "transduction=keep_base")
"""What ``experiment=adapt`` learns with where ``input=`` has unlabelled tiles for it."""

Composed = dict[tuple[str, ...], DictConfig]
"""What was composed already, by the overrides that choose files and not values."""


def compose_settings(
    configs: Path, overrides: list[str], composed: Composed | None = None
) -> RunSettings:
    """Compose ``configs/run.yaml`` with the overrides of one run.

    Args:
        configs: The folder of configs.
        overrides: Those of the run.
        composed: Shared by runs that choose the same files, most of what composing costs.

    Raises:
        ConfigError: an unknown group option or key, one that the task does not read, a wrong
            type, a value that is not set.
        DataError: what the settings leave to the data can't be read from them.
    """
    raw = compose_raw(configs, overrides, composed)
    given = given_keys(configs, overrides)
    settings = to_settings(raw, given, experiment_keys(configs, overrides))
    find_task(settings.task).fill_in(settings)
    return settings


def compose_raw(
    configs: Path, overrides: list[str], composed: Composed | None = None
) -> DictConfig:
    """The same, unresolved and not yet checked, with Hydra's own part ``hydra``.

    Where ``composed`` is given, that part does not know of values that were set.

    Raises:
        ConfigError: an unknown group option or key.
    """
    check_group_names(configs, overrides)
    full = in_full(configs, overrides)
    try:
        if composed is None:
            return _compose(configs, full)
        parsed = OverridesParser.create().parse_overrides(full)
        groups = group_options(configs)
        values = [override for override in parsed if _sets_a_value(override, groups)]
        files = tuple(str(o.input_line) for o in parsed if o not in values)
        if files not in composed:
            composed[files] = _compose(configs, list(files))
        config = copy.deepcopy(composed[files])
        # As Hydra does it itself, after the files.
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        return config
    except HydraException as error:
        raise ConfigError(_explain(configs, overrides, error)) from error
    except (OmegaConfBaseException, ValueError) as error:
        raise ConfigError(_one_line(str(error))) from error


def _compose(configs: Path, full: list[str]) -> DictConfig:
    # A multirun job composes inside Hydra's own run, whose state must survive.
    if GlobalHydra.instance().is_initialized():
        return compose(config_name="run", overrides=full, return_hydra_config=True)
    with initialize_config_dir(str(configs.resolve()), version_base="1.3"):
        return compose(config_name="run", overrides=full, return_hydra_config=True)


def _sets_a_value(override: Override, groups: Collection[str]) -> bool:
    """Whether an override changes a value of a task, and nothing else."""
    key = override.key_or_group
    plain = override.type in (OverrideType.CHANGE, OverrideType.FORCE_ADD)
    foreign = override.is_hydra_override() or override.package is not None
    single = plain and not foreign and not override.is_sweep_override()
    return single and "/" not in key and key not in groups


def given_keys(configs: Path, overrides: list[str]) -> list[str]:
    """The dotted keys and groups that the command line sets."""
    files = option_files(configs)
    found: list[str] = []
    for override in overrides:
        key, _, value = override.partition("=")
        key = SHORT.get(key, key).lstrip("+~").partition("@")[0]
        if key in ("experiment", "launcher") or re.match(r"hydra\b", key):
            continue  # keys of its own, see below; where jobs run
        if key not in files or value not in ("null", ""):
            found.append(key)
    return found


def experiment_keys(configs: Path, overrides: list[str]) -> list[str]:
    """The dotted keys that the file of the experiment sets."""
    files = option_files(configs)["experiment"]
    chosen = (o.partition("=") for o in overrides)
    return [
        found
        for key, _, name in chosen
        if key.lstrip("+~") == "experiment"
        for found in _keys_of_experiment(files, name)
    ]


def _keys_of_experiment(files: dict[str, Path], name: str) -> Iterator[str]:
    """What an experiment's file sets, and those of the experiments that it starts from."""
    if name not in files:
        return
    content = yaml.safe_load(files[name].read_text(encoding="utf-8")) or {}
    for entry in content.pop("defaults", []):
        if isinstance(entry, str):
            yield from _keys_of_experiment(files, entry)
    content.pop("hydra", None)
    yield from _leaves(content, "")


def _leaves(values: dict[str, Any], prefix: str) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + str(key)


def in_full(configs: Path, overrides: list[str]) -> list[str]:
    """The overrides of a run as Hydra takes them.

    Short names become full ones, a path keeps whatever characters it is made of, and a group that
    is null on the command line, which Hydra refuses, is left out.
    """
    groups = group_options(configs)
    left_out = {f"{group}=null": f"~{group}" for group in groups}
    full = (left_out.get(o) or _added(as_grammar(o)) for o in overrides)
    return [search_path(), *full, *_for_input(overrides)]


def _for_input(overrides: list[str]) -> list[str]:
    """The method of an adaptation that is given tiles to learn from, unless one is named."""
    pairs = (override.partition("=") for override in overrides)
    given = {SHORT.get(key, key): value for key, _, value in pairs}
    learns = given.get("experiment") == "adapt" and given.get("input.path") not in (None, "null")
    return list(JOINT) if learns and not {"method", "transduction"} & given.keys() else []


def _added(override: str) -> str:
    """A dataset's file need not name what has a default; what no task knows is found later."""
    return f"++{override}" if override.startswith("data.") else override


def _explain(configs: Path, overrides: list[str], error: HydraException) -> str:
    text = str(error)
    found = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)'", text)
    if found is None:
        return _one_line(text)
    key = found.group(1).partition("@")[0]
    values = _plain_run(configs, overrides)
    kind = all_tasks()[values["task"]].settings if values else None
    if kind is None:
        return f"{key}: there is no such setting."
    return unknown_key(kind, key, values, _leaves(values, ""))


def _plain_run(configs: Path, overrides: list[str]) -> dict[str, Any]:
    """The run without what Hydra refused: its groups alone, as plain values; empty if even that."""
    groups = group_options(configs)
    chosen = [o for o in overrides if o.partition("=")[0].lstrip("+~") in groups]
    config = None
    for kept in (chosen, [o for o in chosen if o.startswith("experiment=")]):
        full = in_full(configs, kept)
        with (
            contextlib.suppress(HydraException, OmegaConfBaseException, ValueError),
            initialize_config_dir(str(configs.resolve()), version_base="1.3"),
        ):
            config = compose(config_name="run", overrides=full)
            break
    if config is None:
        return {}
    plain = OmegaConf.to_container(config)
    assert isinstance(plain, dict)
    values = {str(k): v for k, v in plain.items()}
    return {**values, "task": task_of(config).name} if values.get("task") in all_tasks() else {}


def _one_line(text: str) -> str:
    return " ".join(text.split())
