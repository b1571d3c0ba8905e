"""What every part of a scene is drawn with: canvas, frame, palette, sun and dice together."""

import math

import numpy as np

from terrashot.demo.canvas import Canvas, Color, Surface
from terrashot.demo.classes import Land
from terrashot.demo.frame import Frame, Rect
from terrashot.demo.palette import Palette, scaled


def box(center: tuple[float, float], length: float, width: float, angle: float) -> np.ndarray:
    """Corners [4, 2] of a turned rectangle; ``length`` runs along ``angle`` (radians)."""
    x, y = center
    au, av = math.cos(angle) * length / 2, math.sin(angle) * length / 2
    cu, cv = -math.sin(angle) * width / 2, math.cos(angle) * width / 2
    return np.array(
        [
            (x - au - cu, y - av - cv),
            (x + au - cu, y + av - cv),
            (x + au + cu, y + av + cv),
            (x - au + cu, y - av + cv),
        ]
    )


class Painter:
    """Draws in scene coordinates; heights are in pixels and cast shadows."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self.rng = rng
        self.canvas = Canvas(height, width)
        self.frame = Frame(rng, height, width)
        self.palette = Palette(rng)
        azimuth, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 1.0)
        #: Where the shadow of a point one pixel high falls, in pixels.
        self.sun = np.array([np.cos(azimuth), np.sin(azimuth)]) * length
        self._leaves = [self._leaf_surfaces(color) for color in self.palette.leaf]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def visible(self, rect: Rect, margin: float = 20.0) -> bool:
        """Whether a rectangle can reach into the picture."""
        points = self.frame.to_pixels(rect.outline())
        low, high = points.min(0) - margin, points.max(0) + margin
        inside = (high > 0) & (low < (self.canvas.width, self.canvas.height))
        return bool(inside.all())

    def in_picture(self, center: tuple[float, float], margin: float) -> bool:
        """Whether a point lies in the picture or within ``margin`` pixels of it."""
        x, y = self.frame.to_pixels(np.array(center)).tolist()
        inside_x = -margin < x < self.canvas.width + margin
        return inside_x and -margin < y < self.canvas.height + margin

    def polygon(self, points: np.ndarray, surface: Surface, height: float = 0.0) -> None:
        """Draw a polygon [N, 2]; with a height it is the top of a prism that casts a shadow."""
        pixels = self.frame.to_pixels(points)
        if height > 0:
            self.canvas.shade_prism(pixels, self.sun * height)
        self.canvas.polygon(pixels, surface)

    def rect(self, rect: Rect, surface: Surface) -> None:
        """Draw a flat rectangle."""
        if rect.width > 0 and rect.height > 0:
            self.polygon(rect.outline(), surface)

    def line(self, points: np.ndarray, surface: Surface, width: int = 1) -> None:
        """Paint a line along points [N, 2] onto the ground."""
        self.canvas.line(self.frame.to_pixels(points), surface, width)

    def roof_light(self, points: np.ndarray) -> float:
        """Brightness of a roof facet: its first edge is the eaves, the others rise from it."""
        pixels = self.frame.to_pixels(points)
        rise = pixels[2:].mean(0) - pixels[:2].mean(0)
        slope = rise / (np.hypot(*rise) + 1e-6)
        # The sun stands opposite to the shadows; a facet that rises along them faces it.
        return 1 + 0.30 * float(slope @ self.sun) / float(np.hypot(*self.sun))

    def points_in(self, rect: Rect, spacing: float) -> np.ndarray:
        """Jittered grid points [N, 2] in the rectangle, in random order."""
        columns, rows = int(rect.width / spacing), int(rect.height / spacing)
        if columns < 1 or rows < 1:
            return np.zeros((0, 2))
        grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2)
        jitter = self.rng.uniform(0.15, 0.85, grid.shape)
        cell = np.array([rect.width / columns, rect.height / rows])
        points = np.array([rect.left, rect.top]) + (grid + jitter) * cell
        return self.rng.permutation(points)

    def trees(self, points: np.ndarray, radius: tuple[float, float], floor: bool = False) -> None:
        """Draw tree crowns at points [N, 2], radii drawn from the range, in pixels.

        ``floor`` fills the gaps between crowns with dark wood floor, which is wood as well.
        """
        if len(points) == 0:
            return
        pixels = self.frame.to_pixels(points)
        size = np.array([self.canvas.width, self.canvas.height])
        pixels = pixels[((pixels > -radius[1] * 2) & (pixels < size + radius[1] * 2)).all(1)]
        radii = self.rng.uniform(*radius, len(pixels))
        kinds = self.rng.integers(0, len(self._leaves), len(pixels))
        lit = -self.sun / np.hypot(*self.sun)
        for (x, y), r in zip((pixels + self.sun * 7).tolist(), radii.tolist(), strict=True):
            self.canvas.shade_disc(x, y, r)
        if floor:
            for (x, y), r in zip(pixels.tolist(), radii.tolist(), strict=True):
                self.canvas.disc(x, y, 1.35 * r, self._leaves[0][0])
        rows = zip(pixels.tolist(), radii.tolist(), kinds.tolist(), strict=True)
        for (x, y), r, kind in rows:
            dark, middle, light = self._leaves[kind]
            self.canvas.disc(x, y, r, dark)
            self.canvas.disc(x + lit[0] * r * 0.25, y + lit[1] * r * 0.25, r * 0.68, middle)
            self.canvas.disc(x + lit[0] * r * 0.42, y + lit[1] * r * 0.42, r * 0.32, light)

    def vehicle(
        self, center: tuple[float, float], angle: float, length: float, width: float = 6.4
    ) -> None:
        """Draw a car or, from a length of 18 pixels on, a truck with its trailer."""
        if not self.in_picture(center, length + 8):
            return
        u, v = center
        cars = self.palette.cars
        color = cars[int(self.rng.integers(0, len(cars)))]
        body = Surface(Land.VEHICLE, color, fine=0.01, medium=0.0, coarse=0.0)
        self.polygon(box(center, length, width, angle), body, height=3.0)
        du, dv = math.cos(angle) * length, math.sin(angle) * length
        if length >= 18:
            bar = Surface(Land.VEHICLE, (0.15, 0.15, 0.16))
            self.polygon(box((u + 0.28 * du, v + 0.28 * dv), 1.6, width, angle), bar)
            return
        glass = Surface(Land.VEHICLE, scaled(color, 0.3), fine=0.01, medium=0.0, coarse=0.0)
        for where, depth in ((0.17, 1.8), (-0.3, 1.2)):
            pane = (u + where * du, v + where * dv)
            self.polygon(box(pane, depth, width - 1.2, angle), glass)

    @staticmethod
    def _leaf_surfaces(color: Color) -> tuple[Surface, Surface, Surface]:
        tint = (0.012, 0.008, 0.0)
        steps = (0.62, 0.98, 1.3)
        dark, middle, light = (
            Surface(Land.TREE, scaled(color, k), fine=0.16, medium=0.05, tint=tint) for k in steps
        )
        return dark, middle, light
