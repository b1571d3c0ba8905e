"""One file over HTTP: resumed where it stopped, checked, and only then given its name."""

import hashlib
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from terrashot.data.download.zenodo import HEADERS, RemoteFile
from terrashot.errors import DataError
from terrashot.full_disk import is_full

_CHUNK = 1 << 18
_LONGEST_WAIT = 120.0  # seconds; Zenodo's rate limit asks for about one minute


class _CutError(Exception):
    """The connection broke or the server is busy: worth another try."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Fetcher:
    """Downloads a :class:`RemoteFile` into a folder.

    The bytes go into ``NAME.part``, which outlives an interrupt and is continued by an HTTP Range
    request; the file takes its name only after its size and md5 are right.

    Args:
        folder: where the file goes.
        retries: tries in a row that bring nothing new before giving up.
        backoff: seconds before the second try; doubled for each further one.
        timeout: seconds without a byte after which a connection counts as cut.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        folder: Path,
        retries: int = 6,
        backoff: float = 1.0,
        timeout: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.folder = folder
        self.retries = retries
        self.backoff = backoff
        self.timeout = timeout
        self.sleep = sleep

    def present(self, file: RemoteFile) -> int:
        """Bytes of ``file`` that are here already, whole or in part."""
        for path in (self.folder / file.name, self._part(file)):
            if path.is_file():
                return min(path.stat().st_size, file.size)
        return 0

    def fetch(self, file: RemoteFile, progress: Callable[[int], None] | None = None) -> Path:
        """Return the whole, checked file; ``progress`` is told the bytes that are here.

        Raises:
            DataError: the server refuses, connections keep breaking, the disk is full, or the
                checksum is wrong twice.
        """
        report = progress or (lambda _: None)
        path = self.folder / file.name
        if path.is_file() and not _mismatch(path, file):
            report(file.size)
            return path
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self._part(file)
        for last in (False, True):
            self._download(file, part, report)
            wrong = _mismatch(part, file)
            if not wrong:
                part.replace(path)
                return path
            # A part that another version of the record left behind heals by starting over once.
            part.unlink()
            report(0)
            if last:
                raise DataError(
                    f"{file.name}: {wrong}, also after a second download from {file.url}. The file "
                    "was removed. Try again later or, if it stays so, tell the record's owners."
                )
        raise AssertionError("unreachable")

    def _part(self, file: RemoteFile) -> Path:
        return self.folder / f"{file.name}.part"

    def _download(self, file: RemoteFile, part: Path, report: Callable[[int], None]) -> None:
        """Ask again until ``part`` is as long as the file, or nothing new comes any more."""
        if part.is_file() and part.stat().st_size > file.size:
            part.unlink()
        best = part.stat().st_size if part.is_file() else -1
        failures = 0
        while True:
            try:
                self._one_try(file, part, report)
                return
            except _CutError as cut:
                # New ground is measured against the best try so far: a server that starts over
                # each time and always breaks at the same place must not go on for ever.
                length = part.stat().st_size if part.is_file() else 0
                failures = 1 if length > best else failures + 1
                best = max(best, length)
                if failures >= self.retries:
                    raise DataError(
                        f"{file.name}: {failures} tries in a row brought nothing new (the last: "
                        f"{cut}); {length:,} of {file.size:,} bytes are in {part}. Check the "
                        "network and give the same command again: it goes on from there."
                    ) from None
                wait = cut.wait if cut.wait is not None else self.backoff * 2 ** (failures - 1)
                self.sleep(min(wait, _LONGEST_WAIT))
            except OSError as error:
                hint = (
                    "The disk is full: make room"
                    if is_full(error)
                    else "Check the folder's rights and the disk"
                )
                raise DataError(
                    f"{part}: writing failed ({error.strerror or error}). {hint}, then give the "
                    "same command again: it goes on where it stopped."
                ) from None

    def _one_try(self, file: RemoteFile, part: Path, report: Callable[[int], None]) -> None:
        have = part.stat().st_size if part.is_file() else 0
        report(have)
        if have == file.size and part.is_file():
            return
        headers = {**HEADERS, "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with self._open(Request(file.url, headers=headers), file, part) as response:
            # 200 to a Range request is the whole file from its first byte: appending would
            # corrupt it.
            resumed = response.status == 206 and _range_start(response) == have
            if response.status == 206 and not resumed:
                part.unlink(missing_ok=True)
                raise _CutError("the server sent another range than asked for")
            have = have if resumed else 0
            with part.open("ab" if resumed else "wb") as out:
                for chunk in _chunks(response):
                    out.write(chunk)
                    have += len(chunk)
                    report(min(have, file.size))
                    if have > file.size:
                        return  # too long: the check names both sizes
        if have < file.size:
            raise _CutError(f"the connection ended after {have:,} bytes")

    def _open(self, request: Request, file: RemoteFile, part: Path) -> HTTPResponse:
        try:
            response: HTTPResponse = urlopen(request, timeout=self.timeout)
        except HTTPError as error:
            if error.code == 416:  # the part is no beginning of this file
                part.unlink(missing_ok=True)
                raise _CutError("the server cannot continue the partial file") from None
            if error.code in (408, 425, 429) or error.code >= 500:
                after = error.headers.get("Retry-After", "")
                wait = float(after) if after.isdigit() else None
                raise _CutError(f"HTTP {error.code} {error.reason}", wait) from None
            raise DataError(
                f"{file.name}: {file.url} answered HTTP {error.code} {error.reason}, expected the "
                "file. It may be restricted or gone: open the record in a browser to see."
            ) from None
        except (OSError, HTTPException) as error:
            raise _CutError(str(getattr(error, "reason", error)) or type(error).__name__) from None
        return response


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """The body; errors of the connection become ``_CutError``, apart from those of the disk."""
    while True:
        try:
            chunk = response.read1(_CHUNK)
        except (OSError, HTTPException) as error:
            raise _CutError(str(error) or type(error).__name__) from None
        if not chunk:
            return
        yield chunk


def _range_start(response: HTTPResponse) -> int:
    """First byte by ``Content-Range: bytes 100-199/200``; -1 where it is not told."""
    unit, _, span = response.headers.get("Content-Range", "").partition(" ")
    start = span.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdigit() else -1


def _mismatch(path: Path, file: RemoteFile) -> str:
    """What is wrong with the file, empty if nothing is."""
    size = path.stat().st_size
    if size != file.size:
        return f"it has {size:,} bytes, expected {file.size:,}"
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as content:
        while chunk := content.read(1 << 20):
            digest.update(chunk)
    found = digest.hexdigest()
    return "" if found == file.md5 else f"its md5 is {found}, expected {file.md5}"
