"""All that can be known to be wrong before the first window is computed."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

from terrashot.errors import ConfigError, DataError, TerrashotError
from terrashot.image_spec import Band, ImageSpec
from terrashot.mapping.blending import Layers
from terrashot.mapping.discovery import find_scenes
from terrashot.mapping.scene import Scene, inspect_scene
from terrashot.mapping.vrt import check_vrt
from terrashot.taxonomy import Taxonomy

_SHOWN = 5


def check_scenes(
    value: str,
    spec: ImageSpec | None = None,
    bands: Sequence[Band] | None = None,
    scale: tuple[float, float] | str | None = None,
) -> list[Scene]:
    """The scenes that ``input=`` names, all of them looked at.

    Args:
        value: a file, folder or glob, an address, or a catalogue (``stac:``).
        spec: the network's channels; None: 8-bit RGB.
        bands: see ``inspect_scene``.
        scale: see ``inspect_scene``.

    Raises:
        DataError: there is none, or some can't be mapped; it says why for each.
    """
    scenes, problems = [], []
    for path in find_scenes(value):
        try:
            if isinstance(path, Path) and path.suffix.lower() == ".vrt":
                check_vrt(path)
            scenes.append(inspect_scene(path, spec, bands, scale))
        except TerrashotError as error:
            problems.append(str(error))
    if not problems:
        return scenes
    if len(problems) == 1:
        raise DataError(problems[0])
    more = f"\n(and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
    listed = "\n".join(f"- {p}" for p in problems[:_SHOWN])
    raise DataError(
        f"{len(problems)} of {len(problems) + len(scenes)} scenes can't be mapped:\n{listed}{more}"
    )


def check_output(folder: Path, scenes: Sequence[Scene], layers: Layers) -> None:
    """The folder of the maps: writable, with space for all of them.

    Raises:
        ConfigError: it is no folder.
        DataError: it has too little space, or can't be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"output={folder} is a file; name a folder for the maps.")
    existing = next(p for p in [folder.absolute(), *folder.absolute().parents] if p.exists())
    free = shutil.disk_usage(existing).free
    needed = sum(disk_space(scene, layers) for scene in scenes)
    if needed > free:
        raise DataError(
            f"output={folder}: the maps need up to {needed / 1e6:,.0f} MB there, but only "
            f"{free / 1e6:,.0f} MB are free. Make space, name a folder on another disk, or map "
            "fewer scenes at once."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):  # of a name that is nobody's
            pass
    except OSError as error:
        raise DataError(
            f"output={folder} can't be written to: {error.strerror}. Name another folder."
        ) from error


def disk_space(scene: Scene, layers: Layers) -> int:
    """Bytes that a map takes while it is made: finished rows, and the file made of them.

    A class map shrinks to an eighth or less of a byte a pixel; percentages hardly shrink.
    """
    each = 0.25 + (layers.count - 1) * 1.33  # a byte, and a third of it for overviews
    return round(2 * each * scene.pixels) + 2**20


def class_ids(names: Sequence[str], taxonomy: Taxonomy) -> tuple[int, ...]:
    """Ids of the classes of ``output.probabilities``.

    Raises:
        ConfigError: the model has no such class.
    """
    known = taxonomy.names
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f"output.probabilities names '{unknown[0]}', but the model's classes are "
            f"{', '.join(known)}. A name with a comma needs quotes: "
            "'output.probabilities=[\"sea, lake & pond\"]'."
        )
    return tuple(known.index(name) for name in dict.fromkeys(names))
