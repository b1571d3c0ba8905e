"""Look a dataset over before training: lists, files, sizes, label ids, splits, class shares.

terrashot check-data data/openearthmap
terrashot check-data FOLDER --config dubai
terrashot check-data FOLDER --num-base 8 --num-novel 4 --json report.json

Exit code: 0 no error (there may be warnings), 1 errors in the dataset, 2 wrong usage.
"""

import argparse
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from terrashot.cli.command import make_parser, run_command
from terrashot.configs_folder import find_option, options_of
from terrashot.data.checks.dataset import check_dataset
from terrashot.data.checks.render import render
from terrashot.data.imagery import Imagery
from terrashot.data.label_codes import LabelCodes
from terrashot.data.layout import FewShotLayout
from terrashot.errors import ConfigError, DataError
from terrashot.files import write_json
from terrashot.image_spec import RGB, ImageSpec
from terrashot.taxonomy import Taxonomy


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, check, print the report, return the exit code."""
    parser = make_parser("check-data", __doc__)
    parser.add_argument("root", type=Path, metavar="ROOT", help="the dataset's folder")
    parser.add_argument(
        "--config",
        metavar="NAME",
        help="classes from configs/data/NAME.yaml (default: ROOT's name)",
    )
    parser.add_argument(
        "--num-base",
        type=int,
        help="in place of --config: ids 0..N-1 are base, background 0 included",
    )
    parser.add_argument("--num-novel", type=int, default=0, help="how many novel ids follow")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the whole report there")
    parser.add_argument("--workers", type=int, help="reading threads (default: one a core)")
    options = parser.parse_args(arguments)
    return run_command(lambda: _check(options, Console()), failed=2)


def _check(arguments: argparse.Namespace, console: Console) -> int:
    taxonomy, names, config = _classes(arguments)
    codes = LabelCodes.of(config.get("labels"), taxonomy)
    columns = (
        TextColumn("Reading tiles"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
    )
    console.print(
        f"[bold]{escape(str(arguments.root))}[/] · {taxonomy.num_base - 1} base and "
        f"{taxonomy.num_novel} novel classes ({escape(taxonomy.name)})",
        highlight=False,
        soft_wrap=True,
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        report = check_dataset(
            arguments.root,
            taxonomy,
            arguments.workers,
            lambda done, total: progress.update(task, completed=done, total=total),
            _spec(arguments.root, config),
            codes,
        )
    if arguments.json is not None:
        write_json(arguments.json, report.to_dict())
    render(report, names, console)
    return 0 if report.ok else 1


def _spec(root: Path, config: Mapping[str, Any]) -> ImageSpec | None:
    """The channels of the images as the data config says; None: 8-bit RGB."""
    bands, scale = config.get("bands"), config.get("scale")
    if bands is None and scale is None:
        return None
    count = len(bands or RGB)
    # Statistics are not asked for, so that no more is read than a scale by percentiles needs.
    imagery = Imagery(bands, scale, (0.5,) * count, (0.25,) * count, config.get("rgb"))
    try:
        tiles = FewShotLayout(root, "test").unlabelled_train
        return imagery.spec([tile.image for tile in tiles], root)
    except DataError as error:
        # A list or a tile that is broken is to be found with all the others.
        for image in sorted(root.rglob("images/*")):
            with contextlib.suppress(DataError):
                return imagery.spec([image], root)
        raise error


def _classes(arguments: argparse.Namespace) -> tuple[Taxonomy, list[str], Mapping[str, Any]]:
    """The taxonomy, the names to show (val and test may have other novel ones), the config."""
    if arguments.num_base is not None:
        if arguments.num_base < 2 or arguments.num_novel < 0:
            raise ConfigError("--num-base counts background, so it is at least 2; --num-novel >= 0")
        rows: list[dict[str, str]] = [
            {"name": f"class {i}", "color": "#808080"}
            for i in range(arguments.num_base + arguments.num_novel)
        ]
        base, novel = rows[1 : arguments.num_base], rows[arguments.num_base :]
        taxonomy = Taxonomy.from_dict(
            {"name": "by number", "background": rows[0], "base": base, "novel": novel}
        )
        return taxonomy, ["background", *taxonomy.names[1:]], {}
    name = arguments.config or arguments.root.resolve().name
    path = find_option("data", name)
    if path is None:
        raise ConfigError(
            f"there are no classes for '{name}': known are {', '.join(options_of('data'))}. Choose "
            "with --config NAME, or give --num-base N --num-novel M."
        )
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if config.get("kind", "tiles") != "tiles":
        raise ConfigError(
            f"{path} describes {config['kind']}, but check-data looks at tiles. A run on "
            f"data={name} looks at its lists and files by itself before it trains."
        )
    value = config.get("taxonomy", config)
    # An interpolation such as ${data.novel_sets.${data.split}}: the sets stand beside it.
    sets: list[list[dict[str, str]]] = (
        list(config["novel_sets"].values())
        if isinstance(value.get("novel"), str)
        else [value.get("novel") or []]
    )
    taxonomies = [Taxonomy.from_dict({"name": name, **value, "novel": novel}) for novel in sets]
    largest = max(taxonomies, key=lambda t: t.num_classes)
    shown = [
        " / ".join(dict.fromkeys(t.names[i] for t in taxonomies if i < t.num_classes))
        for i in range(largest.num_classes)
    ]
    return largest, shown, config
