"""A file under an address: what opens it, what its products are called, what may be said of it."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from terrashot.errors import DataError

CUT = "..."
"""Stands for what an address holds beside the place of a file: a signature, a password."""
_SCHEMES = {"http": "/vsicurl/http://", "https": "/vsicurl/https://", "s3": "/vsis3/"}
_ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://|/vsi[a-z0-9_]+[/?])[^\s'\"<>]*")
_SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".png", ".jpg", ".jpeg", ".img", ".gz")
_LONGEST = 150
# Parameters that sign an address or end it (Amazon, Google, Azure, CloudFront) or let someone in:
# a new signature leaves the scene what it was.
_SIGNING = re.compile(
    r"x-(amz|goog)-.*|awsaccesskeyid|googleaccessid|signature|sig|expires|policy|key-pair-id"
    r"|s[evtpr]|spr|sip|sk(oid|tid|t|e|s|v)|(access_?|sas_?)?token|(api_?|subscription-)?key|auth"
    r"|header\..*|userpwd",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RemoteFile:
    """A raster that GDAL reads from an address; where a path stands, it stands as well.

    As text it is its address without passwords and without anything behind a question mark.

    Args:
        address: ``https://``, ``http://``, ``s3://``, ``/vsi...``, or a path out of a catalogue.
        stem: Name of what is made of it, without ending.
        suffix: Ending of its own name, with the dot; may be empty.
    """

    address: str = field(repr=False)
    stem: str
    suffix: str = ""

    @classmethod
    def of(cls, address: str, name: str | None = None) -> "RemoteFile":
        """A file under an address.

        Args:
            address: As the user or a catalogue has written it.
            name: Of what is made of it; None: that of the file.

        Raises:
            DataError: an address of another kind, of no file, or one that was cut.
        """
        said = without_secrets(address)
        scheme = address.partition("://")[0].lower() if "://" in address else ""
        if not address.startswith("/vsi") and scheme and scheme not in _SCHEMES:
            raise DataError(
                f"{said}: addresses begin with https://, http://, s3:// or /vsi, not with "
                f"{scheme}://. GDAL has a name for other stores too, for example /vsigs/BUCKET/KEY "
                "or /vsiaz/CONTAINER/KEY."
            )
        if re.search(r"\?\.\.\.(?=$|#)|//\.\.\.@", address):
            raise DataError(
                f"{said}: what signs this address was left out where it was written down. Give the "
                "whole address again; what is finished of it stays."
            )
        own = PurePosixPath(unquote(urlsplit(_place(address)).path)).name
        suffix = PurePosixPath(own).suffix if own.lower().endswith(_SUFFIXES) else ""
        stem = _safe(own.removesuffix(suffix) if name is None else name)
        if not stem or not own or any(sign in own for sign in "*[]"):
            raise DataError(
                f"{said} names no single file. Folders and patterns are not listed over a network: "
                "name a file, a VRT on this machine that shows several (gdalbuildvrt), or a "
                "catalogue (stac:)."
            )
        if suffix.lower() == ".vrt":
            raise DataError(
                f"{said}: what a VRT shows is looked at before work, and that is done on this "
                "machine alone. Make the VRT here (gdalbuildvrt); the files that it shows may lie "
                "elsewhere."
            )
        return cls(address.replace(" ", "%20") if scheme else address, stem, suffix)

    @property
    def name(self) -> str:
        """As the name of a file."""
        return self.stem + self.suffix

    @property
    def gdal(self) -> str:
        """What GDAL opens."""
        scheme, mark, rest = self.address.partition("://")
        if mark and not self.address.startswith("/"):
            return _SCHEMES[scheme.lower()] + rest
        return self.address

    @property
    def signed(self) -> bool:
        """Whether more follows the place, so that no file beside it has an address."""
        return "?" in self.address

    @property
    def key(self) -> str:
        """A digest that tells this address from others, whatever it is signed with."""
        place, mark, query = self.address.partition("?")
        kept = [(k, v) for k, v in parse_qsl(query, True) if not _SIGNING.fullmatch(k)]
        plain = _without_user(place) + (mark and "?" + urlencode(kept))
        return hashlib.sha256(plain.encode()).hexdigest()

    @property
    def local(self) -> Path | None:
        """The file of this machine that is read, an archive say; None: there is none."""
        if "://" in self.address:
            return None
        rest = re.sub(r"^(/vsi[a-z0-9_]+/)+", "", self.address).translate({123: None, 125: None})
        rest = rest.rpartition(",")[2] if "/vsisubfile/" in self.address else rest
        paths = (Path(rest), Path("/") / rest)
        return next((p for path in paths for p in (path, *path.parents) if p.is_file()), None)

    def __str__(self) -> str:
        """The address, as it may be said and kept."""
        return without_secrets(self.address)


RasterPath = Path | RemoteFile
"""Where a raster lies: on this machine or under an address."""


def gdal_name(path: RasterPath) -> str | Path:
    """What ``rasterio.open`` is given for a file."""
    return path.gdal if isinstance(path, RemoteFile) else path


def is_address(value: str) -> bool:
    """Whether a text is an address and not a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://|/vsi[a-z0-9_]+[/?]", value) is not None


def without_secrets(text: str) -> str:
    """A text in which addresses have lost passwords and all that follows a question mark."""
    return _ADDRESS.sub(lambda found: _cut(found[0]), text)


def scrubbed(text: str, address: str) -> str:
    """A text, GDAL's say, without what an address holds beside the place of its file."""
    place, _, query = address.partition("?")
    user = re.search(r"://([^/@]+)@", place)
    for secret in (query.partition("#")[0], user[1] if user else ""):
        text = text.replace(secret, CUT) if secret else text
    return without_secrets(text)


def _cut(address: str) -> str:
    place, mark, rest = address.partition("?")
    fragment = rest.partition("#")[1:] if mark else ("", "")
    return _without_user(place, f"{CUT}@") + (f"?{CUT}" if mark else "") + "".join(fragment)


def _without_user(place: str, instead: str = "") -> str:
    return re.sub(r"://[^/@]+@", f"://{instead}", place)


def _place(address: str) -> str:
    """The address of the file itself, where GDAL's options stand before it."""
    head, _, query = address.partition("?")
    if head.startswith("/vsi"):
        return parse_qs(query).get("url", [""])[0] if head == "/vsicurl" else head
    return address


def _safe(name: str) -> str:
    """A name that any file system takes and that hides no file."""
    return re.sub(r"[^\w.+=@() -]", "_", name).lstrip(". ").rstrip(". ")[:_LONGEST]
