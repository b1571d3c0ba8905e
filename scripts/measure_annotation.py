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
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

import terrashot
from benchmarking.annotation_mouse import measure_browser
from benchmarking.annotation_opening import measure_opening
from benchmarking.annotation_places import measure_places, show_places
from benchmarking.annotation_strokes import measure_strokes, show_strokes
from terrashot.networks.features import DECODER


def show_all(found: dict[str, Any], console: Console) -> None:
    """All figures as they are."""
    console.print_json(data=found)


ACTS = {
    "strokes": (measure_strokes, show_strokes),
    "places": (measure_places, show_places),
    "opening": (measure_opening, show_all),
    "browser": (measure_browser, show_all),
}
"""What is measured, and how it is shown."""


def _class(text: str) -> tuple[int, str]:
    number, _, name = text.partition("=")
    return int(number), name


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=ACTS)
    parser.add_argument("checkpoint", help="a stage-1 checkpoint or run folder")
    parser.add_argument("scene", type=Path)
    parser.add_argument("--truth", type=Path, help="a raster of class ids; not for opening")
    parser.add_argument(
        "--classes", nargs="+", type=_class, default=[], help="ID=NAME of the truth"
    )
    parser.add_argument("--features", default=DECODER, help="as annotate.features (strokes)")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="a run each (strokes, places)"
    )
    parser.add_argument("--wait", type=float, default=30, help="for the background (opening)")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the page (browser)")
    parser.add_argument("--json", type=Path, help="where the figures go too")
    options = parser.parse_args()
    options.classes = dict(options.classes)
    if options.what != "opening" and (options.truth is None or not options.classes):
        parser.error(f"{options.what} takes --truth and --classes")
    model = terrashot.load(options.checkpoint)
    measure, show = ACTS[options.what]
    with TemporaryDirectory() as folder:
        found = measure(model, options, Path(folder))
    show(found, Console())
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
