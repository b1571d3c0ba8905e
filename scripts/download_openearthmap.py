"""Download the few-shot challenge set of OpenEarthMap and put it into the layout.

python scripts/download_openearthmap.py --root data/openearthmap

Stopped or cut off? The same command goes on where it stopped. Exit code: 0 done, 1 a problem that
the message explains, 2 wrong usage, 130 interrupted.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from terrashot.data.download.openearthmap import RECORD, OpenEarthMapDownload
from terrashot.errors import TerrashotError


def main() -> int:
    """Parse the command line, run the download, return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    arguments = parser.parse_args()
    try:
        OpenEarthMapDownload(**vars(arguments)).run()
    except TerrashotError as error:
        message = f"[bold red]error:[/] {escape(str(error))}"
        Console(stderr=True).print(message, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
