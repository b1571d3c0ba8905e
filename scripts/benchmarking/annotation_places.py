"""What labels at the places of *Where next* are worth, against labels at random places."""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarking.annotation_page import Page, served
from benchmarking.annotation_scores import MEASURES, Scorer, spread
from benchmarking.truth_strokes import Truth
from terrashot.model.model import Model

POLYGONS = 3, 10, 30
RULES = "where next", "random"


def draw_until(
    page: Page, truth: Truth, rng: np.random.Generator, rule: str, drawn: int, wanted: int
) -> int:
    """Label places until there are so many polygons; how many there are."""
    while drawn < wanted:
        if rule == "random":
            name, points = truth.random(rng)
            page.draw(name, points)
            drawn += 1
            continue
        page.teach()
        places = page.get("/api/places")["places"]
        # The page asks anew after each stroke, and N then goes to the first of the new list.
        drawable = (truth.at(place["x"], place["y"]) for place in places)
        found = next((each for each in drawable if each is not None), None)
        page.draw(*(found or truth.random(rng)))
        drawn += 1
    return drawn


def measure_places(model: Model, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Both rules go on from the same first polygons: one of each new class, the rest anywhere."""
    truth = Truth(options.truth, options.classes)
    scorer = Scorer(model, truth)
    first = max(POLYGONS[0], len(scorer.novel))
    runs = []
    with served(model, options.scene, folder / "labels.gpkg") as page:
        page.map()
        while page.get("/api/places")["share"] < 1:
            time.sleep(1)
        for name in scorer.novel:
            page.post("/api/edits", act="add_class", name=name)
        for seed in options.seeds:
            for rule in RULES:
                rng = np.random.default_rng(seed)
                page.clear()
                for number in range(first):
                    chosen = scorer.novel[number] if number < len(scorer.novel) else None
                    page.draw(*truth.random(rng, chosen))
                drawn = first
                for wanted in (first, *POLYGONS[1:]):
                    drawn = draw_until(page, truth, rng, rule, drawn, wanted)
                    page.teach()
                    run = {"seed": seed, "rule": rule, "polygons": wanted, **scorer.score(page)}
                    Console().print(run)
                    runs.append(run)
    return {"runs": runs}


def show_places(found: dict[str, Any], console: Console) -> None:
    """A table of scores."""
    runs = found["runs"]
    table = Table("polygons", "rule", *MEASURES, title="mIoU in percent, mean ± spread")
    for polygons in sorted({run["polygons"] for run in runs}):
        for rule in RULES:
            own = [r for r in runs if r["polygons"] == polygons and r["rule"] == rule]
            table.add_row(str(polygons), rule, *(spread([r[m] for r in own]) for m in MEASURES))
    console.print(table)
