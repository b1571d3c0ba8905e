"""The legend below a picture: a box and a name for each class, in as many rows as it takes."""

from functools import lru_cache

import matplotlib
from PIL import ImageDraw, ImageFont

INK = (36, 41, 47)
GAP = 8
_ROW = 24

Entry = tuple[str, tuple[int, int, int]]
"""Name and colour."""


@lru_cache(maxsize=8)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """A font of ``size`` pixels; Pillow brings none with accents or arrows, matplotlib does."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{name}", size)


class Legend:
    """Names and colours, laid out for a picture.

    Args:
        entries: what is to be named.
        width: of the picture in pixels.
    """

    def __init__(self, entries: list[Entry], width: int) -> None:
        self._rows: list[list[tuple[int, Entry]]] = [[]]
        left = GAP
        for entry in entries:
            wide = 21 + round(font(12).getlength(entry[0])) + 18
            if left + wide > width and self._rows[-1]:
                self._rows.append([])
                left = GAP
            self._rows[-1].append((left, entry))
            left += wide

    @property
    def height(self) -> int:
        """Pixels that it takes below the picture."""
        return GAP + _ROW * len(self._rows) + GAP // 2

    def draw(self, draw: ImageDraw.ImageDraw, top: int) -> None:
        """Draw it below ``top``, where the picture ends."""
        for number, row in enumerate(self._rows):
            above = top + GAP + number * _ROW
            for left, (name, rgb) in row:
                draw.rectangle((left, above + 3, left + 15, above + 16), rgb, (160, 160, 160))
                draw.text((left + 21, above + 2), name, INK, font(12))
