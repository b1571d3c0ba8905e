"""The colours of one scene; classes share them, as they do from the air."""

import numpy as np

from terrashot.demo.canvas import Color

_GRASS = [(0.37, 0.44, 0.26), (0.45, 0.48, 0.30), (0.54, 0.52, 0.36), (0.32, 0.40, 0.23)]
_CROP = [
    (0.31, 0.43, 0.22),
    (0.41, 0.47, 0.28),
    (0.62, 0.56, 0.37),
    (0.48, 0.40, 0.31),
    (0.64, 0.61, 0.27),
    (0.50, 0.50, 0.33),
]
_SOIL = [(0.58, 0.46, 0.35), (0.63, 0.53, 0.42), (0.51, 0.40, 0.31), (0.60, 0.50, 0.40)]
_LEAF = [(0.23, 0.31, 0.17), (0.28, 0.36, 0.20), (0.33, 0.36, 0.20), (0.20, 0.28, 0.18)]
_WATER = [(0.16, 0.24, 0.26), (0.22, 0.30, 0.26), (0.33, 0.38, 0.34), (0.26, 0.34, 0.24)]
_ASPHALT = [(0.38, 0.38, 0.39), (0.46, 0.46, 0.46), (0.54, 0.53, 0.51), (0.61, 0.59, 0.56)]
_PAVING = [(0.66, 0.55, 0.51), (0.61, 0.50, 0.48), (0.68, 0.58, 0.52), (0.57, 0.48, 0.46)]
_ROOF = [
    (0.58, 0.33, 0.25),
    (0.64, 0.36, 0.25),
    (0.47, 0.34, 0.28),
    (0.47, 0.46, 0.46),
    (0.33, 0.33, 0.35),
    (0.62, 0.58, 0.53),
    (0.52, 0.40, 0.33),
]
_SHEET = [(0.75, 0.74, 0.72), (0.68, 0.69, 0.70), (0.63, 0.65, 0.68), (0.71, 0.67, 0.60)]
_TURF = [(0.29, 0.50, 0.27), (0.34, 0.54, 0.30)]
_COURT = [(0.60, 0.37, 0.28), (0.57, 0.40, 0.31), (0.31, 0.41, 0.53)]
_STORES = [(0.50, 0.38, 0.26), (0.42, 0.30, 0.22), (0.55, 0.47, 0.36), (0.32, 0.40, 0.35)]
_CAR = [
    (0.90, 0.90, 0.90),
    (0.76, 0.77, 0.79),
    (0.14, 0.14, 0.16),
    (0.66, 0.13, 0.11),
    (0.14, 0.25, 0.55),
    (0.94, 0.93, 0.90),
]
_COLORS = {
    "grass": _GRASS,
    "crop": _CROP,
    "soil": _SOIL,
    "leaf": _LEAF,
    "water": _WATER,
    "asphalt": _ASPHALT,
    "paving": _PAVING,
    "roof": _ROOF,
    "sheet": _SHEET,
    "turf": _TURF,
    "court": _COURT,
    "stores": _STORES,
    "car": _CAR,
}


def scaled(color: Color, factor: float) -> Color:
    """The colour, brighter or darker."""
    return color[0] * factor, color[1] * factor, color[2] * factor


class Palette:
    """Draws colours by material; a scene's grass and its asphalt look alike all over the scene."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.grass = self.draw("grass")
        self.asphalt = self.draw("asphalt")
        self.paving = self.draw("paving")
        self.leaf = [self.draw("leaf") for _ in range(3)]
        self.cars = [self.draw("car") for _ in range(24)]
        # A street of houses is roofed alike; two kinds dominate a scene.
        self._roofs = [self.draw("roof") for _ in range(2)]

    def draw(self, material: str, spread: float = 0.06) -> Color:
        """A colour of the material: one of its kinds, mixed with another, and varied."""
        kinds = _COLORS[material]
        first, second = self._rng.integers(0, len(kinds), 2)
        share = 0.25 * self._rng.random()
        light = 1 + spread * self._rng.standard_normal()
        hue = 1 + 0.3 * spread * self._rng.standard_normal(3)
        mixed = (1 - share) * np.array(kinds[first]) + share * np.array(kinds[second])
        red, green, blue = np.clip(mixed * light * hue, 0.04, 0.95).tolist()
        return red, green, blue

    def near(self, color: Color, spread: float = 0.05) -> Color:
        """The colour, a little brighter or darker."""
        return scaled(color, 1 + spread * float(self._rng.standard_normal()))

    def roof(self) -> Color:
        """A house roof: mostly one of the scene's own two kinds."""
        pick = int(self._rng.integers(0, 3))
        return self.near(self._roofs[pick], 0.09) if pick < 2 else self.draw("roof")
