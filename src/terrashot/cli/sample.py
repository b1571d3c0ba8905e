"""Points of a map to be labelled: a stratified random sample, for `terrashot assess`.

terrashot sample map=city.tif n=640
terrashot sample map=city.tif n=640 allocation=equal seed=1 output=points.gpkg
terrashot sample map=city.tif standard_error=0.01 expected=0.9,water:0.7 minimum=75

A GeoPackage with the columns number, class (empty: to be filled in with names or numbers of
classes) and stratum_id (to be left as it is). allocation=compromise gives each class at least
minimum points and shares the rest by area; proportional shares by area; equal gives each class as
many. standard_error draws as many points as an overall accuracy with this standard error needs, if
the user's accuracies are as expected. Options may be written key=value or --key value. Exit code: 0
written, 1 a problem that the message explains, 2 wrong usage.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from terrashot.assessment.allocation import ALLOCATIONS
from terrashot.cli.assess import words
from terrashot.cli.command import make_parser, parse_settings, run_command
from terrashot.errors import ConfigError
from terrashot.mapping.quality.sample import SampleOptions, write_sample
from terrashot.reporting.accuracy_table import sample_table
from terrashot.reporting.run_summary import short_path


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = make_parser("sample", __doc__)
    parser.add_argument("--map", type=Path, required=True, help="raster of class ids, one band")
    parser.add_argument("--n", type=int, help="points in all")
    parser.add_argument(
        "--standard-error", type=float, help="of the overall accuracy, a share; in place of n"
    )
    parser.add_argument(
        "--expected",
        default="0.8",
        metavar="SHARE,CLASS:SHARE,...",
        help="user's accuracies that are expected (default: %(default)s)",
    )
    parser.add_argument(
        "--allocation",
        choices=list(ALLOCATIONS),
        default="compromise",
        help="of the points to the classes (default: %(default)s)",
    )
    parser.add_argument(
        "--minimum",
        type=int,
        default=50,
        help="points of each class, in a compromise (default: %(default)s)",
    )
    parser.add_argument(
        "--leave-out", default="", metavar="CLASS,...", help="classes that are no part of the map"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to (default: MAP_points.gpkg)"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Draw the sample of the command line; returns the exit code."""
    options = parse_settings(build_parser(), arguments)
    return run_command(lambda: _sample(options, Console()))


def _sample(options: argparse.Namespace, console: Console) -> int:
    expected, expected_of = _expected(options.expected)
    drawn = write_sample(
        options.map,
        options.output or Path(f"{options.map.stem}_points.gpkg"),
        SampleOptions(
            units=options.n,
            standard_error=options.standard_error,
            expected=expected,
            expected_of=expected_of,
            allocation=options.allocation,
            minimum=options.minimum,
            leave_out=words(options.leave_out),
            seed=options.seed,
        ),
    )
    console.print(sample_table(drawn.names, drawn.shares, drawn.units))
    console.print(
        f"{int(drawn.units.sum())} points in {escape(short_path(drawn.path))}; fill in the column "
        "class, then: terrashot assess",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _expected(value: str) -> tuple[float, dict[str, float]]:
    """``0.8,water:0.7`` as 0.8 and that of water."""
    every = SampleOptions.expected
    single: dict[str, float] = {}
    for word in words(value):
        name, colon, number = word.rpartition(":")
        try:
            share = float(number)
        except ValueError as error:
            raise ConfigError(
                f"expected={value}: '{word}' is neither a share nor a class and its share, such as "
                "0.8,water:0.7."
            ) from error
        if colon:
            single[name] = share
        else:
            every = share
    return every, single
