"""From the data config to the channels of the images: what it leaves open is computed and kept."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from terrashot.data.moments import Moments
from terrashot.data.raster import Raster, inspect_raster, read_pixels, sample_pixels
from terrashot.data.reading import opened_raster
from terrashot.data.statistics import cache_folder, fingerprint
from terrashot.errors import ConfigError, DataError
from terrashot.files import write_json
from terrashot.image_spec import EIGHT_BIT, RGB, Band, ImageSpec, as_bands, visible

PERCENTILE, FULL = "percentile", "full"
LOW, HIGH = 2.0, 98.0
_PER_TILE = 20_000
"""Pixels of an image that percentiles are taken from."""
_WHOLE = 2**24
"""Images of more pixels are looked at in places."""
Pairs = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Imagery:
    """What a data config says of its images; None: not said.

    Args:
        bands: Numbers or names of the bands; None: red, green, blue.
        scale: ``[low, high]``, ``percentile`` or ``full``; None: 8-bit pixels as they are.
        mean: Of each channel in 0..1; None: computed from the training tiles.
        std: Standard deviation of each channel in 0..1; None: computed.
        rgb: Channels that a person sees, from 0; None: by their names.
    """

    bands: Sequence[Band] | None = None
    scale: Any = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    rgb: Sequence[int] | None = None

    def spec(self, images: Sequence[Path] | None, root: Path | None) -> ImageSpec:
        """The channels of the images.

        Args:
            images: What is trained on; None where it is not there yet, which 8-bit RGB images
                with ``mean`` and ``std`` can do without. Of a large image (over 16 million
                pixels) windows spread over it are looked at.
            root: The dataset's folder; what is computed is kept in ``root/.terrashot``. None: it
                is not kept.

        Raises:
            ConfigError: values that can't be.
            DataError: an image can't be read.
        """
        bands = RGB if self.bands is None else as_bands(self.bands, "data.bands")
        scale = parse_scale(self.scale, "data.scale")
        known = self.mean is not None and self.std is not None
        count = len(bands)
        if images is None or (known and scale is None and not self.bands):
            mean, std = self._statistics(None, count)
            return ImageSpec(bands, mean=mean, std=std)
        first = _header(images[0], bands)
        rgb = _visible(images[0], bands, first)
        if self.rgb is not None:
            rgb = tuple(self.rgb)  # type: ignore[assignment] # ImageSpec counts them
        pairs = self._pairs(scale, first, images, root)
        raw = ImageSpec(bands, first.dtype, pairs, (0.0,) * count, (1.0,) * count, rgb)
        mean, std = self._statistics(None if known else _moments(images, raw, root), count)
        return replace(raw, mean=mean, std=std)

    def _statistics(
        self, found: tuple[list[float], list[float]] | None, count: int
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation: as given, else as found, else those of no image."""
        mean, std = found or ([0.5] * count, [0.25] * count)
        given = mean if self.mean is None else self.mean, std if self.std is None else self.std
        return tuple(map(float, given[0])), tuple(map(float, given[1]))

    def _pairs(
        self,
        scale: tuple[float, float] | str | None,
        first: Raster,
        images: Sequence[Path],
        root: Path | None,
    ) -> Pairs | None:
        if scale is None:
            if first.dtype != EIGHT_BIT:
                raise ConfigError(
                    f"{first.path} has pixels of type {first.dtype}, and data.scale says nothing "
                    f"of their range. Give data.scale=[LOW,HIGH], the values that become 0 and 1, "
                    f"data.scale={PERCENTILE} for the {LOW:g}nd and {HIGH:g}th percentile of each "
                    f"band over the training tiles, or data.scale={FULL} for the whole range of "
                    "the type (floating-point numbers: 0 to 1)."
                )
            return None
        if scale == FULL and first.dtype == EIGHT_BIT:
            return None
        bands = tuple(self.bands or RGB)
        return scale_pairs(scale, first, lambda: _percentiles(images, first, root, bands))


def parse_scale(value: Any, key: str) -> tuple[float, float] | str | None:  # noqa: ANN401 - from a config
    """A setting that says which values become 0 and 1: None, ``[low, high]`` or a word.

    Raises:
        ConfigError: anything else.
    """
    if value is None or value in (PERCENTILE, FULL):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        numbers = [float(v) for v in value if isinstance(v, int | float) and np.isfinite(v)]
        if len(numbers) == 2 and numbers[0] < numbers[1]:
            return numbers[0], numbers[1]
    raise ConfigError(
        f"{key} is {value!r}, but it must be [LOW, HIGH] with LOW below HIGH, the pixel values "
        f"that become black and white, for example {key}=[0,3000]; or {PERCENTILE}, which takes "
        f"the {LOW:g}nd and {HIGH:g}th percentile of each band; or {FULL}, the whole range of the "
        "type."
    )


