"""From what a user wrote to rasters that lie elsewhere."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from terrashot.data.remote.address import RasterPath, RemoteFile, is_address
from terrashot.data.remote.stac import PREFIX, catalogued


def elsewhere(value: str) -> list[RasterPath] | None:
    """The rasters of an address or of a catalogue; None where a value is a path.

    Args:
        value: ``https://``, ``http://``, ``s3://``, ``/vsi...``, ``file://`` or ``stac:``.

    Raises:
        ConfigError: a word of a catalogue that can't be, or its package is missing.
        DataError: an address of no file, a catalogue that can't be read, or nothing in it.
    """
    if value.startswith(PREFIX) and not os.path.lexists(value):
        return list(catalogued(value))
    if value.lower().startswith("file://"):
        return [Path(unquote(urlsplit(value).path))]
    return [RemoteFile.of(value)] if is_address(value) else None
