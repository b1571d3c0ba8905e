"""What the numbers of a class map mean."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rasterio.enums import ColorInterp

from terrashot.errors import DataError

LARGEST_ID = 65_535
_SHOWN = 12


@dataclass(frozen=True)
class Legend:
    """Names and colours by class id; either may be empty.

    Names are those of GDAL's categories, which terrashot's maps have in the ``.aux.xml`` beside
    them, and colours those of the palette.
    """

    names: dict[int, str]
    colors: dict[int, str]

    @classmethod
    def of(cls, source: Any) -> "Legend":  # noqa: ANN401 - rasterio has no types
        """Of an open raster."""
        colors = {}
        if source.colorinterp[0] == ColorInterp.palette:
            table = source.colormap(1)
            colors = {i: "#{:02x}{:02x}{:02x}".format(*rgb[:3]) for i, rgb in table.items()}
        return cls(dict(_categories(source)), colors)

    def name_of(self, index: int) -> str:
        """Its name, or the number itself."""
        return self.names.get(index) or str(index)

    def id_of(self, word: str, known: Iterable[int] = ()) -> int | None:
        """The class that a word means: a name in any case, or a number; None: none.

        Args:
            word: As it stands in a layer or on the command line.
            known: Ids that a number may be. A map without names takes any.
        """
        by_name = {name: index for index, name in self.names.items()}
        if word in by_name:
            return by_name[word]
        folded = [i for i, name in self.names.items() if name.casefold() == word.casefold()]
        if len(folded) == 1:
            return folded[0]
        if not word.isdecimal() or int(word) > LARGEST_ID:
            return None
        number = int(word)
        return number if not self.names or number in self.names or number in known else None

    def ids_of(self, words: Iterable[str], known: Iterable[int], where: str) -> dict[str, int]:
        """The classes of several words.

        Raises:
            DataError: some are no classes of the map.
        """
        ids = set(known)
        found = {word: self.id_of(word, ids) for word in words}
        unknown = sorted(word for word, index in found.items() if index is None)
        if unknown:
            names = [self.name_of(i) for i in sorted(ids | set(self.names))]
            close = difflib.get_close_matches(unknown[0], names, n=1)
            guess = f" Did you mean {close[0]} by {unknown[0]}?" if close else ""
            raise DataError(
                f"{where} names {_listed(unknown)}, but the map has the classes {_listed(names)}."
                f"{guess} Write the name or the number of a class of the map."
            )
        return {word: index for word, index in found.items() if index is not None}

    def left_out(self, words: Iterable[str]) -> frozenset[int]:
        """Classes that are no part of the map, by name, or by any number.

        Raises:
            DataError: a name is no class of the map.
        """
        given = list(words)
        numbers = [int(word) for word in given if word.isdecimal()]
        return frozenset(self.ids_of(given, numbers, "leave_out").values())


def _categories(source: Any) -> Iterator[tuple[int, str]]:  # noqa: ANN401 - rasterio has no types
    """GDAL's category names of band 1, which rasterio does not pass on."""
    for name in source.files:
        if not name.lower().endswith((".aux.xml", ".vrt")):
            continue
        try:
            root = ElementTree.parse(Path(name)).getroot()
        except (ElementTree.ParseError, OSError):
            continue  # GDAL reads the file itself, and says what is wrong with it
        for band in root.iter():
            if band.tag in ("PAMRasterBand", "VRTRasterBand") and band.get("band") == "1":
                for index, category in enumerate(band.iterfind("CategoryNames/Category")):
                    if category.text and category.text.strip():
                        yield index, category.text.strip()


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