def scale_pairs(
    scale: tuple[float, float] | str, raster: Raster, found: Callable[[], Pairs]
) -> Pairs:
    """Low and high value of each band of a file.

    Args:
        scale: As ``parse_scale`` gives it, not None.
        raster: The file.
        found: The percentiles; asked for where they are the scale.
    """
    if scale == PERCENTILE:
        return found()
    if scale == FULL:
        whole = np.dtype(raster.dtype).kind in "ui"
        scale = (0.0, float(np.iinfo(raster.dtype).max) if whole else 1.0)
    assert not isinstance(scale, str)
    return (scale,) * len(raster.bands)


def percentiles(pixels: np.ndarray) -> Pairs:
    """Low and high value of each band of pixels [C, N]."""
    if not pixels.shape[1]:
        return ((0.0, 1.0),) * len(pixels)  # nothing but empty pixels
    low, high = np.percentile(pixels.astype(np.float64), [LOW, HIGH], axis=1)
    high = np.maximum(high, low + 1e-6)  # a band of one value
    return tuple(zip(map(float, low), map(float, high), strict=True))


def _header(path: Path, bands: Sequence[Band]) -> Raster:
    with opened_raster(path) as source:
        return inspect_raster(path, source, bands, "data.bands")


def _visible(path: Path, bands: Sequence[Band], first: Raster) -> tuple[int, int, int]:
    """Channels that a person sees, by the colours that the file tells, else the first three."""
    with opened_raster(path) as source:
        colors = [source.colorinterp[band - 1].name for band in first.bands]
    named = [c if isinstance(b, int) else b for b, c in zip(bands, colors, strict=True)]
    return visible(named)


def _percentiles(
    images: Sequence[Path], first: Raster, root: Path | None, bands: Sequence[Band]
) -> Pairs:
    kept = _Kept(images, root, ("percentiles", list(bands), first.dtype))
    found = kept.load()
    if found is None:
        parts = []
        for path in images:
            pixels = _valid(path, bands, first.dtype)
            step = max(1, pixels.shape[1] // _PER_TILE)
            parts.append(pixels[:, ::step])
        found = [list(pair) for pair in percentiles(np.concatenate(parts, axis=1))]
        kept.save(found)
    return tuple((float(low), float(high)) for low, high in found)


def _moments(
    images: Sequence[Path], spec: ImageSpec, root: Path | None
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel in 0..1 over the valid pixels of the images."""
    kept = _Kept(images, root, ("moments", list(spec.bands), spec.dtype, spec.scale))
    found = kept.load()
    if found is None:
        moments = Moments()
        for path in images:
            pixels = spec.pixels(_valid(path, spec.bands, spec.dtype)).astype(np.float64)
            pixels = pixels / 255 if spec.scale is None else pixels
            moments += Moments.of(pixels)
        if not moments.number:
            raise DataError(
                f"{root or images[0].parent}: no training image has a pixel with data, so there is "
                "nothing to learn from. Look at their nodata values and masks."
            )
        std = np.sqrt(np.maximum(moments.variance, 1e-8))
        found = [[round(float(v), 6) for v in values] for values in (moments.mean, std)]
        kept.save(found)
    return found[0], found[1]


def _valid(path: Path, bands: Sequence[Band], dtype: str) -> np.ndarray:
    """Pixels with data [C, N], as they stand in the file."""
    with opened_raster(path) as source:
        raster = inspect_raster(path, source, bands, "data.bands")
        if raster.dtype != dtype:
            raise DataError(
                f"{path} has pixels of type {raster.dtype}, but the first training image is of "
                f"type {dtype}. All images must be of one type and range; convert this one, or "
                "leave it out."
            )
        if raster.height * raster.width > _WHOLE:
            return sample_pixels(source, raster)
        pixels, valid = read_pixels(source, raster)
    return pixels[:, valid]


class _Kept:
    """A computed value, kept beside the data, or in the cache folder where that is read-only.

    Args:
        images: What it was computed from: names, sizes and times of the files.
        root: The dataset's folder; None: the value is computed anew each time.
        what: What else it depends on.
    """

    def __init__(self, images: Sequence[Path], root: Path | None, what: tuple[Any, ...]) -> None:
        self._key = json.dumps([fingerprint(images), *what])
        name = f"image_{what[0]}_{fingerprint(images)}.json"
        places = [] if root is None else [root / ".terrashot", cache_folder()]
        self._places = [place / name for place in places]

    def load(self) -> Any:  # noqa: ANN401 - plain values
        for place in self._places:
            try:
                value = json.loads(place.read_text(encoding="utf-8"))
                if value["key"] == self._key:
                    return value["value"]
            except (OSError, ValueError, TypeError, KeyError):
                continue  # missing or damaged: it is only a shortcut
        return None

    def save(self, value: Any) -> None:  # noqa: ANN401 - plain values
        for place in self._places:
            try:
                write_json(place, {"key": self._key, "value": value})
                return
            except OSError:
                continue  # read-only or full: the next place, or compute again next time
