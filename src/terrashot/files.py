"""Writing files: never half of one, and never over one that is still read."""

import errno
import hashlib
import json
import math
import os
import secrets
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from terrashot.errors import ConfigError
from terrashot.full_disk import full_disk_told

_BETWEEN_TRIES = 0.1
"""Seconds between two looks at a lock that another process holds, or at a file it replaces."""
_READS = 5


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block succeeds.

    On an error (a full disk, an interrupt) the temporary file is removed and whatever stood at
    ``path`` before is untouched.

    Raises:
        FullDiskError: the disk takes no more.
    """
    # The suffix stays, since writers such as rasterio and matplotlib choose the format by it.
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    with full_disk_told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not by mkstemp, which makes it private: the rights are those of any new file.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            _rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _rename(temporary: Path, path: Path) -> None:
    state = temporary.stat()
    try:
        temporary.replace(path)
    except FileNotFoundError:
        # A file server whose answer was lost is asked again, and finds nothing left to rename.
        if not os.path.samestat(path.stat(), state):
            raise


def read_text(path: Path) -> str:
    """Text of a file that other processes may replace at any moment.

    On a network file system a file that is replaced while it is read has a stale handle; it is
    opened anew.
    """
    for _ in range(_READS - 1):
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
            time.sleep(_BETWEEN_TRIES)
    return path.read_text(encoding="utf-8")


@contextmanager
def locked(path: Path, patience: float = 0.0) -> Iterator[bool]:
    """Hold a lock file for this process; yields False where another one that lives holds it.

    The system lets go of the lock when the process ends, however it ends. Where a file system
    knows no locks, that is told, and nothing keeps another process out.

    Args:
        path: The file; it stays.
        patience: Seconds to wait for the other process; ``math.inf``: until it lets go.
    """
    with full_disk_told(path):
        opened = path.open("w")
    with opened as file:
        limit = time.monotonic() + patience
        while not (own := _lock(file)) and time.monotonic() < limit:
            time.sleep(_BETWEEN_TRIES)
        yield own


def _lock(file: IO[str]) -> bool:
    """Lock a file, and say whether no other process has."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        folder = Path(file.name).parent
        warnings.warn(
            f"{folder}: the file system can't lock files ({error.strerror}), so nothing keeps a "
            "second process from working in this folder at the same time. Don't start another one "
            "there, or take a folder on a file system with locks.",
            stacklevel=2,
        )
    return True


class FileIndex:
    """Files by what they are, whatever path leads to them: a link, a hard link, another spelling.

    Args:
        paths: The files; they need not be there.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._known: dict[object, Path] = {}
        for path in paths:
            for key in _identities(path):
                self._known.setdefault(key, path)

    def find(self, path: Path) -> Path | None:
        """The file of the index that ``path`` leads to as well; None: none."""
        return next((self._known[k] for k in _identities(path) if k in self._known), None)


def check_not_read(targets: Iterable[Path], inputs: Iterable[Path], remedy: str) -> None:
    """Find a file that would be written over one that is read.

    Args:
        targets: What will be written.
        inputs: What is read.
        remedy: What to do about it, a sentence.

    Raises:
        ConfigError: there is one.
    """
    index = FileIndex(inputs)
    for target in targets:
        read = index.find(target)
        if read is not None:
            raise ConfigError(
                f"{target} is to be written, but it is the same file as {read}, which is read for "
                f"it and would be lost. {remedy}"
            )


def _identities(path: Path) -> Iterator[object]:
    try:
        yield str(path.resolve())
        state = path.stat()
    except (OSError, RuntimeError):  # not there, or a link that leads to itself
        return
    if state.st_ino:  # 0 on file systems that number no files
        yield state.st_dev, state.st_ino


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - anything that JSON can hold
    """Write ``value`` as indented JSON, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def without_nan(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Metrics as JSON can hold them: it has no nan, so an absent class is null."""
    return {k: None if math.isnan(v) else round(v, 6) for k, v in metrics.items()}


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content; read again only when its size or time has changed."""
    state = path.stat()
    return _digest(path.resolve(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
