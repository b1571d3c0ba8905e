"""What a mapping run is going to write, held against what must not be replaced by it."""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terrashot.data.remote.address import RasterPath, RemoteFile
from terrashot.errors import ConfigError
from terrashot.files import FileIndex
from terrashot.mapping.cog import SIDECAR
from terrashot.mapping.ledger import Ledger
from terrashot.mapping.scene import opened


@dataclass(frozen=True)
class Target:
    """A file that will be written.

    Args:
        path: The file, in the output folder.
        scene: The scene that it is of.
        inside: Whether it is the ledger's own, which may be there already.
    """

    path: Path
    scene: RasterPath
    inside: bool = False


class Inputs:
    """All that a run reads, whatever path leads to it.

    Args:
        rasters: Scenes and masks; their sources, if they are VRTs, and side files count too.
        others: Further files, such as the model's.

    Raises:
        DataError: a VRT, or one inside it, can't be opened.
    """

    def __init__(self, rasters: Iterable[RasterPath], others: Iterable[Path] = ()) -> None:
        found = list(dict.fromkeys(f for raster in rasters for f in _files_of(raster)))
        self.files = [*found, *others]
        self._index = FileIndex(self.files)
        self._beside: dict[tuple[Path, str], Path] = {}
        for path in found:
            # In the place that a path names and in that where a link leads to.
            for place in (path.parent.resolve() / path.name, path.resolve()):
                for name in (place.stem, f"{place.name}."):
                    self._beside.setdefault((place.parent, _folded(name)), path)

    def replaced_by(self, target: Path) -> Path | None:
        """The input that would be lost if ``target`` were written."""
        return self._index.find(target)

    def beside(self, target: Path) -> Path | None:
        """The raster whose side file ``target`` would be, by its name: ``a.qml`` that of a.jpg."""
        folder, name = target.parent.resolve(), target.name
        starts = [name[: i + 1] for i, sign in enumerate(name) if sign == "."]
        keys = [(folder, _folded(part)) for part in (target.stem, *starts)]
        return next((self._beside[key] for key in keys if key in self._beside), None)


def check_targets(targets: Sequence[Target], inputs: Inputs, ledger: Ledger) -> None:
    """Find the first file that would be written over something, before any of them is.

    Args:
        targets: All files of all scenes.
        inputs: What is read.
        ledger: Knows which files of the folder earlier runs have made.

    Raises:
        ConfigError: it would replace an input, or count as one's side file; two scenes would have
            a file of one name; or a file is there that no run has made, or one of another scene.
    """
    _check_inputs(targets, inputs, ledger)
    _check_names(targets)
    # What is there is looked for before the ledger is read: another process may just be writing.
    present = [t for t in targets if not t.inside and os.path.lexists(t.path)]
    if present:
        _check_present(present, ledger)


def _check_inputs(targets: Sequence[Target], inputs: Inputs, ledger: Ledger) -> None:
    for target in targets:
        name = target.scene.name
        read = inputs.replaced_by(target.path)
        if read is not None:
            raise ConfigError(
                f"{target.path} is to be written for the scene {name}, but it is the same file as "
                f"{read}, which this run reads: the map would replace what it is made of. Name "
                "another output folder; it is made."
            )
        read = None if target.inside else inputs.beside(target.path)
        if read is not None:
            raise ConfigError(
                f"{target.path} is to be written for the scene {name}, but {read}, which this run "
                "reads, lies in the same folder under the same name, so that programs would take "
                "the one for a part of the other. Name another output folder; it is made."
            )
    rows = ledger.folder.resolve()
    for path in inputs.files:
        if path.resolve().is_relative_to(rows):
            raise ConfigError(
                f"{path} is read by this run, but lies in {ledger.folder}, which mapping runs "
                "clear of their unfinished rows. Move it, or name another output folder."
            )


def _check_names(targets: Sequence[Target]) -> None:
    """Hold the names against each other as the strictest file systems compare them."""
    taken: dict[tuple[Path, str], Target] = {}
    for target in targets:
        other = taken.setdefault((target.path.parent, _folded(target.path.name)), target)
        if other.scene == target.scene:
            continue
        if other.path.name == target.path.name:
            names = f"{target.path} is"
        else:
            names = (
                f"{other.path} and {target.path}, one file on disks that do not tell upper from "
                "lower case or spell accents in another way, are"
            )
        raise ConfigError(
            f"{names} to be written for two scenes, {other.scene} and {target.scene}: what is made "
            "of one would replace what is made of the other. Rename one of the scenes, or map "
            "them into two output folders."
        )


def _check_present(present: Sequence[Target], ledger: Ledger) -> None:
    owners = ledger.owners()
    for target in present:
        name, stem = target.path.name, target.scene.stem
        owner = owners.get(name) or owners.get(name.removesuffix(SIDECAR))
        if owner is None:
            raise ConfigError(
                f"{target.path} is to be written for the scene {target.scene.name}, but it is "
                f"there already, and no mapping run has made it: {ledger.folder} does not list "
                "it. Move or rename it, remove it if it can go, or name another output folder."
            )
        if owner != stem:
            raise ConfigError(
                f"{target.path} is to be written for the scene {target.scene.name}, but an "
                f"earlier run has made it for the scene {owner}. Rename the scene, or name "
                "another output folder."
            )
        note = ledger.note(stem) if name == f"{stem}.tif" else None
        mapped = (note or {}).get("scene")
        if note is not None and _is_of_another(note, target.scene):
            raise ConfigError(
                f"{target.path} is to be written for the scene {target.scene}, but it is the map "
                f"of another scene of that name, {mapped}. Name another output folder, rename the "
                f"scene, or remove {target.path} if that map can go."
            )


def _is_of_another(note: dict[str, Any], scene: RasterPath) -> bool:
    """Whether a map was made of another scene, which is still there."""
    mapped, key = str(note.get("scene") or ""), note.get("scene_key")
    if key is not None or isinstance(scene, RemoteFile):
        same = isinstance(scene, RemoteFile) and scene.key == key
        return not same and (key is not None or _is_there(mapped))
    return _is_there(mapped) and not os.path.samefile(mapped, scene)


def _is_there(mapped: str) -> bool:
    return bool(mapped) and os.path.exists(mapped)


def _files_of(raster: RasterPath) -> Iterator[Path]:
    """The files that GDAL reads for a raster: sources and side files, those inside VRTs too."""
    if isinstance(raster, RemoteFile):
        yield from [raster.local] if raster.local is not None else []
        return
    left, seen = [raster], {raster}
    while left:
        path = left.pop()
        yield path
        if path != raster and path.suffix.lower() != ".vrt":
            continue
        with opened(path) as source:
            names = [Path(name) for name in source.files if not name.startswith("/vsi")]
        left += [name for name in names if name not in seen]
        seen.update(names)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
