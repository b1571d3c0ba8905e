"""What the output folder knows of its maps: which are finished, and with which settings."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from terrashot.files import write_json
from terrashot.mapping.scene import Scene
from terrashot.mapping.vrt import check_vrt

FOLDER = ".mapping"


class Ledger:
    """Keeps, in a hidden folder beside the maps, the rows at work and a note of each whole map.

    Args:
        output: the folder of the maps.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output / FOLDER

    def rows(self, stem: str, digest: str) -> Path:
        """The folder for finished rows of a scene, mapped with these settings."""
        return self.folder / stem / digest[:16]

    def note(self, stem: str) -> dict[str, Any] | None:
        """What is noted of a whole map; None where there is none."""
        try:
            note = json.loads((self.folder / f"{stem}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return note if isinstance(note, dict) else None

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
        for name in (self.note(stem) or {}).get("files", []):
            if name not in names:
                (self.output / name).unlink(missing_ok=True)
        write_json(self.folder / f"{stem}.json", {"digest": digest, "files": names, **facts})
        shutil.rmtree(self.folder / stem, ignore_errors=True)

    def add_files(self, stem: str, files: Sequence[Path]) -> None:
        """Note further files of a whole map."""
        note = self.note(stem) or {}
        names = [str(f.relative_to(self.output)) for f in files]
        note["files"] = list(dict.fromkeys([*note.get("files", []), *names]))
        write_json(self.folder / f"{stem}.json", note)

    def forget_others(self, stem: str, digest: str) -> None:
        """Remove rows that were computed with other settings."""
        keep = self.rows(stem, digest)
        if keep.parent.is_dir():
            for folder in keep.parent.iterdir():
                if folder != keep:
                    shutil.rmtree(folder, ignore_errors=True)


def scene_digest(scene: Scene, settings: Mapping[str, Any]) -> str:
    """A digest of all that a map depends on: the scene's files and the settings."""
    files = [scene.path]
    if scene.path.suffix.lower() == ".vrt":
        files += check_vrt(scene.path)
    states = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    text = json.dumps([states, repr(scene.identity), settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
