"""The scene as a person sees it, in square pictures of every zoom."""

import io
import shlex
import threading

import numpy as np
import torch
from PIL import Image
from rasterio.windows import Window

from terrashot.data.raster import read_pixels, sample_pixels
from terrashot.data.remote.address import RemoteFile
from terrashot.data.remote.patience import patiently
from terrashot.image_spec import as_unit
from terrashot.mapping.scene import Scene, opened

SIDE = 256
"""Of a tile in pixels of the screen."""
_LARGE = 2**26
"""Pixels of a scene that takes seconds to read."""
_SMALL = 2048
"""Longer side of the picture that tiles of the whole scene are cut from."""


class ScenePicture:
    """Tiles of one scene, its bands and pixel type as in all other pictures.

    At zoom 0 a pixel of the screen is one of the scene; each zoom below it halves the picture.

    Args:
        scene: The scene.

    Attributes:
        advice: What makes a slow scene a quick one; empty where it is quick.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.advice = _advice(scene)
        self._lock = threading.Lock()
        self._stretch: tuple[float, float] | None = None
        self._small: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def lowest(self) -> int:
        """The zoom at which the scene fits into one tile."""
        zoom, side = 0, max(self._scene.height, self._scene.width)
        while side > SIDE:
            zoom, side = zoom - 1, -(-side // 2)
        return zoom

    def tile(self, zoom: int, column: int, row: int) -> bytes | None:
        """A picture of ``SIDE``: JPEG, or PNG where a part shows no data; None: all of it.

        Raises:
            DataError: the scene can't be read there.
        """
        if not self.lowest <= zoom <= 0:
            return None
        span = SIDE << -zoom
        top, left = row * span, column * span
        height = min(span, self._scene.height - top)
        width = min(span, self._scene.width - left)
        if top < 0 or left < 0 or height <= 0 or width <= 0:
            return None
        size = -(-height >> -zoom) or 1, -(-width >> -zoom) or 1
        if span > SIDE * self._factor:
            colors, valid = self._cut(top, left, height, width, size)
        else:
            colors, valid = self._read(Window(left, top, width, height), size)
        return _encoded(colors, valid)

    @property
    def _factor(self) -> int:
        """Pixels of the scene in one of the small picture, along a side."""
        return max(1, -(-max(self._scene.height, self._scene.width) // _SMALL))

    def _cut(
        self, top: int, left: int, height: int, width: int, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """A part of the small picture, which is read once."""
        with self._lock:
            if self._small is None:
                whole = self._scene.height, self._scene.width
                shape = -(-whole[0] // self._factor), -(-whole[1] // self._factor)
                self._small = self._read(Window(0, 0, whole[1], whole[0]), shape)
        colors, valid = self._small
        rows = (top + (np.arange(size[0]) + 0.5) * height / size[0]) // self._factor
        columns = (left + (np.arange(size[1]) + 0.5) * width / size[1]) // self._factor
        places = np.ix_(
            rows.astype(int).clip(0, valid.shape[0] - 1),
            columns.astype(int).clip(0, valid.shape[1] - 1),
        )
        return colors[places], valid[places]

    def _read(self, window: Window, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Colours, uint8 [h, w, 3], and which pixels hold data [h, w]."""
        scene = self._scene

        def read() -> tuple[np.ndarray, np.ndarray]:
            with opened(scene.path) as source:
                if self._stretch is None:
                    sample = scene.spec.pixels(sample_pixels(source, scene.raster))
                    self._stretch = scene.spec.stretch(as_unit(torch.from_numpy(sample[..., None])))
                return read_pixels(source, scene.raster, window, size)

        raw, valid = patiently(read)
        image = as_unit(torch.from_numpy(scene.spec.pixels(raw)))
        return scene.spec.picture(image, self._stretch), valid


def _advice(scene: Scene) -> str:
    """How to make overviews of a large scene that has none: nothing is written beside it unasked.

    Raises:
        DataError: the scene can't be opened.
    """
    if scene.pixels <= _LARGE:
        return ""
    with opened(scene.path) as source:
        if source.overviews(scene.raster.bands[0]):
            return ""
    found = (
        f"{scene.path} has {scene.width} x {scene.height} pixels and no overviews, so its first "
        "picture takes as long as reading all of it."
    )
    if isinstance(scene.path, RemoteFile):
        return found
    return f"{found} `gdaladdo -ro {shlex.quote(str(scene.path))}` makes them, in a file beside it."


def _encoded(colors: np.ndarray, valid: np.ndarray) -> bytes:
    file = io.BytesIO()
    beyond = [(0, SIDE - length) for length in valid.shape]
    colors, valid = np.pad(colors, [*beyond, (0, 0)]), np.pad(valid, beyond)
    if valid.all():
        Image.fromarray(colors).save(file, "JPEG", quality=90)
    else:
        alpha = (valid * 255).astype(np.uint8)
        Image.fromarray(np.dstack([colors, alpha])).save(file, "PNG", compress_level=1)
    return file.getvalue()
