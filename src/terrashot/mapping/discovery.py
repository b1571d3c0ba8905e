"""From ``input=`` to the scenes that it names."""

import glob
from collections import defaultdict
from pathlib import Path

from terrashot.errors import DataError

_SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".png", ".jpg", ".jpeg", ".img")


def find_scenes(value: str) -> list[Path]:
    """The rasters of a file, a folder (not of folders in it) or a glob, sorted.

    Raises:
        DataError: there is none, or two have the same name, so that their maps would too.
    """
    path = Path(value)
    if path.is_dir():
        found = sorted(
            p
            for p in path.iterdir()
            if p.suffix.lower() in _SUFFIXES and p.is_file() and not p.name.startswith(".")
        )
        if not found:
            raise DataError(
                f"input={value}: the folder holds no raster ({', '.join(_SUFFIXES)}). Name the "
                "folder that holds the scenes themselves, or use a glob such as 'FOLDER/**/*.tif'."
            )
    elif path.is_file():
        found = [path]
    else:
        found = sorted(Path(p) for p in glob.glob(value, recursive=True) if Path(p).is_file())
        if not found:
            raise DataError(
                f"input={value}: there is no such file or folder, and no file fits it as a "
                "pattern. Give a raster, a folder of rasters, a VRT, or a glob in quotes such as "
                "'scenes/*.tif'."
            )
    by_stem = defaultdict(list)
    for scene in found:
        by_stem[scene.stem].append(scene)
    for same in by_stem.values():
        if len(same) > 1:
            raise DataError(
                f"input={value}: {same[0]} and {same[1]} have the same name, so that one's map "
                "would replace the other's. Rename one, or map them into two output folders."
            )
    return found
