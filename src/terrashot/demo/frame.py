"""The scene's own coordinates, the blocks of land in it and the streets between them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np


class Rect(NamedTuple):
    """A rectangle in scene coordinates (u, v), in pixels of the image."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Extent along u."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Extent along v."""
        return self.bottom - self.top

    def inset(self, margin: float) -> "Rect":
        """The rectangle without a rim of ``margin``."""
        return Rect(
            self.left + margin, self.top + margin, self.right - margin, self.bottom - margin
        )

    def outline(self, step: float = 30.0) -> np.ndarray:
        """Points [N, 2] around it, at most ``step`` apart, so that it can bend with the frame."""
        corners = np.array(
            [
                (self.left, self.top),
                (self.right, self.top),
                (self.right, self.bottom),
                (self.left, self.bottom),
                (self.left, self.top),
            ]
        )
        sides = []
        for start, end in pairwise(corners):
            count = 1 + int(np.abs(end - start).max() / step)
            sides.append(start + (end - start) * np.arange(count)[:, None] / count)
        return np.concatenate(sides)


@dataclass(frozen=True)
class Street:
    """A straight street in scene coordinates: ``horizontal`` along u at v = ``position``."""

    horizontal: bool
    position: float
    start: float
    end: float
    width: float
    level: int

    def rect(self, widen: float = 0.0, lengthen: float = 0.0) -> Rect:
        """The strip it covers."""
        half = self.width / 2 + widen
        along = (self.start - lengthen, self.end + lengthen)
        across = (self.position - half, self.position + half)
        if self.horizontal:
            return Rect(along[0], across[0], along[1], across[1])
        return Rect(across[0], along[0], across[1], along[1])

    def points(self, along: np.ndarray, offset: float = 0.0) -> np.ndarray:
        """Points [N, 2] at distances ``along`` on the line ``offset`` beside its middle."""
        across = np.full_like(along, self.position + offset)
        return np.stack([along, across] if self.horizontal else [across, along], 1)


class Frame:
    """Scene coordinates: turned against the image and gently bent, so that no road is straight."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        angle = rng.uniform(-np.pi, np.pi)
        self._turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self._middle = np.array([width / 2, height / 2])
        self._bend = rng.uniform(0, 9, 2)
        self._wave = 1 / rng.uniform(80, 140, 2)
        self._phase = rng.uniform(0, 2 * np.pi, 2)
        self.reach = 0.5 * float(np.hypot(height, width)) + 12

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Scene coordinates [..., 2] to pixels [..., 2]."""
        bent = points + self._bend * np.sin(points[..., ::-1] * self._wave + self._phase)
        return bent @ self._turn.T + self._middle

    def row_vector(self, along_u: bool, period: float) -> tuple[float, float]:
        """Wave vector, radians a pixel, of rows that run along u (or v) every ``period``."""
        direction = self._turn @ (np.array([0.0, 1.0]) if along_u else np.array([1.0, 0.0]))
        kx, ky = direction * 2 * np.pi / period
        return float(kx), float(ky)


def divide(
    rng: np.random.Generator, area: Rect, block: float, street_width: float, street_share: float
) -> tuple[list[Rect], list[Street]]:
    """Split ``area`` into blocks; the cuts are streets, each ends at an older one.

    Args:
        rng: draws where to cut.
        area: what to split.
        block: blocks longer than about this, in pixels, are cut.
        street_width: width of the first cuts; later ones are narrower.
        street_share: share of the later cuts that are streets, the others are mere borders.

    Returns:
        The blocks, without the streets' ground, and the streets, oldest first.
    """
    blocks, streets, waiting = [], [], [(area, 0)]
    while waiting:
        rect, level = waiting.pop(0)
        longest = max(rect.width, rect.height)
        if longest < block * rng.uniform(1.0, 1.45):
            blocks.append(rect)
            continue
        horizontal = rect.height > rect.width
        low, high = (rect.top, rect.bottom) if horizontal else (rect.left, rect.right)
        position = low + (high - low) * rng.uniform(0.36, 0.64)
        is_street = level == 0 or rng.random() < street_share
        width = street_width * (1.0 if level == 0 else 0.68) if is_street else 0.0
        start, end = (rect.left, rect.right) if horizontal else (rect.top, rect.bottom)
        if is_street:
            streets.append(Street(horizontal, position, start, end, width, level))
        near, far = position - width / 2, position + width / 2
        if horizontal:
            parts = [rect._replace(bottom=near), rect._replace(top=far)]
        else:
            parts = [rect._replace(right=near), rect._replace(left=far)]
        waiting += [(part, level + 1) for part in parts]
    return blocks, streets
