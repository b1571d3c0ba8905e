"""Other people's label files: which of their numbers or colours is which class."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from terrashot.errors import ConfigError, DataError
from terrashot.taxonomy import IGNORE, Taxonomy

_COLOR = re.compile(r"#?([0-9a-fA-F]{6})")
_WORDS = {"ignore": IGNORE, "background": 0}
_SHOWN = 8


@dataclass(frozen=True)
class LabelCodes:
    """From what a label file holds to class ids.

    Args:
        numbers: Pairs of a pixel value and the id it stands for; for labels of one band.
        colors: Pairs of a colour, as one number 0xRRGGBB, and its id; for coloured labels.
        other: The id of everything else; None: it is an error.
    """

    numbers: tuple[tuple[int, int], ...] = ()
    colors: tuple[tuple[int, int], ...] = ()
    other: int | None = None

    @classmethod
    def of(cls, value: Mapping[str, Any] | None, taxonomy: Taxonomy) -> "LabelCodes | None":
        """From ``data.labels``: ``map`` or ``colours``, and ``other``; None where there is none.

        The targets are names of classes, ``background`` or ``ignore``.

        Raises:
            ConfigError: another key, both or none of the two, a code that is no number or colour,
                or a target that is no class.
        """
        if not value:
            return None
        unknown = sorted(set(value) - {"map", "colours", "other"})
        given = [key for key in ("map", "colours") if value.get(key)]
        if unknown or len(given) != 1:
            found = f"the key '{unknown[0]}'" if unknown else " and ".join(given) or "neither"
            raise ConfigError(
                "data.labels says what other people's label files hold, either as numbers, "
                "map: {21: building, 22: road}, or as colours, colours: {'#ff0000': building}; "
                f"with other: ignore everything else is left out. It has {found}. Mend the data "
                "config."
            )
        targets = {**{c.name: c.index for c in taxonomy.classes}, **_WORDS}
        pairs = tuple(
            (_code(given[0], code), _target(targets, f"{given[0]}.{code}", name))
            for code, name in value[given[0]].items()
        )
        other = value.get("other")
        rest = None if other is None else _target(targets, "other", other)
        return cls(pairs, (), rest) if given == ["map"] else cls((), pairs, rest)

    def ids(
        self,
        pixels: np.ndarray,
        colormap: Mapping[int, Any] | None,
        path: Path,
        nodata: int | None = None,
    ) -> np.ndarray:
        """Class ids, uint8 [H, W].

        Args:
            pixels: Of the label file [bands, H, W].
            colormap: Its palette, where it has one: red, green, blue, alpha by pixel value.
            path: The file, for messages.
            nodata: A number that means no data where it is not named; None: there is none.

        Raises:
            DataError: it has another number of bands, or a code that is not named.
        """
        if self.numbers:
            if len(pixels) != 1 or pixels.dtype.kind not in "ui":
                raise DataError(
                    f"{path} has {len(pixels)} band(s) of type {pixels.dtype}, but data.labels.map "
                    "is for labels of one band of whole numbers; coloured labels are told by "
                    "data.labels.colours."
                )
            empty = {} if nodata is None else {nodata: IGNORE}
            return self._look_up(pixels[0].astype(np.int64), self.numbers, path, str, empty)
        return self._look_up(_colors(pixels, colormap, path), self.colors, path, "#{:06x}".format)

    def _look_up(
        self,
        codes: np.ndarray,
        pairs: tuple[tuple[int, int], ...],
        path: Path,
        shown: Any,  # noqa: ANN401
        empty: Mapping[int, int] = MappingProxyType({}),
    ) -> np.ndarray:
        found, where, counts = np.unique(codes, return_inverse=True, return_counts=True)
        known = {**empty, **dict(pairs)}
        strange = [i for i, code in enumerate(found.tolist()) if code not in known]
        if strange and self.other is None:
            listed = ", ".join(
                f"{shown(int(found[i]))} ({int(counts[i])} pixels)" for i in strange[:_SHOWN]
            )
            more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
            key = "map" if self.numbers else "colours"
            raise DataError(
                f"{path} holds {listed}{more}, which data.labels.{key} does not name; it names "
                f"{', '.join(shown(code) for code, _ in pairs)}. Add them, or say what everything "
                "else is: data.labels.other=ignore or data.labels.other=background."
            )
        ids = np.array([known.get(code, self.other) for code in found.tolist()], dtype=np.uint8)
        return ids[where].reshape(codes.shape)


def _code(key: str, code: object) -> int:
    if key == "map":
        try:
            return int(str(code))
        except ValueError:
            pass
    else:
        match = _COLOR.fullmatch(str(code))
        if match:
            return int(match.group(1), 16)
    expected = "a whole number" if key == "map" else "a colour such as '#ff0000'"
    raise ConfigError(f"data.labels.{key}: {code!r} is no code; {expected} was expected.")


def _target(targets: Mapping[str, int], key: str, name: object) -> int:
    if str(name) not in targets:
        raise ConfigError(
            f"data.labels.{key} is '{name}', but classes are {', '.join(targets)}. Mend the name, "
            "or list the class in the taxonomy."
        )
    return targets[str(name)]


def _colors(pixels: np.ndarray, colormap: Mapping[int, Any] | None, path: Path) -> np.ndarray:
    """Colours as one number 0xRRGGBB [H, W]."""
    if len(pixels) == 1 and colormap:
        table = np.full(int(max(pixels.max(), *colormap)) + 1, -1, dtype=np.int64)
        for value, (red, green, blue, *_) in colormap.items():
            table[value] = red << 16 | green << 8 | blue
        return table[pixels[0]]
    if len(pixels) not in (3, 4) or pixels.dtype != np.uint8:
        raise DataError(
            f"{path} has {len(pixels)} band(s) of type {pixels.dtype}, but data.labels.colours is "
            "for labels of three 8-bit bands, or of one with a palette; numbers are told by "
            "data.labels.map."
        )
    red, green, blue = (band.astype(np.int64) for band in pixels[:3])
    return red << 16 | green << 8 | blue
