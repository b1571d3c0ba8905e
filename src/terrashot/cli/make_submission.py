"""Write the query maps of a stage-2 run as a submission to the OpenEarthMap few-shot challenge.

terrashot experiment=stage2 data=openearthmap data.split=test adaptation.save_maps=true
terrashot make-submission logs/stage2/latest
terrashot make-submission RUN_FOLDER --maps other/maps --output submission.zip

Every query map is checked first (there, the size of its tile, class ids in range); an archive is
written only when all are right. What is known of the format: src/terrashot/mapping/submission.py.
"""

import argparse
import json
import warnings
from collections.abc import Sequence
from pathlib import Path

from rasterio.errors import NotGeoreferencedWarning
from rich.console import Console

from terrashot.app.config.typed import load_settings
from terrashot.cli.command import make_parser, run_command
from terrashot.data.layout import FewShotLayout
from terrashot.errors import ConfigError
from terrashot.mapping.submission import write_submission
from terrashot.tasks.settings.runs import StageTwoSettings
from terrashot.taxonomy import Taxonomy


def main(arguments: Sequence[str]) -> int:
    """Write the submission of the command line; returns the exit code."""
    parser = make_parser("make-submission", __doc__)
    parser.add_argument("run", type=Path, help="folder of a stage-2 run with its maps")
    parser.add_argument("--maps", type=Path, help="other maps of its queries (RUN/maps)")
    parser.add_argument("--output", type=Path, help="the archive (RUN/submission_SPLIT.zip)")
    parser.add_argument("--root", type=Path, help="the dataset, where it has moved")
    options = parser.parse_args(arguments)
    return run_command(lambda: _write(options, Console()))


def _write(options: argparse.Namespace, console: Console) -> int:
    settings = load_settings(options.run / "config.yaml")
    if not isinstance(settings, StageTwoSettings):
        raise ConfigError(
            f"{options.run} is a run of experiment={settings.name}, which maps no query tiles. "
            "Give the folder of a stage-2 run with adaptation.save_maps=true."
        )
    data = settings.data
    taxonomy = Taxonomy.from_dict({"name": data.name, **data.taxonomy})
    layout = FewShotLayout(options.root or Path(data.root), data.split, hint=data.hint)
    output = options.output or options.run / f"submission_{data.split}.zip"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        made = write_submission(
            options.maps or options.run / "maps", layout.query, taxonomy.num_classes, output
        )
    for land, share in zip(taxonomy.classes, made.shares, strict=True):
        style = "yellow" if share == 0 and land.index else None
        line = f"  {land.index:>2} {land.name:<28} {100 * share:6.2f} % of the pixels"
        console.print(line, markup=False, highlight=False, style=style)
    results = options.run / "results.json"
    if results.is_file() and json.loads(results.read_text(encoding="utf-8")).get("external_masks"):
        console.print("these maps hold external masks: say so with the submission", style="yellow")
    console.print(f"{made.maps} maps in {made.path}", highlight=False, soft_wrap=True)
    return 0
