"""From ``input=`` to the scenes that it names."""

import glob
import os
from collections import defaultdict
from pathlib import Path

from terrashot.data.remote.address import RasterPath, without_secrets
from terrashot.data.remote.places import elsewhere
from terrashot.errors import DataError

_SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".png", ".jpg", ".jpeg", ".img")


# What stands beside rasters: world files, masks, overviews, styles, notes.
_SIDE = (
    ".tfw", ".tifw", ".wld", ".jgw", ".jpgw", ".pgw", ".pngw", ".j2w", ".jp2w", ".ovr", ".msk",
    ".rrd", ".aux", ".xml", ".prj", ".qml", ".qmd", ".sld", ".clr", ".rpb", ".rpc", ".imd", ".txt",
    ".md", ".csv", ".json", ".html",
)  # fmt: skip


def find_scenes(value: str) -> list[RasterPath]:
    """The rasters of a file, a folder (not of folders in it), a glob, an address or a catalogue.

    Side files that a glob such as ``folder/*`` finds too are left out.

    Raises:
        DataError: there is none, or two have the same name, so that their maps would too.
    """
    remote = elsewhere(value)
    found: list[RasterPath] = [*sorted(_on_disk(value))] if remote is None else remote
    return _named_apart(value, found)


def _on_disk(value: str) -> list[Path]:
    path = Path(value)
    if path.is_dir():
        found = [
            p
            for p in path.iterdir()
            if p.suffix.lower() in _SUFFIXES and p.is_file() and not p.name.startswith(".")
        ]
        if not found:
            raise DataError(
                f"input={value}: the folder holds no raster ({', '.join(_SUFFIXES)}). Name the "
                "folder that holds the scenes themselves, or use a glob such as 'FOLDER/**/*.tif'."
            )
    elif path.is_file():
        found = [path]
    else:
        matches = glob.glob(_pattern(path), recursive=True)
        found = _without_side_files([p for p in map(Path, matches) if p.is_file()])
        if not found:
            raise DataError(
                f"input={value}: there is no such file or folder, and no file fits it as a "
                "pattern. Give a raster, a folder of rasters, a VRT, a glob in quotes such as "
                "'scenes/*.tif', an address (https://, s3://, /vsi...) or a catalogue (stac:...)."
            )
    return found


def _named_apart(value: str, found: list[RasterPath]) -> list[RasterPath]:
    """The same; raises where the maps of two would have one name."""
    by_stem = defaultdict(list)
    for scene in found:
        by_stem[scene.stem].append(scene)
    for same in by_stem.values():
        if len(same) > 1:
            raise DataError(
                f"input={without_secrets(value)}: {same[0]} and {same[1]} have the same name, so "
                "that one's map would replace the other's. Rename one, or map them into two output "
                "folders."
            )
    return found


def _pattern(path: Path) -> str:
    """The path as a pattern, in which the name of a folder that is there means itself."""
    start = Path(path.anchor)
    for index, part in enumerate(path.parts[len(start.parts) :], start=len(start.parts)):
        if not (start / part).is_dir():
            return os.path.join(glob.escape(str(start)), *path.parts[index:])
        start /= part
    return glob.escape(str(start))


def _without_side_files(found: list[Path]) -> list[Path]:
    rasters = [path for path in found if path.suffix.lower() in _SUFFIXES]
    known = {path.with_suffix("") for path in rasters} | set(rasters)
    return [
        path
        for path in found
        if path.suffix.lower() in _SUFFIXES
        or (path.suffix.lower() not in _SIDE and path.with_suffix("") not in known)
    ]
