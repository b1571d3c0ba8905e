"""Features of tiles on disk: extracted once, used by every job that runs on the same network."""

import hashlib
import json
import os
import time
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from terrashot.files import atomic_write

FORMAT = 4
"""Raise it whenever a network computes other maps from the same weights, or a file holds others."""
_SUFFIX = ".safetensors"
_MAP = "map_"


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
    come back bit by bit. Any number of processes may read, write and evict at the same time: an
    entry appears whole by a rename, two processes that compute the same one write the same bytes,
    and a reader holds its file open. A damaged entry counts as absent, with a warning.

    Args:
        folder: where entries lie; made when the first one is written.
        limit: bytes that all entries may take; the ones unused for longest are deleted first.
        context: plain values: checkpoint digest, tile size, precision, device, ...
    """

    def __init__(self, folder: Path, limit: float, context: Mapping[str, Any]) -> None:
        self.folder = folder
        self.limit = limit
        self._context = json.dumps({"format": FORMAT, **context}, sort_keys=True, default=str)

    def load(self, image: Path, view: tuple[int, ...] = ()) -> TileMaps | None:
        """The features of a tile, or None where they have to be computed.

        Args:
            image: the tile's image file.
            view: dimensions along which the image was flipped; () for the image as it is.
        """
        path = self._path(image, view)
        try:
            with safe_open(path, framework="pt") as file:
                notes = file.metadata() or {}
                maps = tuple(file.get_tensor(_MAP + str(i)) for i in range(len(file.keys()) - 1))
                packed = file.get_tensor("content")
            if notes.get("checksum") != _checksum(*maps, packed):
                raise ValueError("its checksum is another one")
            content = _unpacked(packed, json.loads(notes["size"]))
            found = TileMaps(maps, content, float(notes["seconds"]))
            os.utime(path)  # used just now: the last to be evicted
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            warnings.warn(
                f"{path} is damaged ({error}); the features of {image.name} are computed again.",
                stacklevel=2,
            )
            return None
        return found

    def save(self, image: Path, value: TileMaps, view: tuple[int, ...] = ()) -> None:
        """Keep the features of a tile; a disk that takes no more is told, not an error."""
        maps = [each.detach().cpu().contiguous() for each in value.maps]
        packed = _packed(value.content.cpu())
        if sum(each.nbytes for each in maps) > self.limit:
            return
        path = self._path(image, view)
        notes = {
            "checksum": _checksum(*maps, packed),
            "size": json.dumps(list(value.content.shape)),
            "seconds": repr(value.seconds),
            "image": str(image),
            "context": self._context,
        }
        try:
            with atomic_write(path) as temporary:
                tensors = {_MAP + str(i): each for i, each in enumerate(maps)}
                save_file({**tensors, "content": packed}, temporary, metadata=notes)
            self._evict(keep=path)
        except (OSError, SafetensorError) as error:
            warnings.warn(
                f"{self.folder}: the features of {image.name} could not be kept ({error}); each "
                "job computes them for itself. Free some space, or set adaptation.feature_cache=0.",
                stacklevel=2,
            )

    def _path(self, image: Path, view: tuple[int, ...]) -> Path:
        state = image.stat()
        identity = f"{image.resolve()} {state.st_size} {state.st_mtime_ns} {view} {self._context}"
        return self.folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}{_SUFFIX}"

    def _evict(self, keep: Path) -> None:
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if total <= self.limit:
                return
            if path != keep:
                path.unlink(missing_ok=True)  # another process may have been quicker
                total -= size

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Time of last use, bytes and path of each entry; what killed writers left is removed."""
        for entry in os.scandir(self.folder):
            try:
                state = entry.stat()
            except FileNotFoundError:
                continue
            if entry.name.startswith("."):
                if time.time() - state.st_mtime > 3600:
                    Path(entry.path).unlink(missing_ok=True)
            elif entry.name.endswith(_SUFFIX):
                yield state.st_mtime, state.st_size, Path(entry.path)


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
