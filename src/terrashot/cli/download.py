"""Download a dataset and put it into the layout: the few-shot challenge set of OpenEarthMap.

terrashot download openearthmap --root data/openearthmap

Stopped or cut off? The same command goes on where it stopped. Exit code: 0 done, 1 a problem that
the message explains, 2 wrong usage, 130 interrupted.
"""

from collections.abc import Sequence
from pathlib import Path

from terrashot.cli.command import make_parser, run_command
from terrashot.data.download.openearthmap import RECORD, OpenEarthMapDownload


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, run the download, return the exit code."""
    parser = make_parser("download", __doc__)
    parser.add_argument("dataset", choices=["openearthmap"], help="what to fetch")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("data/openearthmap"),
        help="destination folder (default: %(default)s)",
    )
    parser.add_argument(
        "--record", default=RECORD, help="number of the Zenodo record (default: %(default)s)"
    )
    parser.add_argument(
        "--files",
        nargs="+",
        metavar="NAME",
        help="files of the record to fetch (default: all archives and lists)",
    )
    parser.add_argument(
        "--keep-archives", action="store_true", help="keep the archives in ROOT.download"
    )
    parser.add_argument(
        "--base-url",
        default="https://zenodo.org",
        help="server to ask, for a mirror (default: %(default)s)",
    )
    options = vars(parser.parse_args(arguments))
    del options["dataset"]

    def run() -> int:
        OpenEarthMapDownload(**options).run()
        return 0

    return run_command(run, interrupted="Interrupted. The same command goes on from here.")
