"""From a composed configuration to the typed Settings of its task, and to a file and back."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from terrashot.app.config.fields import all_keys, field_types, group_type, has_key
from terrashot.app.config.groups import close_matches
from terrashot.app.config.moved import renamed
from terrashot.app.config.paths import without_references
from terrashot.app.config.signatures import hand_on, with_signatures, without_signatures
from terrashot.app.tasks.registry import all_tasks, find_task, task_on
from terrashot.errors import ConfigError
from terrashot.files import atomic_write
from terrashot.tasks.settings.runs import RunSettings
from terrashot.tasks.task import Task


def to_settings(
    config: DictConfig, given: Iterable[str] = (), of_experiment: Iterable[str] = ()
) -> RunSettings:
    """Check keys and types of a composed configuration and turn it into its task's Settings.

    Args:
        config: Composed; Hydra's own part is left out.
        given: Dotted keys that the user has set on the command line.
        of_experiment: Those that the experiment's file sets.

    Raises:
        ConfigError: an unknown or missing key, a key that the task does not read, a wrong type.
    """
    task = OmegaConf.to_container(config).get("task")  # type: ignore[union-attr] # a mapping
    if task in (None, "???"):
        raise ConfigError(
            "No experiment was chosen. Name one, for example "
            "`python run.py experiment=stage1`; `python run.py` lists them all."
        )
    named, chosen = find_task(str(task)), task_of(config)
    kind = chosen.settings
    try:
        values = {**_resolved(config, kind), "task": chosen.name}
    except OmegaConfBaseException as error:
        raise ConfigError(_explain_value(error)) from error
    for key in given:
        if not has_key(kind, key):
            raise ConfigError(unknown_key(kind, key, values))
    for key in [*of_experiment, *(group for group, value in values.items() if value is not None)]:
        if not has_key(kind, key) and not has_key(named.settings, key):
            raise ConfigError(unknown_key(kind, key, values))
    return _typed(kind, _known_part(kind, values, strict=True), values)


def task_of(config: DictConfig) -> Task[Any]:
    """The task that a composed configuration describes: the one named, on its kind of data.

    Raises:
        ConfigError: there is none.
    """
    plain = OmegaConf.to_container(config)
    assert isinstance(plain, dict)
    name, data = str(plain["task"]), plain.get("data")
    if "data" not in field_types(find_task(name).settings) or not isinstance(data, dict):
        return find_task(name)
    return task_on(name, str(data.get("kind", "tiles")))


def _resolved(config: DictConfig, kind: type) -> dict[str, Any]:
    """Plain values; what the task does not read may refer to groups that it lacks, and is left."""
    types = field_types(kind)
    raw = OmegaConf.to_container(config)
    assert isinstance(raw, dict)
    found: dict[str, Any] = {}
    for name, value in ((str(key), value) for key, value in raw.items()):
        node = config._get_node(name)
        if name == "hydra":
            continue
        inner = group_type(types[name]) if name in types else None
        if inner is not None and isinstance(node, DictConfig) and isinstance(value, dict):
            known = field_types(inner)
            found[name] = {k: _plain(node[k]) if k in known else v for k, v in value.items()}
        elif name in types:
            found[name] = _plain(config[name])
        else:
            found[name] = value
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401 - a node of a configuration
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def unknown_key(kind: type, key: str, values: dict[str, Any], further: Iterable[str] = ()) -> str:
    """Why a key that the task does not read is refused, and what was probably meant.

    Args:
        kind: The Settings class of the task.
        key: The key, dotted.
        values: The configuration of the run.
        further: Keys that the run has beside those of the Settings: of parts with a ``_target_``.
    """
    tasks = all_tasks().values()
    own = next((task for task in tasks if task.settings is kind and task.stands_for), None)
    where = "" if own is None else f" with data.kind={own.data_kinds[0]}"
    experiment = f"experiment={values.get('name')}{where}"
    # Several tasks may share an experiment, told apart by what the dataset's folder holds.
    readers = sorted(
        {
            f"{task.experiment}{'' if own is None else f' on {task.data_kinds[0]}'}"
            for task in tasks
            if has_key(task.settings, key)
        }
    )
    known = dict.fromkeys([*all_keys(kind), *(k for k in further if has_key(kind, k))])
    # sweep.grid has keys with dots in them, which read like the nested one that was asked for.
    known.pop(key, None)
    close = close_matches(key, list(known))
    if not readers:
        return (
            f"{key}: there is no such setting.{close} `print_config=true` shows every setting of "
            "a run."
        )
    if has_key(kind, key):  # of a part with a _target_, whose file leaves it at its default
        return (
            f"{key} does not stand in the file of the chosen option.{close} Where its _target_ "
            f"takes that argument, +{key}=VALUE sets it."
        )
    return (
        f"{key} is no setting of {experiment}, which would ignore it.{close} Leave {key} out, or "
        f"run experiment={' or '.join(readers)}, which reads it."
    )


def _known_part(kind: type, values: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """The values that a Settings class has.

    A group's file serves several tasks (``data`` above all), so keys of other tasks are left out;
    a key that no task has is a mistake in the file.
    """
    types = field_types(kind)
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in types:
            continue
        inner = group_type(types[name])
        if inner is None or not isinstance(value, dict):
            found[name] = value
            continue
        others = [t for task in all_tasks().values() if (t := _group_of(task.settings, name))]
        others += [further for kind in others for further in _family(kind)]
        for key in value:
            if strict and not any(key in field_types(other) for other in others):
                known = [k for other in others for k in field_types(other)]
                close = close_matches(str(key), list(dict.fromkeys(known)))
                raise ConfigError(f"{name}.{key}: there is no such setting.{close}")
        found[name] = _known_part(inner, value, strict=False)
    return found


def _family(kind: type) -> list[type]:
    """Settings classes of the same group: what a file of it may say, read by a task or not."""
    root = next(c for c in reversed(kind.__mro__) if c is not object)
    found, left = [root], [root]
    while left:
        below: list[type] = left.pop().__subclasses__()
        found += below
        left += below
    return found


def _group_of(kind: type, name: str) -> type | None:
    types = field_types(kind)
    return group_type(types[name]) if name in types else None


def _typed(kind: type, known: dict[str, Any], values: dict[str, Any]) -> RunSettings:
    try:
        schema = OmegaConf.structured(kind)
        for name in [n for n, v in known.items() if v is None and _is_needed(kind, n)]:
            raise ConfigError(
                f"{name} is null, but experiment={values.get('name')} needs it. Choose an option, "
                f"for example on the command line {name}=OPTION; --help lists them."
            )
        merged = OmegaConf.merge(schema, _escaped(known))
        missing = sorted(OmegaConf.missing_keys(merged))
        if missing:
            group = missing[0].partition(".")[0]
            if group not in known:
                raise ConfigError(
                    f"{group} is null, but experiment={values.get('name')} needs it. Choose an "
                    f"option, for example on the command line {group}=OPTION; --help lists them."
                )
            raise ConfigError(
                f"The setting(s) {', '.join(missing)} have no value. Give them on the command "
                f"line, for example `{missing[0]}=VALUE`, or in the config file of their group."
            )
        settings = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise ConfigError(_explain_value(error)) from error
    assert isinstance(settings, RunSettings)
    return settings


def _is_needed(kind: type, name: str) -> bool:
    hint = field_types(kind)[name]
    return hint is not Any and type(None) not in getattr(hint, "__args__", ())


def save_settings(settings: RunSettings, path: Path) -> None:
    """Write the resolved configuration as YAML; ``load_settings`` reads it back.

    Signed addresses are cut in the file; this process and those that it starts know them.
    """
    hand_on(asdict(settings))
    with atomic_write(path) as temporary:
        temporary.write_text(to_yaml(settings), encoding="utf-8")


def load_settings(path: Path, overrides: list[str] | None = None) -> RunSettings:
    """Read a run's ``config.yaml``, with ``key=value`` overrides applied on top.

    A file of an earlier version may hold keys that its task never read, and old names of classes.
    """
    if not path.is_file():
        raise ConfigError(
            f"{path} is missing, so {path.parent} is no run folder. Give the folder of a run under "
            "logs/, for example resume=logs/stage1/2026-01-31_12-00-00."
        )
    values = renamed(with_signatures(yaml.safe_load(path.read_text(encoding="utf-8"))))
    kind = find_task(str(values.get("task"))).settings
    config = OmegaConf.create(_escaped(_known_part(kind, values, strict=False)))
    for override in overrides or []:
        key, _, value = override.partition("=")
        if OmegaConf.select(config, key, default=config) is config:
            raise ConfigError(f"{key}: no such setting in {path}.")
        OmegaConf.update(config, key, OmegaConf.create({"v": _scalar(value)}).v)
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return _typed(kind, {str(k): v for k, v in plain.items()}, values)


def to_yaml(settings: RunSettings) -> str:
    """The resolved configuration as people read it; signed addresses are cut."""
    return yaml.safe_dump(to_plain(settings), allow_unicode=True, sort_keys=False)


def to_plain(settings: RunSettings) -> dict[str, Any]:
    """Nested dictionaries of plain values, for loggers and printing; signed addresses are cut."""
    plain = without_signatures(asdict(settings))
    assert isinstance(plain, dict)
    return plain


def _escaped(value: Any) -> Any:  # noqa: ANN401 - plain values
    """Values that are resolved already, so that ``${`` in them is no reference: names of files."""
    if isinstance(value, dict):
        return {key: _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    if isinstance(value, str):
        return without_references(value)
    return value


def _scalar(text: str) -> Any:  # noqa: ANN401 - a YAML scalar
    override = OverridesParser.create().parse_override(f"v={text}")
    return override.value()


def _explain_value(error: OmegaConfBaseException) -> str:
    text = " ".join(str(error).split("\n")[0].split())
    key = getattr(error, "full_key", None)
    if key and "is not a ListConfig" in text:
        text = f"a list in brackets is needed, such as {key}=[1,2]"
    return f"{key}: {text}" if key else text
