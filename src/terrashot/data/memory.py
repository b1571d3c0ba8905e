"""Keeping decoded tiles in memory, one copy for all worker processes."""

import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from terrashot.image_spec import ImageSpec


class TileMemory:
    """Decoded tiles (image and label) in memory that forked processes share.

    A loader's workers are forked, and a dictionary would be copied into each of them: W workers
    would decode every tile W times and hold it W times. Anonymous shared memory is seen by all
    of them, so each tile is decoded once by whichever worker needs it first and held once. (Not
    /dev/shm, which containers limit to 64 MB.) Two workers may decode the same tile at the same
    time; they write the same bytes.

    A process that was spawned instead of forked gets an empty memory of its own that keeps
    nothing: it reads from disk, which is slower and never wrong.

    Args:
        sizes: height and width of each tile, in the order of the indices.
        spec: the channels of the images, which are bytes or, where they are scaled, floats.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], spec: ImageSpec) -> None:
        self._sizes = list(sizes)
        self._dtype = np.dtype(np.uint8 if spec.scale is None else np.float32)
        self._channels = spec.channels
        # A tile begins where a float may: at a multiple of four bytes.
        ends = np.cumsum([0] + [-(-self._bytes_of(h * w) // 4) * 4 for h, w in sizes])
        self._starts = [int(e) for e in ends[:-1]]
        self.size = total = int(ends[-1])
        # Pages are only taken once they are written, so an unread tile costs nothing.
        self._bytes = np.frombuffer(mmap.mmap(-1, max(total, 1)), dtype=np.uint8)
        self._there = np.frombuffer(mmap.mmap(-1, max(len(sizes), 1)), dtype=np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        """What a spawned process gets: sizes without bytes."""
        return {**vars(self), "_bytes": None, "_there": None}

    def get(self, index: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Image [C, H, W] and label [H, W] of a tile, or None where it is not held yet."""
        if self._there is None or not self._there[index]:
            return None
        return self._views(index)

    def put(self, index: int, image: np.ndarray, label: np.ndarray) -> None:
        """Hold a decoded tile; a tile whose size is not the announced one is left out."""
        if self._there is None or label.shape != self._sizes[index]:
            return
        image_view, label_view = self._views(index)
        image_view[:] = image
        label_view[:] = label
        self._there[index] = 1  # last, so that no other process sees half a tile

    def _views(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        height, width = self._sizes[index]
        start, pixels = self._starts[index], height * width
        end = start + self._channels * self._dtype.itemsize * pixels
        image = self._bytes[start:end].view(self._dtype).reshape(self._channels, height, width)
        return image, self._bytes[end : end + pixels].reshape(height, width)

    def _bytes_of(self, pixels: int) -> int:
        return (self._channels * self._dtype.itemsize + 1) * pixels


def free_memory() -> int:
    """Bytes this process may still take: what the machine and its container leave free."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for line in _text("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):  # counts what the page cache would give back
            free = int(line.split()[1]) * 1024
    limit = _text("/sys/fs/cgroup/memory.max").strip()
    used = _text("/sys/fs/cgroup/memory.current").strip()
    if limit.isdigit() and used.isdigit():
        free = min(free, int(limit) - int(used))
    return max(free, 0)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""
