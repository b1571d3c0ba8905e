"""Writing files so that a partial one never stands where a whole one is expected."""

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block succeeds.

    On an error (a full disk, an interrupt) the temporary file is removed and whatever stood at
    ``path`` before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays, since writers such as rasterio and matplotlib choose the format by it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        # mkstemp makes the file private; a finished file has the rights any new file would have.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
