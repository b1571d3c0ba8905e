"""What the output folder knows of its maps: which are finished, and with which settings."""

import hashlib
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from terrashot.data.remote.address import RasterPath, RemoteFile
from terrashot.errors import DataError
from terrashot.files import locked, read_text, write_json
from terrashot.mapping.scene import Scene
from terrashot.mapping.vrt import check_vrt

FOLDER = ".mapping"
_CLAIMS, _LOCK = ".mapping.json", ".mapping.lock"
"""Beside the folder, in which any name may be a scene's."""


class Ledger:
    """Keeps, in a hidden folder beside the maps, the rows at work and a note of each whole map.

    Args:
        output: the folder of the maps.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output / FOLDER

    def files(self, stem: str) -> list[Path]:
        """What is kept here of a scene: its note, and the folder of its rows."""
        return [self._note(stem), self.folder / stem]

    def claim(self, files: Mapping[Path, str]) -> None:
        """Note, before they appear, which files in the folder are of which scene (its stem).

        A run that is killed between a file and the note of its map has left no stranger.
        """
        new = {str(path.relative_to(self.output)): stem for path, stem in files.items()}
        if not new.items() - self._claims().items():
            return
        self.output.mkdir(parents=True, exist_ok=True)
        with locked(self.output / _LOCK, math.inf):  # other runs may begin at the same moment
            write_json(self.output / _CLAIMS, self._claims() | new)

    @property
    def is_begun(self) -> bool:
        """Whether a run has said which files are coming."""
        return (self.output / _CLAIMS).is_file()

    def owners(self) -> dict[str, str]:
        """The scene (its stem) of each file that a run has made, or was about to, by name."""
        found = {}
        for path in self.folder.glob("*.json"):
            stem = path.name.removesuffix(".json")
            found.update(dict.fromkeys((self.note(stem) or {}).get("files", []), stem))
        return found | self._claims()

    def rows(self, stem: str, digest: str) -> Path:
        """The folder for finished rows of a scene, mapped with these settings."""
        return self.folder / stem / digest[:16]

    def note(self, stem: str) -> dict[str, Any] | None:
        """What is noted of a whole map; None where there is none."""
        return _read(self._note(stem))

    def finished(self) -> list[tuple[str, dict[str, Any]]]:
        """Path and note of each whole map in the folder, by name."""
        stems = sorted(path.name.removesuffix(".json") for path in self.folder.glob("*.json"))
        notes = [(str(self.output / f"{stem}.tif"), self.note(stem)) for stem in stems]
        return [(path, note) for path, note in notes if note and "files" in note]

    def is_finished(self, stem: str, digest: str) -> bool:
        """Whether the map of a scene is whole, and made with these very settings."""
        note = self.note(stem)
        return (
            note is not None
            and note.get("digest") == digest
            and all((self.output / name).is_file() for name in note["files"])
        )

    def finish(
        self, stem: str, digest: str, files: Sequence[Path], facts: Mapping[str, Any]
    ) -> None:
        """Note that a map is whole; files of an earlier one that it lacks are removed."""
        names = [str(f.relative_to(self.output)) for f in files]
        claims = self._claims()
        for name in (self.note(stem) or {}).get("files", []):
            if name not in names and claims.get(name, stem) == stem:
                (self.output / name).unlink(missing_ok=True)
        write_json(self._note(stem), {"digest": digest, "files": names, **facts})
        shutil.rmtree(self.folder / stem, ignore_errors=True)

    def add_files(self, stem: str, files: Sequence[Path]) -> None:
        """Note further files of a whole map."""
        note = self.note(stem) or {}
        names = [str(f.relative_to(self.output)) for f in files]
        note["files"] = list(dict.fromkeys([*note.get("files", []), *names]))
        write_json(self._note(stem), note)

    def forget_others(self, stem: str, digest: str) -> None:
        """Remove rows that were computed with other settings."""
        keep = self.rows(stem, digest)
        if keep.parent.is_dir():
            for folder in keep.parent.iterdir():
                if folder != keep:
                    shutil.rmtree(folder, ignore_errors=True)

    def _note(self, stem: str) -> Path:
        return self.folder / f"{stem}.json"

    def _claims(self) -> dict[str, str]:
        return _read(self.output / _CLAIMS) or {}


def _read(path: Path) -> dict[str, Any] | None:
    """What a file says; None where it is not there or damaged.

    Raises:
        DataError: it can't be read now. It is no empty one, or writing it would lose what it says.
    """
    try:
        value = json.loads(read_text(path))
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        raise DataError(
            f"{path} can't be read ({error.strerror}), and it says which maps of the folder are "
            "finished. See to it that it can, then give the same command again."
        ) from error
    return value if isinstance(value, dict) else None


def address_key(path: RasterPath) -> dict[str, str]:
    """What a note says further of a scene whose address is not kept in full."""
    return {"scene_key": path.key} if isinstance(path, RemoteFile) else {}


def scene_digest(scene: Scene, settings: Mapping[str, Any]) -> str:
    """A digest of all that a map depends on: the scene's files and the settings."""
    if isinstance(scene.path, RemoteFile):
        states: list[tuple[str | int, ...]] = [(scene.path.key, scene.content)]
    else:
        files = [scene.path]
        if scene.path.suffix.lower() == ".vrt":
            files += check_vrt(scene.path)
        states = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    text = json.dumps([states, repr(scene.identity), settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
