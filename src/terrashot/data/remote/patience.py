"""Trying again where a network fails for a moment."""

import random
import re
import threading
from collections.abc import Callable
from typing import TypeVar

from rasterio.errors import RasterioError

from terrashot.data.remote.address import RemoteFile, scrubbed
from terrashot.errors import DataError, one_line

PAUSES = (1.0, 4.0, 16.0)
"""Seconds before each further attempt, after GDAL's own."""
_FINAL = {
    "401": "the server wants to know who asks",
    "403": "access is denied; a signature may have ended",
    "404": "there is no such file",
    "410": "the file is gone",
}
_NO_FILE = ("No such file", "does not exist")
T = TypeVar("T")


class RemoteError(DataError):
    """A file could not be read over a network.

    Args:
        message: For the user.
        final: Whether asking again is of no use.
    """

    def __init__(self, message: str, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


def remote_error(file: RemoteFile, error: RasterioError, what: str = "") -> RemoteError:
    """What to tell of a failure.

    Args:
        file: The file.
        error: What rasterio raised.
        what: The part of it that was asked for.
    """
    said = _told(file, error)
    code = next((c for c in _FINAL if f"response code: {c}" in said), None)
    if code is None and any(words in said for words in _NO_FILE):
        code = "404"
    if code is None and ("AccessDenied" in said or "InvalidCredentials" in said):
        code = "403"
    if code is not None:
        why = _FINAL[code]
        return RemoteError(
            f"{file}{what} cannot be read: {why} ({said}). Check the address, and the credentials "
            "that GDAL takes from the environment (AWS_..., GDAL_HTTP_HEADERS, GDAL_HTTP_USERPWD). "
            "The same command then goes on with what is left.",
            final=True,
        )
    return RemoteError(
        f"{file}{what} cannot be read ({said}), also not when asked {len(PAUSES) + 1} times. The "
        "connection or the server failed, or the file is damaged. Finished rows are kept; the same "
        "command goes on with what is left."
    )


def _told(file: RemoteFile, error: RasterioError) -> str:
    """The cause of a failure that says most, in one line."""
    root: BaseException = error
    while root.__cause__ is not None:
        root = root.__cause__
    text = scrubbed(str(root), file.address)
    short = re.search(r"got (\d+) bytes, expected (\d+)", text)
    if short:
        return f"{short[1]} of {short[2]} bytes came"
    return one_line(DataError(text)).rstrip(".")


def patiently(call: Callable[[], T], stop: threading.Event | None = None) -> T:
    """What a call returns, with further attempts after a ``RemoteError`` that may pass.

    Args:
        call: Raises a ``RemoteError`` where it can't read.
        stop: Ends the waiting: nobody needs the answer any more.
    """
    waiting = stop or threading.Event()
    for pause in PAUSES:
        try:
            return call()
        except RemoteError as error:
            # Many requests fail at once; they should not come back at once.
            if error.final or waiting.wait(pause * random.uniform(0.75, 1.25)):
                raise
    return call()
