"""What a Zenodo record holds: names, sizes, checksums and addresses of its files."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from terrashot.errors import DataError

# Servers may turn away the default agents of common libraries, so say who asks.
HEADERS = {"User-Agent": "terrashot dataset download"}
_MD5 = re.compile(r"md5:([0-9a-f]{32})")


@dataclass(frozen=True)
class RemoteFile:
    """One file of a record: name, size in bytes, md5 as 32 hex digits, address."""

    name: str
    size: int
    md5: str
    url: str


@dataclass(frozen=True)
class ZenodoRecord:
    """A record: its id, its title and its files."""

    id: str
    title: str
    files: tuple[RemoteFile, ...]

    @classmethod
    def fetch(
        cls, record: str, base_url: str = "https://zenodo.org", timeout: float = 30
    ) -> "ZenodoRecord":
        """Ask ``BASE_URL/api/records/RECORD``.

        Raises:
            DataError: no such record, no answer, or an answer that is no record.
        """
        url = f"{base_url.rstrip('/')}/api/records/{quote(record, safe='')}"
        request = Request(url, headers={**HEADERS, "Accept": "application/json"})
        try:
            with urlopen(request, timeout=timeout) as response:
                kind = response.headers.get_content_type()
                body = response.read()
        except HTTPError as error:
            if error.code in (404, 410):
                raise DataError(
                    f"{url}: there is no record {record} (HTTP {error.code}). Give the number "
                    "at the end of the record's address with --record."
                ) from None
            raise DataError(
                f"{url}: the server answered HTTP {error.code} {error.reason} instead of the "
                "record. Try again later; an unfinished download goes on where it stopped."
            ) from None
        except (OSError, HTTPException) as error:
            raise DataError(
                f"{url}: the record could not be read ({getattr(error, 'reason', error)}). Check "
                "the network, the proxy settings and --base-url, then try again."
            ) from None
        try:
            value = json.loads(body)
        except ValueError:
            raise DataError(
                f"{url}: expected the record as JSON, found {kind} that opens with "
                f"{body[:60].decode('utf-8', 'replace')!r}. A maintenance page or a proxy's login "
                "page looks like this: open the address in a browser, then try again."
            ) from None
        return cls.from_json(value, record, url)

    @classmethod
    def from_json(cls, value: Any, record: str, url: str) -> "ZenodoRecord":  # noqa: ANN401
        """Build from the API's answer: ``files`` with ``key, size, checksum, links.self``."""
        rows = value.get("files") if isinstance(value, Mapping) else None
        if not isinstance(rows, list) or not rows:
            raise DataError(
                f"{url}: the record lists no files, expected a list under 'files'. Its files may "
                "be restricted: open the record in a browser to see."
            )
        metadata = value.get("metadata")
        title = metadata.get("title") if isinstance(metadata, Mapping) else None
        files = tuple(_remote_file(row, url) for row in rows)
        return cls(record, str(title or f"record {record}"), files)


def _remote_file(row: Any, record_url: str) -> RemoteFile:  # noqa: ANN401 - foreign JSON
    """One entry of ``files``, checked, since a name becomes a path and an address is opened."""
    try:
        name, size, checksum = row["key"], row["size"], row["checksum"]
    except (KeyError, TypeError):
        raise DataError(
            f"{record_url}: a file entry is {str(row)[:120]}, expected 'key', 'size' and "
            "'checksum'. The record's format may have changed: please report it."
        ) from None
    if not isinstance(name, str) or name in ("", ".", "..") or re.search(r"[/\\:\0]", name):
        raise DataError(
            f"{record_url}: the record names a file {name!r}, expected a plain file name without "
            "a folder. Nothing was fetched."
        )
    md5 = _MD5.fullmatch(str(checksum))
    if md5 is None or not isinstance(size, int) or size < 0:
        raise DataError(
            f"{record_url}: '{name}' has size {size!r} and checksum {checksum!r}, expected bytes "
            "and 'md5:<32 hex digits>'. Without them a download cannot be checked."
        )
    links = row.get("links")
    url = (links.get("self") if isinstance(links, Mapping) else None) or (
        f"{record_url}/files/{quote(name)}/content"
    )
    if urlsplit(str(url)).scheme not in ("http", "https"):
        raise DataError(
            f"{record_url}: the address of '{name}' is {url!r}, expected one that begins with "
            "https://. Nothing was fetched."
        )
    return RemoteFile(name, size, md5[1], str(url))
