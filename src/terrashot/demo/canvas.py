"""The drawing board of a scene: every pixel holds the number of the surface it shows."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from terrashot.demo.textures import noise

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Surface:
    """What a pixel shows: its label, its colour and how the colour varies from place to place.

    ``color`` is RGB in 0..1 under neutral light. ``fine``, ``medium`` and ``coarse`` are relative
    brightness deviations by grain size. ``tint`` is a colour added in proportion to a slow
    mottling. ``rows`` is (kx, ky, amplitude) of a wave, radians a pixel: crop rows, roof seams.
    """

    label: int
    color: Color
    fine: float = 0.02
    medium: float = 0.02
    coarse: float = 0.03
    tint: Color = (0.0, 0.0, 0.0)
    rows: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def values(self) -> tuple[float, ...]:
        """The numbers of the lookup table, in the order ``Canvas.develop`` reads them."""
        return (*self.color, *self.tint, self.fine, self.medium, self.coarse, *self.rows)


class Canvas:
    """Surfaces and shadows of one scene; objects are drawn from the ground upwards.

    Coordinates are pixels, (x, y), origin in the upper left corner.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._surfaces: dict[Surface, int] = {}
        self._numbers = Image.new("I", (width, height), 0)
        self._shade = Image.new("L", (width, height), 0)
        self._draw = ImageDraw.Draw(self._numbers)
        self._draw_shade = ImageDraw.Draw(self._shade)

    def _number(self, surface: Surface) -> int:
        return self._surfaces.setdefault(surface, len(self._surfaces))

    def fill(self, surface: Surface) -> None:
        """Cover the whole canvas."""
        self._numbers.paste(self._number(surface), (0, 0, self.width, self.height))

    def polygon(self, points: np.ndarray, surface: Surface) -> None:
        """Draw a filled polygon, points [N, 2]; it lies in the light."""
        flat = points.ravel().tolist()
        self._draw.polygon(flat, fill=self._number(surface))
        self._draw_shade.polygon(flat, fill=0)

    def line(self, points: np.ndarray, surface: Surface, width: int = 1) -> None:
        """Draw a line along points [N, 2]; shadows on the ground stay, paint is flat."""
        self._draw.line(points.ravel().tolist(), fill=self._number(surface), width=width)

    def disc(self, x: float, y: float, radius: float, surface: Surface) -> None:
        """Draw a filled disc; it lies in the light."""
        box = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse(box, fill=self._number(surface))
        self._draw_shade.ellipse(box, fill=0)

    def shade_disc(self, x: float, y: float, radius: float) -> None:
        """Put a disc into shadow."""
        self._draw_shade.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)

    def shade_prism(self, points: np.ndarray, shift: np.ndarray) -> None:
        """Put the shadow of an upright prism over polygon [N, 2] into shadow.

        ``shift`` [2] is where the shadow of its top lies, seen from its foot.
        """
        # Plain numbers: numpy's overhead on four corners costs more than the drawing.
        dx, dy = shift.tolist()
        feet = points.tolist()
        tops = [(x + dx, y + dy) for x, y in feet]
        self._draw_shade.polygon([value for top in tops for value in top], fill=255)
        for i, (x, y) in enumerate(feet):
            (u, v), (top_u, top_v), (top_x, top_y) = feet[i - 1], tops[i - 1], tops[i]
            self._draw_shade.polygon((x, y, u, v, top_u, top_v, top_x, top_y), fill=255)

    def labels(self) -> np.ndarray:
        """The label of every pixel, uint8 [H, W]."""
        table = np.array([s.label for s in self._surfaces], np.uint8)
        return table[np.asarray(self._numbers)]

    def develop(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Turn surfaces into colours.

        Returns:
            colours in neutral light, float32 [3, H, W], about 0..1; shadow, float32 [H, W], 0 or 1.
        """
        numbers = np.asarray(self._numbers)
        table = np.array([s.values() for s in self._surfaces], np.float32).T.copy()  # [12, S]
        size = (self.height, self.width)
        fine, medium, coarse = (noise(rng, grain, *size) for grain in ("fine", "medium", "coarse"))
        mottling = 0.7 * noise(rng, "coarse", *size) + 0.5 * medium
        brightness = table[6][numbers]
        brightness *= fine
        brightness += table[7][numbers] * medium
        brightness += table[8][numbers] * coarse
        brightness += 1
        x = np.arange(self.width, dtype=np.float32)
        y = np.arange(self.height, dtype=np.float32)[:, None]
        # Rows follow the ground a little, so the phase drifts with the slow noise.
        wave = np.sin(table[9][numbers] * x + table[10][numbers] * y + 0.7 * coarse)
        brightness += table[11][numbers] * wave
        color = np.empty((3, *size), np.float32)
        for band in range(3):
            np.multiply(table[3 + band][numbers], mottling, out=color[band])
            color[band] += table[band][numbers]
            color[band] *= brightness
        return color, np.asarray(self._shade, np.float32) / 255
