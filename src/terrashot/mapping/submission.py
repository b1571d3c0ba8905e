"""A submission to the OpenEarthMap few-shot challenge, checked before it is written.

What is known of the format, and from where:

- One ``.zip`` with a map of every image of the query set; the map of ``accra_2.tif`` is called
  ``accra_2.png``; "any other format of submission will not be accepted" (rules on the challenge's
  page, cliffbb.github.io/OEM-Fewshot-Challenge). Phase 1: the 30 val queries, phase 2: the 80 test
  queries.
- Pixels are uint8 class ids in label order: 0 background, 1 to 7 base, 8 to 11 novel (the baseline
  code of the challenge writes the argmax of its classifier as PNG).
- The page does not say how large a map must be, nor whether a folder inside the archive is
  allowed. The baseline evaluates, and writes, tiles that are resized and padded to 1024 pixels;
  here every map has the size of its tile, which is the same for tiles of 1024 x 1024, and the maps
  lie at the top of the archive.
"""

import io
import os
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image
from rasterio.errors import RasterioError

from terrashot.data.layout import Tile
from terrashot.data.reading import image_size
from terrashot.errors import ConfigError, DataError
from terrashot.files import atomic_write, check_not_read

_SUFFIXES = (".tif", ".tiff", ".png")
_SHOWN = 5
# A fixed time, so that equal maps give equal archives.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Submission:
    """What was written.

    Args:
        path: The archive.
        maps: Number of maps in it.
        shares: Share of all pixels [K] that each class has; a class that is never predicted is
            worth a second look.
    """

    path: Path
    maps: int
    shares: np.ndarray


def write_submission(
    maps: Path, queries: Sequence[Tile], num_classes: int, path: Path
) -> Submission:
    """Write the maps of all query tiles as a submission; nothing is written unless all are right.

    Args:
        maps: Folder with a map a query, ``<tile>.tif`` or ``.png``: one uint8 band of class ids.
        queries: The query tiles of the phase.
        num_classes: Ids run from 0 to this minus 1.
        path: The archive.

    Raises:
        ConfigError: the archive would replace a file that is no submission.
        DataError: a map is missing or there is one too many; one has another size than its tile,
            another pixel type, or an id out of range. The message names all such maps.
    """
    files = _files(maps, [tile.name for tile in queries])
    _check_path(path, [*files.values(), *(tile.image for tile in queries)])
    problems: list[str] = []
    counts = np.zeros(256, dtype=np.int64)
    for tile in queries:
        problem, ids = _read(files[tile.name], tile, num_classes)
        if problem or ids is None:
            problems.append(f"{files[tile.name].name} {problem}")
        else:
            counts += np.bincount(ids.reshape(-1), minlength=256)
    if problems:
        raise DataError(
            f"{len(problems)} of the {len(queries)} maps in {maps} can't be submitted: "
            f"{_listed(problems, '; ')}. Expected is one band of type uint8 of the size of the "
            f"tile, with class ids from 0 to {num_classes - 1}. Map the queries again with "
            "adaptation.save_maps=true."
        )
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for tile in queries:
            _, ids = _read(files[tile.name], tile, num_classes)
            assert ids is not None
            content = io.BytesIO()
            Image.fromarray(ids).save(content, format="PNG")
            entry = zipfile.ZipInfo(f"{tile.name}.png", _TIME)
            archive.writestr(entry, content.getvalue())
    return Submission(path, len(queries), counts[:num_classes] / max(1, counts.sum()))


def _check_path(path: Path, inputs: Sequence[Path]) -> None:
    """Refuse to replace anything but an earlier submission: a zip of PNGs, nothing beside them."""
    remedy = "Name another archive with --output."
    check_not_read([path], inputs, remedy)
    if not os.path.lexists(path):
        return
    names: list[str] = []
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    if not names or not all(re.fullmatch(r"[^/]+\.png", name) for name in names):
        raise ConfigError(
            f"{path} is there already, and it is no submission (a .zip of nothing but PNGs), so it "
            f"is not replaced. {remedy}"
        )


def _files(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """The map of each query."""
    if not folder.is_dir():
        raise DataError(
            f"{folder} does not exist. Maps of the query tiles are kept by a stage-2 run with "
            "adaptation.save_maps=true, in the folder maps/ of the run."
        )
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise DataError(
                f"{folder} holds two maps of one tile, {found[path.stem].name} and {path.name}. "
                "Remove one of them."
            )
        found[path.stem] = path
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(
            f"{folder} lacks the maps of {len(missing)} of {len(names)} query tiles: "
            f"{_listed(missing)}. A submission needs all of them. Let the run finish "
            "(resume=latest), without trainer.limit_test_batches."
        )
    extra = sorted(set(found) - set(names))
    if extra:
        raise DataError(
            f"{folder} holds {len(extra)} maps that are of no query tile of this split: "
            f"{_listed(extra)}. Are they of the other phase (data.split)? Remove them, or name "
            "the folder of the right run."
        )
    return found


def _read(path: Path, tile: Tile, num_classes: int) -> tuple[str, np.ndarray | None]:
    """What is wrong with a map, or its class ids [H, W]."""
    try:
        with rasterio.open(path) as source:
            if source.count != 1 or source.dtypes[0] != "uint8":
                return f"has {source.count} band(s) of type {source.dtypes[0]}", None
            ids = source.read(1)
    except RasterioError as error:
        return f"is damaged ({error})", None
    height, width = image_size(tile.image)
    if ids.shape != (height, width):
        return f"is {ids.shape[1]} x {ids.shape[0]} pixels, its tile {width} x {height}", None
    if ids.max() >= num_classes:
        return f"holds the id {ids.max()}", None
    return "", ids


def _listed(names: Sequence[str], separator: str = ", ") -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return separator.join(names[:_SHOWN]) + more
