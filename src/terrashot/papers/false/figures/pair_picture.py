"""Pairs of windows side by side: the two views of a window, or two windows that look alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from terrashot.image_spec import ImageSpec
from terrashot.reporting.legend import INK, font

_MUTED = (140, 149, 159)
_RIGHT = (77, 154, 106)
_WRONG = (214, 39, 40)
_GAP = 10
_HEAD = 30
_TEXT = 34


@dataclass(frozen=True)
class Pair:
    """Two pictures uint8 [h, w, 3] with two short lines below; ``right`` colours their frame."""

    first: np.ndarray
    second: np.ndarray
    name: str
    note: str
    right: bool | None = None

    @classmethod
    def from_tensors(
        cls,
        images: tuple[Tensor, Tensor],
        spec: ImageSpec,
        name: str,
        note: str,
        right: bool | None = None,
    ) -> "Pair":
        """From two images in 0..1 [C, h, w] with the channels of ``spec``."""
        first, second = (spec.picture(image) for image in images)
        return cls(first, second, name, note, right)


def pair_picture(
    pairs: Sequence[Pair], title: str, columns: int = 4, side: int = 112
) -> np.ndarray:
    """Draw the pairs in rows of ``columns``, each picture ``side`` pixels wide.

    Returns:
        uint8 [H, W, 3].
    """
    step_x, step_y = 2 * side + 2 * _GAP, side + _TEXT + _GAP
    columns = min(columns, len(pairs))
    rows = -(-len(pairs) // columns)
    size = (_GAP + columns * step_x, _HEAD + rows * step_y)
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    draw.text((_GAP, 6), title, INK, font(14, bold=True))
    for number, pair in enumerate(pairs):
        left = _GAP + number % columns * step_x
        top = _HEAD + number // columns * step_y
        for place, picture in enumerate((pair.first, pair.second)):
            image = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
            canvas.paste(image, (left + place * (side + 2), top))
        if pair.right is not None:
            frame = (left - 2, top - 2, left + 2 * side + 3, top + side + 1)
            draw.rectangle(frame, outline=_RIGHT if pair.right else _WRONG, width=2)
        draw.text((left, top + side + 3), _fit(pair.name, 2 * side), INK, font(11))
        draw.text((left, top + side + 17), _fit(pair.note, 2 * side), _MUTED, font(11))
    return np.asarray(canvas)


def _fit(text: str, width: int) -> str:
    """The text, its end left out where it is wider than ``width`` pixels."""
    if font(11).getlength(text) <= width:
        return text
    while text and font(11).getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
