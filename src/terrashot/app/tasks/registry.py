"""All tasks of `run.py`: the core's by name, the wings by their packages."""

import importlib
from functools import cache
from typing import Any

from terrashot.errors import ConfigError
from terrashot.tasks.task import Task

_CORE = {
    "base_segmentation": "terrashot.app.tasks.base_segmentation.BaseSegmentationTask",
    "novel_adaptation": "terrashot.app.tasks.novel_adaptation.NovelAdaptationTask",
    "adapt_once": "terrashot.app.tasks.adapt_once.AdaptOnceTask",
    "scene_mapping": "terrashot.app.tasks.scene_mapping.SceneMappingTask",
    "annotation": "terrashot.app.tasks.annotation.AnnotationTask",
}
# A wing's package names its tasks (``TASKS``) and holds its configs; nothing else knows of it.
WINGS = (
    "terrashot.papers.false",
    "terrashot.papers.sg_one",
    "terrashot.papers.simtrans",
)


@cache
def all_tasks() -> dict[str, Task[Any]]:
    """Every task by its name."""
    classes = dict(_CORE)
    for wing in WINGS:
        classes |= importlib.import_module(wing).TASKS
    found = {}
    for name, path in classes.items():
        module, _, attribute = path.rpartition(".")
        found[name] = getattr(importlib.import_module(module), attribute)()
    return found


def find_task(name: str) -> Task[Any]:
    """The task that ``task:`` names.

    Raises:
        ConfigError: there is no such task.
    """
    task = all_tasks().get(name)
    if task is None:
        raise ConfigError(f"task is '{name}', but it must be one of {', '.join(all_tasks())}.")
    return task


def task_on(name: str, kind: str) -> Task[Any]:
    """The task that ``task:`` names, or the one that takes its place on data of another kind.

    Args:
        name: The value of ``task:``.
        kind: The value of ``data.kind``.

    Raises:
        ConfigError: there is no such task, or none for such data.
    """
    task = find_task(name)
    if kind in task.data_kinds:
        return task
    readers = [other for other in all_tasks().values() if kind in other.data_kinds]
    found = next((other for other in readers if other.stands_for == name), None)
    if found is not None:
        return found
    kinds = ", ".join(sorted({k for t in all_tasks().values() for k in t.data_kinds}))
    who = " or ".join(sorted(t.experiment for t in readers))
    remedy = f"experiment={who}, which reads it" if readers else f"data.kind is one of {kinds}"
    raise ConfigError(
        f"data.kind is '{kind}', but experiment={task.experiment} reads "
        f"{' or '.join(task.data_kinds)}. Choose "
        f"other data with data=NAME, or {remedy}."
    )
