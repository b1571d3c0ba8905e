"""From the command line to typed settings: Hydra composes, mistakes become one clear paragraph."""

import difflib
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from terrashot.app.settings import Settings
from terrashot.errors import ConfigError
from terrashot.files import atomic_write

# Short names of settings, as people write them: `input=scenes input.scale=[0,3000]`.
_SHORT = {"ckpt": "checkpoint", "input": "input.path", "output": "output.path"}
_PATHS = ("input", "output")


def compose_settings(configs: Path, overrides: list[str]) -> Settings:
    """Compose ``configs/run.yaml`` with the overrides of one run.

    Raises:
        ConfigError: an unknown group option or key, a wrong type, a value that is not set.
    """
    return to_settings(compose_raw(configs, overrides))


def compose_raw(configs: Path, overrides: list[str]) -> DictConfig:
    """The same, unresolved and not yet checked, with Hydra's own part ``hydra``.

    Raises:
        ConfigError: an unknown group option or key.
    """
    _check_group_names(configs, overrides)
    groups = group_options(configs)
    overrides = [_in_full(override, groups) for override in overrides]
    try:
        # A multirun job composes inside Hydra's own run, whose state must survive.
        if GlobalHydra.instance().is_initialized():
            return compose(config_name="run", overrides=overrides, return_hydra_config=True)
        with initialize_config_dir(str(configs.resolve()), version_base="1.3"):
            return compose(config_name="run", overrides=overrides, return_hydra_config=True)
    except HydraException as error:
        raise ConfigError(_explain(configs, overrides, error)) from error
    except (OmegaConfBaseException, ValueError) as error:
        raise ConfigError(_one_line(str(error))) from error


def to_settings(config: DictConfig) -> Settings:
    """Check keys and types of a composed configuration and turn it into plain values."""
    config = config.copy()
    OmegaConf.set_struct(config, False)
    config.pop("hydra", None)
    try:
        resolved = OmegaConf.to_container(config, resolve=True)
        merged = OmegaConf.merge(OmegaConf.structured(Settings), resolved)
        missing = sorted(OmegaConf.missing_keys(merged))
        if missing == ["task"]:
            raise ConfigError(
                "No experiment was chosen. Name one, for example "
                "`python run.py experiment=stage1`; `python run.py` lists them all."
            )
        if missing:
            raise ConfigError(
                f"The setting(s) {', '.join(missing)} have no value. Give them on the command "
                f"line, for example `{missing[0]}=VALUE`, or in the config file of their group."
            )
        settings = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise ConfigError(_explain_value(error)) from error
    assert isinstance(settings, Settings)
    return settings


def save_settings(settings: Settings, path: Path) -> None:
    """Write the resolved configuration as YAML; ``load_settings`` reads it back."""
    with atomic_write(path) as temporary:
        temporary.write_text(to_yaml(settings), encoding="utf-8")


def load_settings(path: Path, overrides: list[str] | None = None) -> Settings:
    """Read a run's ``config.yaml``, with ``key=value`` overrides applied on top."""
    if not path.is_file():
        raise ConfigError(
            f"{path} is missing, so {path.parent} is no run folder. Give the folder of a run under "
            "logs/, for example resume=logs/stage1/2026-01-31_12-00-00."
        )
    config = OmegaConf.load(path)
    assert isinstance(config, DictConfig)
    for override in overrides or []:
        key, _, value = override.partition("=")
        if OmegaConf.select(config, key, default=config) is config:
            raise ConfigError(f"{key}: no such setting in {path}.")
        OmegaConf.update(config, key, OmegaConf.create({"v": _scalar(value)}).v)
    return to_settings(config)


def to_yaml(settings: Settings) -> str:
    """The resolved configuration as people read it."""
    return OmegaConf.to_yaml(OmegaConf.structured(settings))


def to_plain(settings: Settings) -> dict[str, Any]:
    """Nested dictionaries of plain values, for loggers and printing."""
    value = OmegaConf.to_container(OmegaConf.structured(settings))
    assert isinstance(value, dict)
    return {str(key): item for key, item in value.items()}


def group_options(configs: Path) -> dict[str, list[str]]:
    """The options of each group: file names of ``configs/<group>/*.yaml``."""
    return {
        folder.name: sorted(p.stem for p in folder.glob("*.yaml"))
        for folder in sorted(configs.iterdir())
        if folder.is_dir()
    }


def _scalar(text: str) -> Any:  # noqa: ANN401 - a YAML scalar
    override = OverridesParser.create().parse_override(f"v={text}")
    return override.value()


def _in_full(override: str, groups: Collection[str]) -> str:
    """The override as Hydra takes it.

    Short names become full ones, a path keeps whatever characters it is made of, and a group that
    is null on the command line, which Hydra refuses, is left out.
    """
    key, equals, value = override.partition("=")
    if key in groups and value == "null":
        return f"~{key}"
    if not equals or key not in _SHORT or value.startswith("{"):
        return override
    if key in _PATHS and value != "null" and value[:1] not in ("'", '"'):
        escaped = value.replace("'", "\\'")
        value = f"'{escaped}'"
    return f"{_SHORT[key]}={value}"


def _check_group_names(configs: Path, overrides: list[str]) -> None:
    """An unknown option of a group, or a key that is close to one, found before Hydra composes."""
    groups = group_options(configs)
    for override in overrides:
        key, equals, value = override.partition("=")
        if override.startswith("~"):  # Hydra's way to leave a group out
            continue
        if not equals:
            raise ConfigError(
                f"'{override}' is no setting; settings are written key=value, for example "
                "experiment=stage1 or trainer.max_epochs=10."
            )
        name = key.lstrip("+~")
        if name in groups and value not in ("null", "") and not re.search(r"[,({\[]", value):
            options = groups[name]
            if value.removesuffix(".yaml") not in options:
                raise ConfigError(
                    f"{name}={value}: there is no such option. Options of {name}: "
                    f"{', '.join(options)}.{_close(value, options)}"
                )


def _explain(configs: Path, overrides: list[str], error: HydraException) -> str:
    text = str(error)
    found = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)'", text)
    if found is None:
        return _one_line(text)
    key = found.group(1)
    known = _known_keys(configs, overrides)
    return (
        f"{key}: there is no such setting.{_close(key, known)} "
        "`print_config=true` shows every setting of a run."
    )


def _explain_value(error: OmegaConfBaseException) -> str:
    text = _one_line(str(error).split("\n")[0])
    key = getattr(error, "full_key", None)
    if key and "not in" in text:
        return f"{key}: there is no such setting; remove it or mend its name. ({text})"
    return f"{key}: {text}" if key else text


def _known_keys(configs: Path, overrides: list[str]) -> list[str]:
    """Keys of the configuration that remains when overrides of plain values are left out."""
    groups = group_options(configs)
    kept = [o for o in overrides if o.partition("=")[0].lstrip("+~") in groups]
    try:
        with initialize_config_dir(str(configs.resolve()), version_base="1.3"):
            config = compose(config_name="run", overrides=kept)
    except (HydraException, OmegaConfBaseException, ValueError):
        return []
    keys: list[str] = []

    def walk(node: DictConfig, prefix: str) -> None:
        for name in map(str, node):
            keys.append(prefix + name)
            child = node._get_node(name)
            if isinstance(child, DictConfig) and not child._is_none():
                walk(child, f"{prefix}{name}.")

    walk(config, "")
    return keys


def _close(word: str, choices: list[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=3)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
