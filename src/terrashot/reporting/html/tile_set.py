"""The best and the worst query tiles, small enough to lie inside the page."""

import base64
import io
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from terrashot.evaluation.scores import gfss_scores
from terrashot.reporting.html import formats
from terrashot.reporting.panels import Panel
from terrashot.taxonomy import IGNORE, Taxonomy


@dataclass(frozen=True)
class TileLine:
    """One query tile of the table of all; ``miou`` is None where no class is labelled."""

    name: str
    miou: float | None
    before: float | None
    accuracy: float | None
    seconds: float
    diverged: bool


@dataclass(frozen=True)
class TileSet:
    """The tiles of the viewer as plain values for its script, or why there are none."""

    payload: dict[str, Any] | None
    missing: str = ""


def tile_line(
    name: str,
    adapted: Tensor,
    base_model: Tensor,
    seconds: float,
    diverged: bool,
    taxonomy: Taxonomy,
) -> TileLine:
    """Score one tile: mean IoU over the base and novel classes that it shows."""
    scores, before = gfss_scores(adapted, taxonomy), gfss_scores(base_model, taxonomy)
    values = [scores.mean_miou, before.mean_miou, scores.pixel_accuracy]
    miou, old, accuracy = (None if math.isnan(value) else value for value in values)
    return TileLine(name, miou, old, accuracy, seconds, diverged)


def chosen_tiles(lines: Sequence[TileLine], each: int = 4) -> list[tuple[str, TileLine]]:
    """The worst and the best tiles as ``(group, tile)``; no tile stands in both groups."""
    scored = sorted((t for t in lines if t.miou is not None), key=lambda t: (t.miou, t.name))
    worst = scored[: min(each, (len(scored) + 1) // 2)]
    best = scored[len(worst) :][-each:][::-1]
    return [("worst", tile) for tile in worst] + [("best", tile) for tile in best]


def tile_set(
    chosen: Sequence[tuple[str, TileLine]],
    panel_of: Callable[[str], Panel],
    taxonomy: Taxonomy,
) -> TileSet:
    """Read the chosen tiles and pack them.

    Args:
        chosen: of ``chosen_tiles``.
        panel_of: gives image, truth and prediction of a tile, all of one size, by its name.
        taxonomy: names and colours.
    """
    tiles = [_packed(group, line, panel_of(line.name)) for group, line in chosen]
    if not tiles:
        return TileSet(None, "No query tile has a labelled class.")
    classes = [
        {"id": c.index, "name": c.name, "color": c.color, "rgb": list(c.rgb)}
        for c in taxonomy.classes
    ]
    return TileSet({"ignore": IGNORE, "classes": classes, "tiles": tiles})


def _packed(group: str, line: TileLine, panel: Panel) -> Mapping[str, Any]:
    height, width = panel.truth.shape
    return {
        "group": group,
        "name": line.name,
        "score": formats.percent(line.miou),
        "before": formats.percent(line.before),
        "diverged": line.diverged,
        "width": width,
        "height": height,
        "image": _jpeg(panel.image),
        "truth": _deflated(panel.truth),
        "prediction": _deflated(panel.prediction),
    }


def _jpeg(image: np.ndarray) -> str:
    target = io.BytesIO()
    Image.fromarray(image).save(target, format="JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(target.getvalue()).decode()


def _deflated(ids: np.ndarray) -> str:
    # Not as a picture: some browsers blur what a page reads back from a canvas.
    return base64.b64encode(zlib.compress(np.ascontiguousarray(ids).tobytes(), 9)).decode()
