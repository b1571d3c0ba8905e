"""What tells the content of a remote file from another."""

import hashlib
from typing import Any

from rasterio.windows import Window

from terrashot.data.remote.access import RemoteBytes
from terrashot.data.remote.address import RemoteFile
from terrashot.data.remote.blocks import read_blocks

_SAMPLE = 64


def fingerprint(file: RemoteFile, source: Any) -> str:  # noqa: ANN401 - rasterio has no types
    """A digest that changes with a file's content: its head, and pixels at its corners and middle.

    The head of a GeoTIFF says how many bytes each of its blocks takes, so that no compressed one
    changes without it.

    Args:
        file: The file.
        source: The same, open.

    Raises:
        RasterioError: it can't be read.
    """
    digest = hashlib.sha256(RemoteBytes(file).head)
    digest.update(repr((source.height, source.width, source.dtypes)).encode())
    side = min(_SAMPLE, source.height, source.width)
    ends = source.height - side, source.width - side
    for row, column in ((0, 0), (0, 2), (1, 1), (2, 0), (2, 2)):
        window = Window(ends[1] * column // 2, ends[0] * row // 2, side, side)
        digest.update(read_blocks(file, source, source.indexes, window).tobytes())
    return digest.hexdigest()
