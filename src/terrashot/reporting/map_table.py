"""The table that closes a mapping run: one line a scene."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table


def map_table(scenes: Sequence[Mapping[str, Any]]) -> Table:
    """A table of mapped scenes.

    Args:
        scenes: for each ``scene`` (path), ``height``, ``width``, ``seconds``, ``rows_computed`` of
            ``rows``, ``files`` and ``skipped``. The speed is that of the rows which this run
            computed.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("scene", overflow="fold")
    for name in ("size", "seconds", "Mpx/s"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("files", overflow="fold")
    for scene in scenes:
        size = f"{scene['width']} x {scene['height']}"
        pixels = scene["width"] * scene["height"] * scene["rows_computed"] / scene["rows"]
        seconds, speed = f"{scene['seconds']:.1f}", ""
        if scene["skipped"]:
            seconds = "done before"
        elif scene["seconds"] > 0:
            speed = f"{pixels / 1e6 / scene['seconds']:.2f}"
        path = Path(scene["scene"])
        # All files are called after the scene; its name once is enough for 80 columns.
        files = " ".join(f.removeprefix(path.stem) for f in scene["files"])
        table.add_row(path.name, size, seconds, speed, files)
    return table
