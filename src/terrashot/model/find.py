"""From what a user names to a checkpoint file: a file, a run folder, or ``latest``."""

import json
from collections.abc import Iterable
from pathlib import Path

from terrashot.errors import CheckpointError
from terrashot.model.adapted_file import FILE_NAME

LATEST = "latest"
_TASKS = ("adapt_once", "base_segmentation")
_HOW = (
    "Give a checkpoint file, the folder of a run of experiment=stage1 or experiment=adapt, or "
    "logs/stage1/latest."
)


def find_model_file(value: str | Path, logs: Path = Path("logs")) -> Path:
    """The checkpoint that a value names.

    Args:
        value: A file; a run folder, whose ``adapted.ckpt`` or best stage-1 checkpoint is taken;
            ``<folder of runs>/latest``, the newest finished run; ``latest`` alone: that of all
            stage-1 and adapt runs in ``logs``.
        logs: Where runs lie.

    Raises:
        CheckpointError: there is none.
    """
    path = Path(value)
    if path.is_file():
        return path
    if path.is_dir():
        return _in_run(path)
    if path.name == LATEST:
        runs = _finished(logs.glob("*/*") if str(value) == LATEST else path.parent.glob("*"))
        if runs:
            return _in_run(max(runs)[1])
        where = logs if str(value) == LATEST else path.parent
        raise CheckpointError(f"{value}: {where}/ holds no finished run. {_HOW}")
    raise CheckpointError(f"{value}: there is no such file or folder. {_HOW}")


def _in_run(folder: Path) -> Path:
    for name in (FILE_NAME, "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        if (folder / name).is_file():
            return folder / name
    runs = _finished(folder.glob("*"))
    if runs:
        raise CheckpointError(
            f"{folder} is a folder of runs. Name one of them, for example {folder / LATEST}."
        )
    raise CheckpointError(f"{folder} is a folder without a checkpoint of a model. {_HOW}")


def _finished(folders: Iterable[Path]) -> list[tuple[str, Path]]:
    """Finished runs that made a model, with the moment at which they began."""
    found = []
    for folder in folders:
        try:
            info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if info.get("status") == "finished" and info.get("task") in _TASKS:
            found.append((str(info.get("started", "")), folder))
    return found
