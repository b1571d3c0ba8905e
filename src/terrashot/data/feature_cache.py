"""Features of tiles on disk: extracted once, used by every job that runs on the same network."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from terrashot.data.tensor_file import read_tensors, tensor_parts
from terrashot.files import atomic_write
from terrashot.full_disk import why

FORMAT = 4
"""Raise it whenever a network computes other maps from the same weights, or a file holds others."""
_SUFFIX = ".safetensors"
_MAP = "map_"
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
"""What is said of a file that another process, perhaps on another machine, has removed."""
_RESERVE = 1e9
_RESERVE_SHARE = 0.05
"""Bytes of a disk that the cache leaves free, for what has to be kept; of a small disk a share."""
_LEFT_BEHIND = 3600.0
"""Seconds after which a file that nobody writes to any more is one of a killed process."""
_LOOKS = 10


class _NoRoomError(Exception):
    """There is no room for an entry at the moment; says why."""


@dataclass(frozen=True)
class TileMaps:
    """What the frozen network makes of one tile.

    Args:
        maps: float32 [C_i, h_i, w_i], what its features are joined from (``Segmenter.maps``).
        content: bool [H, W], which pixels of the transformed image are no padding; flipped with
            the image where the entry is of a flipped view.
        seconds: what the network took for them, also where they come from the cache.
    """

    maps: tuple[Tensor, ...]
    content: Tensor
    seconds: float


class FeatureCache:
    """Features by image file and by everything they depend on.

    A tile is known by path, size and time of its image file; ``context`` says what else the
    features depend on, so that another network, size or precision has entries of its own. Numbers
    come back bit by bit. Any number of processes, on machines that share the folder too, may read,
    write and evict at the same time, without locks: an entry appears whole by a rename, two
    processes that compute the same one write the same bytes, a writer claims its room before it
    looks whether there is any, and a reader takes the whole file at once (a file of another
    machine that is removed under a memory map kills the process). A damaged entry counts as
    absent, with a warning; one that has gone, as absent. What can't be kept is told once.

    Args:
        folder: where entries lie; made when the first one is written.
        limit: bytes that all entries may take, as long as the disk has them; the ones unused for
            longest are deleted first.
        context: plain values: checkpoint digest, tile size, precision, device, ...
    """

    def __init__(self, folder: Path, limit: float, context: Mapping[str, Any]) -> None:
        self.folder = folder
        self.limit = limit
        self._told = False
        self._takes_more = True
        self._context = json.dumps({"format": FORMAT, **context}, sort_keys=True, default=str)

    def load(self, image: Path, view: tuple[int, ...] = ()) -> TileMaps | None:
        """The features of a tile, or None where they have to be computed.

        Args:
            image: the tile's image file.
            view: dimensions along which the image was flipped; () for the image as it is.
        """
        path = self._path(image, view)
        try:
            found = _read(path)
        except OSError as error:
            if error.errno not in _GONE:
                self._tell(f"{path} can't be read: {why(error)}")
            return None
        except (ValueError, KeyError, TypeError) as error:
            warnings.warn(
                f"{path} is damaged ({error}); the features of {image.name} are computed again.",
                stacklevel=2,
            )
            return None
        with contextlib.suppress(OSError):  # evicted since, or the file of another user
            os.utime(path)  # used just now: the last to be evicted
        return found

    def save(self, image: Path, value: TileMaps, view: tuple[int, ...] = ()) -> None:
        """Keep the features of a tile; a disk that takes no more is told once, not an error."""
        if not self._takes_more:
            return
        maps = [each.detach().cpu().contiguous() for each in value.maps]
        packed = _packed(value.content.cpu())
        path = self._path(image, view)
        notes = {
            "checksum": _checksum(*maps, packed),
            "size": json.dumps(list(value.content.shape)),
            "seconds": repr(value.seconds),
            "image": str(image),
            "context": self._context,
        }
        tensors = {_MAP + str(i): each for i, each in enumerate(maps)}
        parts = tensor_parts({**tensors, "content": packed}, notes)
        size = sum(len(part) for part in parts)
        if size > self.limit:
            limit = f"the limit is {self.limit / 1e6:,.1f} MB"
            self._tell(f"a tile takes {size / 1e6:,.1f} MB, and {limit}")
            return
        try:
            with atomic_write(path) as temporary, temporary.open("wb") as file:
                file.truncate(size)  # from now on, other processes count it
                self._make_room(temporary)
                for part in parts:
                    file.write(part)
        except _NoRoomError as reason:
            self._tell(f"{reason}")
        except OSError as error:
            if error.errno not in _GONE:  # else the folder was removed just now
                # A disk that is full may have room again, and whether is known without writing.
                self._takes_more = error.errno == errno.ENOSPC
                self._tell(f"{self.folder} takes no more of them: {why(error)}")

    def _path(self, image: Path, view: tuple[int, ...]) -> Path:
        state = image.stat()
        identity = f"{image.resolve()} {state.st_size} {state.st_mtime_ns} {view} {self._context}"
        return self.folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}{_SUFFIX}"

    def _tell(self, reason: str) -> None:
        if self._told:
            return
        self._told = True
        warnings.warn(
            f"Features of tiles are not all kept ({reason}); the run goes on and computes what is "
            "missing. Make room, name another folder with paths.feature_cache=<folder>, or set "
            "adaptation.feature_cache (GB; 0: none).",
            stacklevel=3,
        )

    def _make_room(self, coming: Path) -> None:
        """Delete what was unused for longest, until a file to be written has its room.

        Whoever writes has claimed its bytes before it looks here, so of several writers the last
        one to look sees all the others.

        Args:
            coming: the file, of its size but still empty.

        Raises:
            _NoRoomError: it has none, whatever is deleted; nothing was.
        """
        claim = coming.stat()
        entries, claims, unwritten = self._look(claim.st_mtime)
        disk = shutil.disk_usage(self.folder)
        reserve = min(_RESERVE, _RESERVE_SHARE * disk.total)
        kept = sum(entry.size for entry in entries)
        if claims > self.limit:
            raise _NoRoomError(f"{self.folder} is full of what other processes write just now")
        excess = max(kept + claims - self.limit, unwritten + reserve - disk.free)
        if excess > kept:
            raise _NoRoomError(
                f"a tile takes {claim.st_size / 1e6:,.1f} MB, and the disk of {self.folder} has "
                f"{disk.free / 1e6:,.1f} MB free, of which {reserve / 1e6:,.1f} MB are left to "
                "other files"
            )
        for entry in sorted(entries):
            if excess <= 0:
                return
            try:
                entry.path.unlink()
            except OSError:
                # Another process was quicker, for the sake of its own file; or it is the file of
                # another user, or one that is open on Windows.
                continue
            excess -= entry.size
        if excess > 0:
            raise _NoRoomError(f"{self.folder} holds nothing more that can be deleted")

    def _look(self, now: float) -> tuple[list["_Entry"], int, int]:
        """The entries, bytes that writers claim, and how many of these are not written yet.

        What killed writers left is removed. A claim that becomes an entry while one looks would
        be seen as neither, so one looks again.

        Args:
            now: the time as the file system has it, which may be that of a server.
        """
        for _ in range(_LOOKS):
            entries: list[_Entry] = []
            claims, unwritten, missed = 0, 0, False
            for each in os.scandir(self.folder):
                if not each.name.endswith(_SUFFIX):
                    continue
                is_claim = each.name.startswith(".")
                try:
                    state = os.stat(each.path)
                except OSError:
                    missed |= is_claim
                    continue
                if not is_claim:
                    entries.append(_Entry(state.st_mtime, state.st_size, Path(each.path)))
                elif now - state.st_mtime > _LEFT_BEHIND:
                    with contextlib.suppress(OSError):
                        os.unlink(each.path)
                else:
                    claims += state.st_size
                    unwritten += max(state.st_size - _bytes_on_disk(state), 0)
            if not missed:
                break
        return entries, claims, unwritten


@dataclass(frozen=True, order=True)
class _Entry:
    """A file of the cache: time of its last use, bytes, path."""

    used: float
    size: int
    path: Path


def _read(path: Path) -> TileMaps:
    """The features that a file holds; see ``read_tensors`` for what is raised."""
    tensors, notes = read_tensors(path)
    packed = tensors.pop("content")
    maps = tuple(tensors[_MAP + str(i)] for i in range(len(tensors)))
    if notes.get("checksum") != _checksum(*maps, packed):
        raise ValueError("its checksum is another one")
    return TileMaps(maps, _unpacked(packed, json.loads(notes["size"])), float(notes["seconds"]))


def _bytes_on_disk(state: os.stat_result) -> int:
    """What a file takes; where the system does not say (Windows), all of it."""
    blocks = getattr(state, "st_blocks", None)
    return state.st_size if blocks is None else int(blocks) * 512


def _packed(content: Tensor) -> Tensor:
    return torch.from_numpy(np.packbits(content.numpy()))


def _unpacked(packed: Tensor, size: list[int]) -> Tensor:
    height, width = size
    bits = np.unpackbits(packed.numpy(), count=height * width)
    return torch.from_numpy(bits.reshape(height, width).astype(bool))


def _checksum(*tensors: Tensor) -> str:
    value = 0
    for tensor in tensors:
        value = zlib.crc32(tensor.numpy().reshape(-1).view(np.uint8).data, value)
    return f"{value:08x}"
