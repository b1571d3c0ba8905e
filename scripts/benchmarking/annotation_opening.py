"""How soon the page has the pictures of a scene, and what memory its server takes."""

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarking.annotation_page import served
from benchmarking.annotation_strokes import VIEW
from benchmarking.clock import timed
from benchmarking.memory import high_water
from terrashot.model.model import Model


def measure_opening(model: Model, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """From a model in memory to the pictures of the scene; then to the overlay of a view."""
    times: list[dict[str, float]] = []
    with ExitStack() as stack:
        with timed(times):
            page = stack.enter_context(served(model, options.scene, folder / "labels.gpkg"))
            tiles = page.tiles()
        opened = high_water()
        with timed(times):
            page.overlay(page.size[0] // 2, page.size[1] // 2, *VIEW)
        time.sleep(options.wait)
        share = page.get("/api/places")["share"]
    memory = {"opened": opened / 2**20, "after": high_water() / 2**20}
    return {"tiles": tiles, "open": times[0], "view": times[1], "megabytes": memory, "seen": share}
