"""How GDAL reads over a network: its settings, and the bytes of a file."""

import os
import warnings
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from terrashot.data.remote.address import RemoteFile

# A request that gets no answer or no more bytes is given up, and asked again where the server was
# busy or gone for a moment; `patience` tries what GDAL does not.
_HTTP = {
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_LOW_SPEED_TIME": "30",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.5",  # seconds; about doubled each time
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
}
_HEAD = 1 << 16
"""Bytes that the header of a cloud-optimised GeoTIFF takes, up to some thousand blocks."""


def reading_options(file: RemoteFile, beside: bool = True) -> dict[str, str]:
    """GDAL's settings for a file; what the environment sets stays as it is.

    Args:
        file: The file.
        beside: Whether files beside it are looked for by their names: masks, world files. Folders
            are never listed.
    """
    options = {
        **_HTTP,
        "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE" if beside and not file.signed else "EMPTY_DIR",
        # A failure must not be remembered: the next attempt asks the server.
        "CPL_VSIL_CURL_NON_CACHED": file.gdal,
    }
    return {key: value for key, value in options.items() if key not in os.environ}


class RemoteBytes:
    """The bytes of a file; those at its head are kept.

    Args:
        file: The file.

    Raises:
        RasterioError: it can't be read.
    """

    def __init__(self, file: RemoteFile) -> None:
        self.file = file
        self.head = _longest_head(file)

    def __call__(self, first: int, count: int) -> bytes:
        """So many bytes from a place on.

        Raises:
            RasterioError: there are none, or they can't be read.
        """
        if first + count <= len(self.head):
            return self.head[first : first + count]
        return _read_bytes(self.file, first, count)


def _longest_head(file: RemoteFile) -> bytes:
    count = _HEAD
    while True:
        try:
            return _read_bytes(file, 0, count)
        except RasterioError as error:
            if "too small" not in str(error) or count == 1:
                raise
            count //= 2  # the file is shorter


def _read_bytes(file: RemoteFile, first: int, count: int) -> bytes:
    # As the pixels of a raw picture, so that they come the way that the real pixels come.
    band = (
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">'
        f'<SourceFilename relativeToVRT="0">{escape(file.gdal)}</SourceFilename>'
        f"<ImageOffset>{first}</ImageOffset><PixelOffset>1</PixelOffset>"
        f"<LineOffset>{count}</LineOffset></VRTRasterBand>"
    )
    text = f'<VRTDataset rasterXSize="{count}" rasterYSize="1">{band}</VRTDataset>'
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.Env(GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE="ALL"), rasterio.open(text) as raw:
            return bytes(np.asarray(raw.read(1)))
