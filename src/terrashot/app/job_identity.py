"""What makes two jobs the same job: the same numbers would come out."""

import hashlib
import json
from pathlib import Path
from typing import Any

from terrashot.app.compose import to_plain
from terrashot.app.kinds.registry import task_kind
from terrashot.app.settings import Settings
from terrashot.app.stage1_checkpoint import stage1_checkpoint
from terrashot.data.support_pool import POOL_FILE
from terrashot.demo.make import GENERATOR_VERSION
from terrashot.files import file_digest

# The machine, the place and the looks of a run; none of them changes a score.
_NEUTRAL: dict[str, tuple[str, ...]] = {
    "": (
        "paths",
        "resume",
        "checkpoint",
        "print_config",
        "optimized_metric",
        "tags",
        "logger",
        "strategy",
        "sweep",
    ),
    "data": ("root", "hint", "cache", "num_workers", "pin_memory", "novel_sets"),
    "trainer": ("accelerator", "devices", "num_nodes"),
    "callbacks": ("panels",),
    "adaptation": ("panels", "feature_cache"),
}


def job_identity(settings: Settings) -> str:
    """A short name of the job that the settings describe, from plain values alone.

    It covers every setting that can change a score, the content of the stage-1 checkpoint and of
    the lists of tiles; not where files lie, how many devices there are, or what is drawn.
    """
    plain = to_plain(settings)
    for group, keys in _NEUTRAL.items():
        part: dict[str, Any] = plain[group] if group else plain
        for key in keys:
            part.pop(key, None)
    kind = task_kind(settings)
    if settings.strategy.name != "single" and kind.trains:
        # Devices multiply the batch, so training differs; queries are only shared out.
        plain["processes"] = settings.processes
    if kind.needs_stage1:
        plain["checkpoint"] = file_digest(stage1_checkpoint(settings))
    if inputs := kind.inputs(settings):
        plain["inputs"] = [file_digest(path) for path in inputs]
    if settings.data.demo_seed is None:
        root = Path(settings.data.root)
        lists = ["train.txt", "stage1_val.txt", f"{settings.data.split}.json"]
        if settings.data.support_draw is not None:
            lists.append(POOL_FILE)
        plain["lists"] = {n: file_digest(root / n) for n in lists if (root / n).is_file()}
    else:
        plain["demo"] = GENERATOR_VERSION
    text = json.dumps(plain, sort_keys=True, default=str)
    # The letter keeps an all-digit name from being read as a number on a command line.
    return "j" + hashlib.sha256(text.encode()).hexdigest()[:15]
