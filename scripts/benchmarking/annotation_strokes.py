"""From a stroke to the overlay, and what strokes are worth."""

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarking.annotation_page import Page, served
from benchmarking.annotation_scores import MEASURES, Scorer, spread
from benchmarking.clock import timed
from benchmarking.truth_strokes import Truth
from terrashot.model.model import Model

VIEW = 768, 1024
"""Height and width of what is on the screen, in pixels."""
STROKES = 10
SCORED = 1, 2, 5, 10
PARTS = "saving", "teaching", "overlay"


def stroke_to_overlay(
    page: Page, view: tuple[int, ...], name: str, points: list[list[float]]
) -> dict[str, float]:
    """Seconds of a stroke, and where the processor's went."""
    whole: list[dict[str, float]] = []
    parts: list[dict[str, float]] = []
    with timed(whole):
        with timed(parts):
            page.draw(name, points)
        with timed(parts):
            page.teach()
        with timed(parts):
            page.overlay(*view)
    return whole[0] | {f"cpu of {p}": t["cpu"] for p, t in zip(PARTS, parts, strict=True)}


def measure_strokes(model: Model, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Ten strokes in a view, new classes in turn."""
    truth = Truth(options.truth, options.classes)
    scorer = Scorer(model, truth)
    runs = []
    for seed in options.seeds:
        rng = np.random.default_rng(seed)
        with served(model, options.scene, folder / f"{seed}.gpkg", seed, options.features) as page:
            sides = [min(a, b) for a, b in zip(VIEW, page.size, strict=True)]
            # Off the borders of the cells, as views are.
            top, left = ((a - b) // 2 + 88 * (a > b) for a, b in zip(page.size, sides, strict=True))
            view = top, left, *sides
            for name in scorer.novel:
                page.post("/api/edits", act="add_class", name=name)
            before: list[dict[str, float]] = []
            with timed(before):
                page.overlay(*view)
            strokes, scores = [], {}
            for number in range(1, STROKES + 1):
                name = scorer.novel[(number - 1) % len(scorer.novel)]
                strokes.append(stroke_to_overlay(page, view, *truth.random(rng, name, view)))
                Console().print(strokes[-1])
                if number in SCORED:
                    scores[number] = scorer.score(page)
                    Console().print(scores[number])
        runs.append({"seed": seed, "view": before[0], "strokes": strokes, "scores": scores})
    return {"runs": runs}


def show_strokes(found: dict[str, Any], console: Console) -> None:
    """Tables of seconds and of scores."""
    runs = found["runs"]
    keys = ["seconds", "cpu", *(f"cpu of {part}" for part in PARTS)]
    table = Table("stroke", *keys, title="stroke to overlay")
    parts = {"first": slice(0, 1), "later, median": slice(1, None)}
    for name, part in parts.items():
        own = [s for r in runs for s in r["strokes"][part]]
        table.add_row(name, *(f"{statistics.median(s[k] for s in own):.2f}" for k in keys))
    console.print(table)
    table = Table("strokes", *MEASURES, title="mIoU in percent, mean ± spread")
    for number in runs[0]["scores"]:
        own = [r["scores"][number] for r in runs]
        table.add_row(str(number), *(spread([s[m] for s in own]) for m in MEASURES))
    console.print(table)
