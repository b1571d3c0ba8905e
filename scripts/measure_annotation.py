"""How soon the annotation page shows what a stroke has taught, what labels are worth, and where.

    python scripts/make_mosaic.py ../shared/data/dubai/testset city.tif --tiles 'dubai6_*'
    python scripts/measure_annotation.py strokes logs/stage1/latest city.tif \
        --truth city_labels.tif --classes 0=background 1=building 2=land 3=road 4=vegetation 5=water
    python scripts/measure_annotation.py places logs/stage1/latest city.tif --truth ...
    python scripts/measure_annotation.py opening logs/stage1/latest large.tif
    python scripts/measure_annotation.py browser logs/stage1/latest city.tif --truth ...

The page's server runs in this process and is asked over HTTP as the page asks it; a script draws
objects of the truth. Classes that the network does not know are the new ones; pixels of ids without
a name are not scored. `strokes`: seconds from a stroke to the overlay of a view of 1024 x 768
pixels, without the half second in which the page waits for another stroke and without the browser's
drawing, and scores of the whole scene after 1, 2, 5 and 10 strokes. `places`: scores where the
labeller goes through *Where next*, and where places are random. `opening`: seconds until the page
has the pictures of a scene, and memory of the server. `browser`: the page in a headless Chromium,
objects of two new classes drawn with its mouse; seconds from the last key of a stroke until all of
the view is painted anew, the half second in which the page waits included (selenium, chromium).
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import terrashot
from benchmarking.annotation_browser import BrowserPage, by_hand, chromium
from benchmarking.annotation_page import Page, served
from benchmarking.memory import high_water
from benchmarking.truth_strokes import Truth
from terrashot.evaluation.confusion import ConfusionMatrix
from terrashot.evaluation.scores import gfss_scores
from terrashot.model.model import Model
from terrashot.model.new_classes import with_novel
from terrashot.networks.features import DECODER
from terrashot.taxonomy import IGNORE

VIEW = 768, 1024
STROKES = 10
SCORED = 1, 2, 5, 10
POLYGONS = 3, 10, 30
PAUSE = 2.0
"""Seconds between a stroke's overlay and the next stroke's first corner; people take longer."""
PARTS = "saving", "teaching", "overlay"
MEASURES = "weighted", "novel", "base"


class Scorer:
    """Scores maps of the page against the truth.

    Args:
        model: Knows the base classes.
        truth: The truth.
    """

    def __init__(self, model: Model, truth: Truth) -> None:
        known = model.taxonomy.names
        self.novel = [name for name in truth.names if name not in known]
        self._taxonomy = with_novel(model.taxonomy, self.novel, {})
        self._labels = truth.indices(self._taxonomy.names)

    def score(self, page: Page) -> dict[str, float]:
        """Of the whole scene, in percent."""
        ids = page.map()
        table = np.full(256, IGNORE, np.uint8)
        table[: len(page.classes)] = [self._taxonomy.names.index(name) for name in page.classes]
        labels = np.where(ids == IGNORE, IGNORE, self._labels)
        confusion = ConfusionMatrix(self._taxonomy.num_classes)
        confusion.update(*(torch.from_numpy(a.astype(np.int64)) for a in (table[ids], labels)))
        scores = gfss_scores(confusion.compute(), self._taxonomy)
        return {m: round(100 * float(getattr(scores, f"{m}_miou")), 2) for m in MEASURES}


@contextmanager
def timed(into: list[dict[str, float]]) -> Iterator[None]:
    """Seconds of the clock and of the processor (server and client)."""
    clock, own = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - clock, time.process_time() - own
    into.append({"seconds": round(seconds, 3), "cpu": round(cpu, 3)})


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
    for seed in range(options.seeds):
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
        for seed in range(options.seeds):
            for rule in ("where next", "random"):
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


def show(found: dict[str, Any], console: Console) -> None:
    """Tables of what was found."""
    if "runs" not in found:
        console.print_json(data=found)
        return
    runs = found["runs"]
    if "rule" in runs[0]:
        table = Table("polygons", "rule", *MEASURES, title="mIoU in percent, mean ± spread")
        for polygons in sorted({run["polygons"] for run in runs}):
            for rule in ("where next", "random"):
                own = [r for r in runs if r["polygons"] == polygons and r["rule"] == rule]
                table.add_row(
                    str(polygons), rule, *(_spread([r[m] for r in own]) for m in MEASURES)
                )
        console.print(table)
        return
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
        table.add_row(str(number), *(_spread([s[m] for s in own]) for m in MEASURES))
    console.print(table)


def _spread(values: list[float]) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.1f} ± {spread:.1f}"


def _class(text: str) -> tuple[int, str]:
    number, _, name = text.partition("=")
    return int(number), name


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    acts = {
        "strokes": measure_strokes,
        "places": measure_places,
        "opening": measure_opening,
        "browser": measure_browser,
    }
    parser.add_argument("what", choices=acts)
    parser.add_argument("checkpoint", help="a stage-1 checkpoint or run folder")
    parser.add_argument("scene", type=Path)
    parser.add_argument("--truth", type=Path, help="a raster of class ids; not for opening")
    parser.add_argument(
        "--classes", nargs="+", type=_class, default=[], help="ID=NAME of the truth"
    )
    parser.add_argument("--features", default=DECODER, help="as annotate.features (strokes)")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--wait", type=float, default=30, help="for the background (opening)")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the page (browser)")
    parser.add_argument("--json", type=Path, help="where the figures go too")
    options = parser.parse_args()
    options.classes = dict(options.classes)
    if options.what != "opening" and (options.truth is None or not options.classes):
        parser.error(f"{options.what} takes --truth and --classes")
    model = terrashot.load(options.checkpoint)
    with TemporaryDirectory() as folder:
        found = acts[options.what](model, options, Path(folder))
    show(found, Console())
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
