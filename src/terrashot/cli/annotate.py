"""`terrashot annotate ckpt=... input=... labels=...`: short for `experiment=annotate`."""

from collections.abc import Sequence

from terrashot.configs_folder import configs_folder

_HELP = """usage: terrashot annotate ckpt=MODEL input=SCENES labels=FILE.gpkg [key=value ...]

Serves a page on this machine: draw a few objects of a class on your scenes, see it found
everywhere, correct it, and take model and maps away. Every stroke is in FILE.gpkg at once.

  ckpt=logs/stage1/latest   a stage-1 network
  input=city.tif            a raster, a folder, a glob, an address
  labels=city.gpkg          a GeoPackage, made where there is none

  terrashot annotate ckpt=logs/stage1/latest input='city/*.tif' labels=city.gpkg

All settings: configs/experiment/annotate.yaml."""


def main(arguments: Sequence[str]) -> int:
    """Run the experiment; returns the exit code, or exits after the help as argparse does."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_HELP)
        if arguments:
            raise SystemExit(0)
        return 0
    from terrashot.app.main import main as run

    return run(configs_folder(), ["experiment=annotate", *arguments])
