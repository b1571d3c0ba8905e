"""Describe a folder of images and labels as a dataset.

Looks at all images and labels below FOLDER (folders images/ and labels/ side by side), shows what
it found and a data config, and writes it to configs/data/NAME.yaml of the folder you are in once
you agree. Where FOLDER has no train.txt, it offers lists for training and validation too. Nothing
that exists is written over.

terrashot init-data /data/city --name city
terrashot init-data /data/city --name city --yes        # write without asking
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from terrashot.cli.command import make_parser, run_command
from terrashot.data.checks.survey import Survey, split_by_name, survey
from terrashot.data.imagery import PERCENTILE, Imagery
from terrashot.errors import ConfigError
from terrashot.files import atomic_write
from terrashot.image_spec import EIGHT_BIT, ImageSpec
from terrashot.taxonomy import IGNORE, Taxonomy

_VALIDATION = 0.2


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, look, propose, write; returns the exit code."""
    parser = make_parser("init-data", __doc__)
    parser.add_argument("root", type=Path, metavar="FOLDER", help="images and labels lie below it")
    parser.add_argument("--name", help="of the dataset (default: the folder's)")
    parser.add_argument("--yes", action="store_true", help="write without asking")
    options = parser.parse_args(arguments)
    return run_command(lambda: _init(options, Console()))


def _init(arguments: argparse.Namespace, console: Console) -> int:
    folder: Path = arguments.root
    name = arguments.name or re.sub(r"\W+", "_", folder.resolve().name).strip("_").lower()
    if not re.fullmatch(r"[\w-]+", name):
        raise ConfigError(f"--name is '{name}'; letters, digits, - and _ are allowed.")
    target = Path("configs") / "data" / f"{name}.yaml"
    if target.exists():
        raise ConfigError(f"{target} is there already. Give another --name, or remove the file.")
    with console.status(f"looking at {folder}", spinner="line"):
        found = survey(folder)
        root, config = found.root, propose(found, name)
        spec = Imagery(config.get("bands"), config.get("scale")).spec(
            [tile.image for tile in found.tiles], None
        )
    _show(found, spec, console)
    text = _header(found) + _yaml(config)
    console.print(f"\n[bold]{target}[/]", highlight=False)
    console.print(escape(text), highlight=False, soft_wrap=True)
    lists = {} if (root / "train.txt").exists() else _lists(found, root)
    for path, names in lists.items():
        console.print(f"[bold]{path}[/]: {len(names)} names", highlight=False)
    if not arguments.yes and not _agreed(console):
        console.print("nothing was written; --yes writes without asking")
        return 0
    for path, names in lists.items():
        _write(path, "\n".join(names) + "\n")
    _write(target, text)
    console.print(
        f"written. Rename the classes and move the novel ones under novel, then: terrashot "
        f"check-data {root} --config {name}; terrashot experiment=stage1 data={name}",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def propose(found: Survey, name: str) -> dict[str, Any]:
    """A data config with what can't be left to its defaults.

    Args:
        found: What the folder holds.
        name: Of the dataset.
    """
    config: dict[str, Any] = {"name": name, "root": str(found.root.resolve())}
    bands, dtype = _most(found.bands), _most(found.types)
    if bands != 3:
        config["bands"] = list(range(1, bands + 1))
    if dtype != EIGHT_BIT:
        config["scale"] = PERCENTILE
    names = [f"class_{number}" for number in range(1, len(found.classes) + 1)]
    if not found.are_ids:
        key = "colours" if found.colors else "map"
        codes = {_shown(found, code): n for code, n in zip(found.classes, names, strict=True)}
        if 0 in found.codes:
            codes = {_shown(found, 0): "background", **codes}
        if not found.colors and IGNORE in found.codes:
            codes[IGNORE] = "ignore"
        config["labels"] = {key: codes}
    config["taxonomy"] = {"base": names, "novel": []}
    return config


def _show(found: Survey, spec: ImageSpec, console: Console) -> None:
    console.print(
        f"{len(found.tiles)} images with a label, {found.unlabelled} without", highlight=False
    )
    sizes = ", ".join(f"{w} x {h} ({n})" for (w, h), n in found.sizes.most_common(4))
    more = f" and {len(found.sizes) - 4} more sizes" if len(found.sizes) > 4 else ""
    console.print(f"sizes: {sizes}{more}", highlight=False)
    console.print(f"bands: {_counted(found.bands)}; type: {_counted(found.types)}", highlight=False)
    console.print(f"reference system: {_counted(found.systems)}", highlight=False)
    console.print(f"mean {_list(spec.mean)}  std {_list(spec.std)}", highlight=False)
    if spec.scale is not None:
        pairs = ", ".join(f"{low:g} to {high:g}" for low, high in spec.scale)
        console.print(f"2nd to 98th percentile: {pairs}", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("label")
    table.add_column("% of pixels", justify="right")
    total = sum(found.codes.values())
    for code in sorted(found.codes):
        table.add_row(str(_shown(found, code)), f"{100 * found.codes[code] / total:.2f}")
    console.print(table)


def _header(found: Survey) -> str:
    """The first comment line, which is shown in --help, and what is left to the reader."""
    count = len(found.classes)
    return (
        f"# {len(found.tiles)} labelled tiles, {count} classes\n"
        "# Name the classes; those to be learned from a few tiles go from base to novel.\n"
    )


def _yaml(config: dict[str, Any]) -> str:
    """Ten lines where there are eight classes: lists and tables of plain values on a line each."""
    return yaml.safe_dump(
        config, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )


def _lists(found: Survey, root: Path) -> dict[Path, list[str]]:
    train, held = split_by_name(found.tiles, _VALIDATION)
    lists = {root / "train.txt": train, root / "stage1_val.txt": held}
    return {path: names for path, names in lists.items() if not path.exists()}


def _agreed(console: Console) -> bool:
    if not sys.stdin.isatty():
        return False
    return console.input("write this? [y/N] ").strip().lower() in ("y", "yes")


def _write(path: Path, text: str) -> None:
    if path.exists():
        raise ConfigError(f"{path} is there already and is left as it is.")
    # Checked as it will be read, so that no file is left that is none.
    if path.suffix == ".yaml":
        Taxonomy.from_dict(yaml.safe_load(text)["taxonomy"])
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _shown(found: Survey, code: int) -> int | str:
    return f"#{code:06x}" if found.colors else code


def _most(counter: Counter[Any]) -> Any:  # noqa: ANN401 - what is counted
    return counter.most_common(1)[0][0]


def _counted(counter: Counter[Any]) -> str:
    if len(counter) == 1:
        return str(_most(counter)) or "none"
    return ", ".join(f"{value or 'none'} ({n})" for value, n in counter.most_common())


def _list(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{value:.4f}" for value in values) + "]"
