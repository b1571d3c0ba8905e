"""Paths for pyogrio, which reads archives and addresses out of their signs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyogrio.util import vsi_path

from terrashot.errors import DataError


@contextmanager
def plain_path(path: Path) -> Iterator[Path]:
    """Yield another path to a file, or to a new one, if pyogrio would misread its own.

    To pyogrio ``a!b`` is b in the archive a, and ``a;b`` is a (geopandas/pyogrio#632): it would
    write into the current folder or the root of the disk. So the file, or the folder of a new one,
    is named by its number in the system. The name of a new file has to be plain.

    Raises:
        DataError: the system has no such paths.
    """
    if vsi_path(path) == str(path):
        yield path
        return
    there = path.exists()
    handle = os.open(path if there else path.parent, os.O_RDONLY)
    try:
        state = os.fstat(handle)
        # Linux; macOS.
        numbered = (f"/proc/self/fd/{handle}", f"/.vol/{state.st_dev}/{state.st_ino}")
        found = next((Path(name) for name in numbered if os.path.exists(name)), None)
        if found is None:
            raise DataError(
                f"{path} can't be opened under this name: ! ; and ? are no plain signs for a "
                "GeoPackage on this system. Name an output folder without them."
            )
        yield found if there else found / path.name
    finally:
        os.close(handle)
