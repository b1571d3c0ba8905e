"""What makes two jobs the same job: the same numbers would come out."""

import hashlib
import inspect
import json
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from hydra.utils import get_object

from terrashot.app.run.bench import SettingsBench
from terrashot.app.tasks.registry import find_task
from terrashot.data.support_pool import POOL_FILE
from terrashot.demo.make import GENERATOR_VERSION
from terrashot.files import file_digest
from terrashot.tasks.settings.runs import RunSettings, TileSettings


def job_identity(settings: RunSettings) -> str:
    """A short name of the job that the settings describe, from plain values alone.

    It covers every setting that can change a score (those not marked ``neutral`` beside their
    definition) and differs from its default, so that a new key makes no finished job a stranger;
    beside these the content of the stage-1 checkpoint, of other files, and of the lists of tiles.
    """
    plain: dict[str, Any] = {"settings": _differing(settings)}
    plain["settings"].pop("checkpoint", None)  # its content counts, not its place
    task, bench = find_task(settings.task), SettingsBench(settings)
    if settings.strategy.name != "single" and task.trains:
        # Devices multiply the batch, so training differs; queries are only shared out.
        plain["processes"] = settings.processes
    if task.needs_stage1:
        plain["checkpoint"] = file_digest(bench.stage1_checkpoint())
    if inputs := task.inputs(settings, bench):
        plain["inputs"] = [file_digest(path) for path in inputs]
    if isinstance(settings, TileSettings):
        plain |= _tiles(settings)
    text = json.dumps(plain, sort_keys=True, default=str)
    # The letter keeps an all-digit name from being read as a number on a command line.
    return "j" + hashlib.sha256(text.encode()).hexdigest()[:15]


def _tiles(settings: TileSettings) -> dict[str, Any]:
    """What says which tiles there are."""
    data = settings.data
    if data.demo_seed is not None:
        return {"demo": GENERATOR_VERSION}
    root = Path(data.root)
    lists = ["train.txt", "stage1_val.txt", f"{data.split}.json"]
    if data.support_draw is not None:
        lists.append(POOL_FILE)
    return {"lists": {n: file_digest(root / n) for n in lists if (root / n).is_file()}}


def _differing(settings: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass object
    """The values of a Settings object that are not neutral and not the default."""
    found = {}
    for item in fields(settings):
        if item.metadata.get("neutral"):
            continue
        value = getattr(settings, item.name)
        if is_dataclass(value):
            value = _differing(value)
            if value:
                found[item.name] = value
        elif value != (item.default if item.default is not MISSING else _made(item)):
            found[item.name] = _part(value) if isinstance(value, dict) else value
    return found


def _made(item: Any) -> Any:  # noqa: ANN401 - a dataclass field and its default
    return item.default_factory() if item.default_factory is not MISSING else MISSING


def _part(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of a part that differ from the defaults of the class it is built from."""
    if "_target_" not in config:
        return config
    known = inspect.signature(get_object(config["_target_"])).parameters
    return {
        key: value
        for key, value in config.items()
        if key not in known or known[key].default != value or key == "name"
    }
