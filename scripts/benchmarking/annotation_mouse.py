"""From a stroke to the overlay as a person sees it: in a Chromium, drawn with its mouse."""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarking.annotation_browser import BrowserPage, by_hand, chromium
from benchmarking.annotation_page import served
from benchmarking.annotation_scores import Scorer
from benchmarking.annotation_strokes import STROKES, VIEW
from benchmarking.truth_strokes import Truth
from terrashot.model.model import Model

PAUSE = 2.0
"""Seconds between a stroke's overlay and the next stroke's first corner; people take longer."""


def measure_browser(model: Model, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Ten strokes with the mouse, a pause after each; then pictures of the page."""
    truth = Truth(options.truth, options.classes)
    rng = np.random.default_rng(0)
    seconds: list[float] = []
    with (
        served(model, options.scene, folder / "labels.gpkg") as page,
        chromium(folder / "chromium") as driver,
    ):
        shown = BrowserPage(driver, page.port, VIEW)
        view = shown.view
        top, left, *sides = view
        part = truth.labels[max(0, top) : top + sides[0], max(0, left) : left + sides[1]]
        counts = {name: int((part == i).sum()) for i, name in enumerate(truth.names)}
        novel = sorted(Scorer(model, truth).novel, key=counts.__getitem__)[-2:]
        for name in novel:
            shown.add_class(name)
        time.sleep(PAUSE)  # the page has heard of them all
        while len(seconds) < STROKES:
            name = novel[len(seconds) % len(novel)]
            points = by_hand(truth.random(rng, name, view)[1])
            if points is not None:
                shown.choose(name)
                seconds.append(round(shown.draw(points), 3))
                time.sleep(PAUSE)
        if options.pictures is not None:
            shown.pictures(options.pictures)
    later = {"first": seconds[0], "median of the later": statistics.median(seconds[1:])}
    return {"classes": novel, "seconds": seconds, **later}
