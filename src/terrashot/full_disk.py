"""A disk, or a user's share of it, that takes no more: how that is seen, and what is said."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from terrashot.errors import FullDiskError

_WHY = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full (quota)",
    errno.EFBIG: "the disk is full for a file of this size (ulimit -f, or the file system)",
}


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk takes no more."""
    return isinstance(error, OSError) and error.errno in _WHY


def why(error: OSError) -> str:
    """What the system says of a file, in a few words."""
    number = error.errno or 0
    return _WHY.get(number) or (os.strerror(number) if number else str(error))


def free_bytes(path: Path) -> int | None:
    """What the disk of a path, which need not be there yet, leaves to this user; None: unknown."""
    with contextlib.suppress(OSError):
        there = next(p for p in [path.absolute(), *path.absolute().parents] if p.exists())
        return shutil.disk_usage(there).free
    return None


def room(path: Path, needed: int | None = None) -> str:
    """What is free on the disk of a path and, where known, what is needed: half a sentence."""
    free = free_bytes(path)
    left = "what is free is unknown" if free is None else f"{free / 1e6:,.1f} MB are free"
    return left if needed is None else f"{left}, and about {needed / 1e6:,.1f} MB are needed"


def full_disk(error: OSError, path: Path, needed: int | None = None) -> FullDiskError:
    """The error to be shown for one that ``is_full``.

    Args:
        error: what the system said.
        path: what was written.
        needed: bytes that it takes, where known.
    """
    place = Path(os.fsdecode(error.filename)) if error.filename else path
    message = f"{place} could not be written: {why(error)}; {room(place, needed)}. Make room there."
    return FullDiskError(error.errno or errno.ENOSPC, message)


@contextlib.contextmanager
def full_disk_told(path: Path, needed: int | None = None) -> Iterator[None]:
    """Name the file and the room that is left where a disk takes no more inside the block.

    Raises:
        FullDiskError: it does not.
    """
    try:
        yield
    except FullDiskError:
        raise
    except OSError as error:
        if not is_full(error):
            raise
        raise full_disk(error, path, needed) from error
