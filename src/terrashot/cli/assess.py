"""How good a map is: accuracy of the whole and of each class, and areas, with intervals.

terrashot sample map=city.tif n=640 output=points.gpkg      # then fill in the column class
terrashot assess map=city.tif reference=points.gpkg
terrashot assess map=new.tif reference=points.gpkg strata=old.tif leave_out=clouds
terrashot assess map=city.tif reference=truth.tif output=city_accuracy

The reference is a layer of points (a random sample within each class of the map, or of the map
strata=), a layer of polygons, or a raster of the truth. Written to the output folder:
accuracy.csv, error_matrix.csv, accuracy.tex, accuracy.html. Options may be written key=value or
--key value. Exit code: 0 done, 1 a problem that the message explains, 2 wrong usage.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from terrashot import __version__
from terrashot.assessment.summary import MapAssessment
from terrashot.cli.command import make_parser, parse_settings, run_command
from terrashot.errors import ConfigError
from terrashot.files import atomic_write
from terrashot.mapping.quality.assess import AssessOptions, assess_map
from terrashot.reporting.accuracy_files import accuracy_csv, accuracy_latex, matrix_csv
from terrashot.reporting.accuracy_table import accuracy_table, matrix_table
from terrashot.reporting.html.accuracy_report import accuracy_page
from terrashot.reporting.html.parts import Fact, Link
from terrashot.reporting.run_summary import short_path

_TABLES = ("accuracy.csv", "error_matrix.csv", "accuracy.tex")
_PAGE = "accuracy.html"


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = make_parser("assess", __doc__)
    parser.add_argument("--map", type=Path, required=True, help="raster of class ids, one band")
    parser.add_argument(
        "--reference", type=Path, required=True, help="layer of points or polygons, or a raster"
    )
    parser.add_argument(
        "--reference-attribute",
        default="class",
        metavar="COLUMN",
        help="names or numbers of classes (default: %(default)s)",
    )
    parser.add_argument("--reference-layer", metavar="NAME", help="where a file has several")
    parser.add_argument("--strata", type=Path, help="the map that the points were drawn from")
    parser.add_argument(
        "--leave-out", default="", metavar="CLASS,...", help="classes that are no part of the map"
    )
    parser.add_argument(
        "--confidence", type=float, default=0.95, help="of the intervals (default: %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where to (default: MAP_accuracy)"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Assess the map of the command line, print and write the figures; returns the exit code."""
    options = parse_settings(build_parser(), arguments)
    return run_command(lambda: _assess(options, arguments, Console()))


def _assess(options: argparse.Namespace, arguments: Sequence[str], console: Console) -> int:
    output = options.output or Path(f"{options.map.stem}_accuracy")
    _check_free(output)
    assessment = assess_map(
        options.map,
        options.reference,
        AssessOptions(
            attribute=options.reference_attribute,
            layer=options.reference_layer,
            strata=options.strata,
            leave_out=words(options.leave_out),
            confidence=options.confidence,
        ),
    )
    for note in assessment.notes:
        console.print(escape(note), style="yellow", highlight=False, soft_wrap=True)
    console.print(accuracy_table(assessment))
    console.print(matrix_table(assessment))
    console.print(assessment.assumption, markup=False, highlight=False)
    command = shlex.join(["terrashot", "assess", *arguments])
    _write(assessment, output, options, command)
    console.print(f"report: {escape(short_path(output / _PAGE))}", highlight=False, soft_wrap=True)
    return 0


def words(value: str) -> tuple[str, ...]:
    """The words of a list with commas."""
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _check_free(output: Path) -> None:
    """Find what would be written over, before anything is read."""
    if output.exists() and not output.is_dir():
        raise ConfigError(f"output={output} is a file. Name a folder; it is made.")
    there = next((output / n for n in (*_TABLES, _PAGE) if (output / n).exists()), None)
    if there is not None:
        raise ConfigError(
            f"{there} is there already and is left as it is. Name another folder with output=, or "
            "move that one away."
        )


def _write(
    assessment: MapAssessment, output: Path, options: argparse.Namespace, command: str
) -> None:
    facts = [
        Fact("command", command, code=True),
        Fact("map", str(options.map)),
        Fact("reference", str(options.reference)),
        *([Fact("strata", str(options.strata))] if options.strata else []),
        *([Fact("left out", options.leave_out)] if options.leave_out else []),
        Fact("terrashot", __version__),
    ]
    texts = {
        _TABLES[0]: accuracy_csv(assessment),
        _TABLES[1]: matrix_csv(assessment),
        _TABLES[2]: accuracy_latex(assessment),
        _PAGE: accuracy_page(
            assessment, options.map.name, facts, [Link(name, name) for name in _TABLES]
        ),
    }
    for name, text in texts.items():
        with atomic_write(output / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
