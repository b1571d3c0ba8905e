"""Unpacking a zip that nobody has vouched for: all of it is checked before a byte is written."""

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path

from terrashot.errors import DataError

_DRIVE = re.compile(r"[A-Za-z]:")


def unpacked_size(archive: Path) -> int:
    """Bytes that the members take once unpacked, by the zip's own directory."""
    return sum(info.file_size for info, _ in _members(archive))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack ``archive`` into ``folder``, which is made.

    Folders that macOS adds (``__MACOSX``, ``._name``, ``.DS_Store``) are left out.

    Raises:
        DataError: a damaged or encrypted zip; a member whose path leaves the folder (absolute,
            ``..``, a drive letter), stands twice, or is a link or device. Nothing is written
            for any of the latter.
    """
    members = _members(archive)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive) as source:
            for info, parts in members:
                target = folder.joinpath(*parts)
                if info.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with source.open(info) as content, target.open("xb") as out:
                    shutil.copyfileobj(content, out, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise _damaged(archive, error) from None
    except OSError as error:
        raise DataError(
            f"{archive}: unpacking into {folder} failed ({error.strerror or error}). Check that "
            "the disk has room and the folder may be written, then give the same command again."
        ) from None


def _members(archive: Path) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """The members with their paths as parts, each of them checked."""
    try:
        with zipfile.ZipFile(archive) as source:
            infos = source.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise _damaged(archive, error) from None
    members = []
    seen: set[tuple[str, ...]] = set()
    for info in infos:
        # Some Windows tools write backslashes; they are separators for whoever unpacks there.
        path = info.orig_filename.replace("\\", "/")
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        fault = _fault(info, path, parts)
        if not fault and not info.is_dir() and parts in seen:
            fault = "it stands twice"
        if fault:
            raise DataError(
                f"{archive.name}: the member {info.orig_filename!r} was refused: {fault}. A "
                "dataset needs plain files below the archive's own folder; nothing was unpacked. "
                "Do not trust this archive: compare it with its source."
            )
        seen.add(parts)
        extra = "__MACOSX" in parts or (parts and parts[-1].startswith(("._", ".DS_Store")))
        if parts and not extra:
            members.append((info, parts))
    return members


def _fault(info: zipfile.ZipInfo, path: str, parts: tuple[str, ...]) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if path.startswith("/"):
        return "its path is absolute"
    if ".." in parts:
        return "its path leads outside with '..'"
    if any(_DRIVE.match(part) for part in parts):
        return "its path holds a drive letter"
    if "\0" in path:
        return "its path holds a zero byte"
    if kind == stat.S_IFLNK:
        return "it is a symbolic link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is no plain file"
    if info.flag_bits & 1:
        return "it is encrypted"
    return ""


def _damaged(archive: Path, error: Exception) -> DataError:
    return DataError(
        f"{archive}: this is no whole zip archive ({error}). Remove it and give the command "
        "again to fetch it anew."
    )
