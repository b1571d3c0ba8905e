"""Rasters that a SpatioTemporal Asset Catalog names (STAC 1.0 and 1.1, stacspec.org)."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from terrashot.data.remote.address import RemoteFile, scrubbed, without_secrets
from terrashot.errors import ConfigError, DataError, one_line

PREFIX = "stac:"
_WORDS = ("collection", "bbox", "date", "asset")
_DAY = r"\d{4}(-\d\d(-\d\d(T[\d:.]+Z?)?)?)?"
_SECONDS = 30
_ATTEMPTS = 5
_BUSY = (429, 502, 503, 504)
_RASTER = re.compile(r"image/(tiff|jp2|png|jpeg|vnd\.stac\.geotiff)", re.IGNORECASE)
_PREVIEW = {"thumbnail", "overview", "metadata"}


@dataclass(frozen=True)
class Catalogued:
    """What is asked of a catalogue: ``stac:PLACE#collection=A&bbox=W,S,E,N&date=D&asset=KEY``.

    Args:
        place: Path or address of an item, a collection of items, a catalogue, or an API.
        collection: Names of collections; empty: any.
        bbox: West, south, east, north in degrees; None: anywhere.
        date: First and last moment as ISO dates or starts of them; empty: open.
        asset: Key of the raster among an item's assets; None: there must be one.
    """

    place: str
    collection: tuple[str, ...] = ()
    bbox: tuple[float, ...] | None = None
    date: tuple[str, str] | None = None
    asset: str | None = None

    @classmethod
    def of(cls, value: str) -> "Catalogued":
        """Read what a user wrote.

        Raises:
            ConfigError: an unknown word, or a value that can't be.
        """
        place, _, asked = value.removeprefix(PREFIX).partition("#")
        said = without_secrets(value)
        words: dict[str, str] = {}
        for key, text in parse_qsl(asked, keep_blank_values=True):
            if key not in _WORDS or key in words or not text:
                raise ConfigError(
                    f"{said}: after # stand {', '.join(_WORDS)}, each once and with a value, for "
                    "example #collection=naip&bbox=-77.1,38.8,-77,38.9&date=2023&asset=image."
                )
            words[key] = text
        if not place:
            raise ConfigError(f"{said} names no catalogue: stac:FILE or stac:https://...")
        return cls(
            place,
            tuple(words["collection"].split(",")) if "collection" in words else (),
            _bbox(words["bbox"], said) if "bbox" in words else None,
            _date(words["date"], said) if "date" in words else None,
            words.get("asset"),
        )

    @property
    def everything(self) -> bool:
        """Whether nothing is asked for but an asset."""
        return not self.collection and self.bbox is None and self.date is None

    def fits(self, item: Any) -> bool:  # noqa: ANN401 - pystac is an extra
        """Whether an item is of the collections, in the box and in the time."""
        if self.collection and item.collection_id not in self.collection:
            return False
        if self.bbox is not None and (not item.bbox or not _meet(self.bbox, item.bbox)):
            return False
        return self.date is None or _within(item.properties, *self.date)


def catalogued(value: str) -> list[RemoteFile]:
    """The rasters of a catalogue, each named after its item, in the order of the names.

    Args:
        value: See ``Catalogued``.

    Raises:
        ConfigError: see ``Catalogued.of``; or the package is missing.
        DataError: the catalogue can't be read, no item fits, or an item has no such asset.
    """
    asked = Catalogued.of(value)
    try:
        import pystac
        import requests
        from pystac_client.exceptions import APIError
        from pystac_client.stac_api_io import StacApiIO
        from urllib3 import Retry
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{without_secrets(value)} needs the package pystac-client: install the extra with "
            "`pip install terrashot[stac]`."
        ) from error
    try:
        # Its reader asks again, with growing pauses or after those that the server names.
        busy = Retry(_ATTEMPTS, backoff_factor=1, status_forcelist=_BUSY, allowed_methods=None)
        found = list(_items(asked, StacApiIO(timeout=_SECONDS, max_retries=busy)))
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, APIError, pystac.STACError,
        pystac.STACTypeError, requests.RequestException,
    ) as error:  # fmt: skip
        raise DataError(
            f"{without_secrets(value)} cannot be read as a STAC catalogue: "
            f"{one_line(DataError(scrubbed(str(error), asked.place)))}. Give the JSON file or the "
            "address of an item, a collection of items, a catalogue or an API."
        ) from None
    if not found:
        raise DataError(
            f"{without_secrets(value)}: no item of this catalogue fits. Look at collection, bbox "
            "(west, south, east, north in degrees) and date."
        )
    return sorted((_file(item, asked) for item in found), key=lambda file: file.stem)


def _items(asked: Catalogued, reader: Any) -> Iterator[Any]:  # noqa: ANN401 - pystac is an extra
    """The items that fit."""
    import pystac

    place = asked.place if _is_url(asked.place) else str(Path(asked.place).absolute())
    content = reader.read_json(place)
    kind = content.get("type")
    if kind == "Feature":
        found: Any = [pystac.Item.from_dict(content, href=place)]
    elif kind == "FeatureCollection":
        found = [
            pystac.Item.from_dict(feature, href=_self_href(feature, place))
            for feature in content["features"]
        ]
    elif any(link.get("rel") == "search" for link in content.get("links", [])):
        found = _search(asked, place, reader, content["links"])
    elif kind in ("Catalog", "Collection"):
        whole = pystac.Catalog if kind == "Catalog" else pystac.Collection
        found = whole.from_file(place, _plain(reader)).get_items(recursive=True)
    else:
        raise ValueError(f"its type is {kind!r}")
    return (item for item in found if asked.fits(item))


def _plain(reader: Any) -> Any:  # noqa: ANN401 - pystac is an extra
    """The reader of pystac itself, which makes no clients of an API; another one asks for it."""
    from pystac.stac_io import DefaultStacIO

    class Reader(DefaultStacIO):
        def read_text(self, source: Any, *further: Any, **named: Any) -> str:  # noqa: ANN401
            return str(reader.read_text(source, *further, **named))

    return Reader()


def _search(
    asked: Catalogued,
    place: str,
    reader: Any,  # noqa: ANN401 - pystac is an extra
    links: Sequence[dict[str, Any]],
) -> Iterator[Any]:
    from pystac_client import Client

    if asked.everything:
        raise ConfigError(
            f"{PREFIX}{without_secrets(place)} is an API, which would list all that it has. Say "
            "what is meant: #collection=NAME&bbox=W,S,E,N&date=FROM/TO."
        )
    offered = {link.get("method", "GET") for link in links if link.get("rel") == "search"}
    date = None if asked.date is None else "/".join(end or ".." for end in asked.date)
    if asked.date is not None and asked.date[0] == asked.date[1]:
        date = asked.date[0]
    search = Client.open(place, stac_io=reader).search(
        method="POST" if "POST" in offered else "GET",
        collections=list(asked.collection) or None,
        bbox=asked.bbox,
        datetime=date,
    )
    return iter(search.items())


def _file(item: Any, asked: Catalogued) -> RemoteFile:  # noqa: ANN401 - pystac is an extra
    key = asked.asset or _only_raster(item)
    asset = item.assets.get(key)
    if asset is None:
        told = "which asset is meant?" if key is None else f"it has no asset '{key}'."
        raise DataError(
            f"STAC item {item.id}: {told} There are {', '.join(sorted(item.assets)) or 'none'}. "
            f"Name the raster's key: {PREFIX}...#asset=KEY."
        )
    href = asset.get_absolute_href() or asset.href
    if href.lower().startswith("file://"):
        href = unquote(urlsplit(href).path)
    return RemoteFile.of(href, name=item.id)


def _only_raster(item: Any) -> str | None:  # noqa: ANN401 - pystac is an extra
    """The key of the one asset that is a raster and no preview; of several, the one of data."""
    rasters = [
        key
        for key, asset in item.assets.items()
        if not _PREVIEW & set(asset.roles or ())
        if _RASTER.match(asset.media_type or "")
        or os.path.splitext(urlsplit(asset.href).path)[1].lower() in (".tif", ".tiff", ".jp2")
    ]
    data = [key for key in rasters if "data" in (item.assets[key].roles or ())]
    chosen = rasters if len(rasters) == 1 else data
    return chosen[0] if len(chosen) == 1 else None


def _self_href(feature: dict[str, Any], place: str) -> str:
    """Where an item of a collection lies: assets with relative paths are looked for from there."""
    links = [link["href"] for link in feature.get("links", []) if link.get("rel") == "self"]
    return urljoin(place, links[0]) if links else place


def _bbox(text: str, said: str) -> tuple[float, ...]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west = south = east = north = float("nan")
    if not (abs(west) <= 180 and abs(east) <= 180 and -90 <= south <= north <= 90):
        raise ConfigError(
            f"{said}: bbox is '{text}', but it must be west, south, east and north in degrees, "
            "for example bbox=-77.1,38.8,-77.0,38.9 (west of 180 degrees may lie east of it)."
        )
    return west, south, east, north


def _date(text: str, said: str) -> tuple[str, str]:
    first, mark, last = text.partition("/")
    ends = (first, last if mark else first)
    ends = ("" if ends[0] == ".." else ends[0], "" if ends[1] == ".." else ends[1])
    if not any(ends) or not all(re.fullmatch(_DAY, end) for end in ends if end):
        raise ConfigError(
            f"{said}: date is '{text}', but it must be a year, month, day or moment such as "
            "2023, 2023-07, 2023-07-01 or 2023-07-01T10:00:00Z, or two of them, FROM/TO, one of "
            "which may be .."
        )
    return ends


def _within(properties: dict[str, Any], first: str, last: str) -> bool:
    """Whether an item's time meets one; a shorter date stands for all of its day, month or year."""
    moment = properties.get("datetime")
    begin = properties.get("start_datetime") or moment or ""
    end = properties.get("end_datetime") or moment or ""
    return begin != "" and (not first or end[: len(first)] >= first) and (
        not last or begin[: len(last)] <= last
    )  # fmt: skip


def _meet(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two boxes in degrees meet; one whose west lies east of its east crosses 180."""
    if len(other) == 6:  # with heights
        other = [other[i] for i in (0, 1, 3, 4)]
    if one[1] > other[3] or other[1] > one[3]:
        return False
    return any(a <= d and c <= b for a, b in _spans(one) for c, d in _spans(other))


def _spans(box: Sequence[float]) -> list[tuple[float, float]]:
    west, east = box[0], box[2]
    return [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]


def _is_url(place: str) -> bool:
    return re.match(r"https?://", place, re.IGNORECASE) is not None
