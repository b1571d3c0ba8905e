"""What an image is: which bands of a file it has, of which type, and how they become 0..1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from terrashot.errors import ConfigError

Band = int | str
"""A band by its number, from 1, or by its name or colour interpretation."""
RGB: tuple[Band, ...] = ("red", "green", "blue")
EIGHT_BIT = "uint8"
TYPES = (EIGHT_BIT, "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_LOW, _HIGH = 2.0, 98.0


@dataclass(frozen=True)
class ImageSpec:
    """The channels of a network's images; kept in every checkpoint.

    Args:
        bands: What each channel is in a file. The names ``red``, ``green`` and ``blue`` are also
            found in a file of three bands that says nothing of their colours.
        dtype: Pixel type of the files.
        scale: Values that become 0 and 1, for each channel; values beyond are cut. None: 8-bit
            pixels from 0 to 255, which stay bytes in memory.
        mean: Of each channel in 0..1.
        std: Standard deviation of each channel in 0..1.
        rgb: Channels that a person sees as red, green and blue, counted from 0.

    Raises:
        ConfigError: lists of unlike lengths, or a value that can't be.
    """

    bands: tuple[Band, ...] = RGB
    dtype: str = EIGHT_BIT
    scale: tuple[tuple[float, float], ...] | None = None
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    rgb: tuple[int, int, int] = (0, 1, 2)

    def __post_init__(self) -> None:
        """Check the values against each other."""
        count = len(as_bands(self.bands, "data.bands"))
        for key in ("mean", "std"):
            found = getattr(self, key)
            if len(found) != count or not np.isfinite(found).all():
                raise ConfigError(
                    f"data.{key} is {list(found)}, but the images have {count} channel(s) "
                    f"({_names(self.bands)}): one number for each, of values in 0..1, is needed; "
                    f"with data.{key}=null it is computed from the training tiles."
                )
        if min(self.std) <= 0:
            raise ConfigError(
                f"data.std is {list(self.std)}; each channel needs a value above 0 (images are in "
                "0..1)."
            )
        if self.dtype not in TYPES:
            raise ConfigError(
                f"images have pixels of type {self.dtype}; known are {', '.join(TYPES)}."
            )
        if self.scale is None and self.dtype != EIGHT_BIT:
            raise ConfigError(f"images of type {self.dtype} need data.scale.")
        if self.scale is not None and (
            len(self.scale) != count or not all(low < high for low, high in self.scale)
        ):
            raise ConfigError(
                f"data.scale is {self.scale}, but {count} pair(s) of a lower and a higher value "
                "are needed."
            )
        if len(self.rgb) != 3 or not all(0 <= channel < count for channel in self.rgb):
            raise ConfigError(
                f"data.rgb is {list(self.rgb)}, but it should be three channels, counted from 0, "
                f"of {count}: those that a person sees as red, green and blue."
            )

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return len(self.bands)

    @property
    def has_colors(self) -> bool:
        """Whether red, green and blue are three different channels."""
        return len(set(self.rgb)) == 3

    @property
    def is_plain(self) -> bool:
        """Whether it is 8-bit RGB, whatever its statistics."""
        return self.description == {}

    @property
    def description(self) -> dict[str, Any]:
        """Plain values without mean and std; empty for 8-bit RGB, as files always had it."""
        value = {
            "bands": list(self.bands),
            "dtype": self.dtype,
            "scale": None if self.scale is None else [list(pair) for pair in self.scale],
            "rgb": list(self.rgb),
        }
        plain = {"bands": list(RGB), "dtype": EIGHT_BIT, "scale": None, "rgb": [0, 1, 2]}
        return {} if value == plain else value

    @classmethod
    def from_description(cls, value: Mapping[str, Any]) -> "ImageSpec":
        """From a network's description: ``mean``, ``std`` and, beyond 8-bit RGB, ``imagery``.

        Raises:
            ConfigError: values that can't be.
        """
        image = value.get("imagery") or {}
        bands = tuple(image.get("bands") or RGB)
        scale = image.get("scale")
        mean, std = value.get("mean"), value.get("std")
        if scale is not None:
            scale = tuple((float(low), float(high)) for low, high in scale)
        return cls(
            bands,
            image.get("dtype") or EIGHT_BIT,
            scale,
            _numbers("mean", mean) if mean is not None else _spread(IMAGENET_MEAN, len(bands)),
            _numbers("std", std) if std is not None else _spread(IMAGENET_STD, len(bands)),
            tuple(image.get("rgb") or visible(bands)),
        )

    def read_as(self, bands: Sequence[Band] | None, key: str = "input.bands") -> "ImageSpec":
        """The same channels, found elsewhere in a file.

        Args:
            bands: Where; None: as it is.
            key: The setting that they come from, for messages.

        Raises:
            ConfigError: there are more or fewer, or they are no bands.
        """
        if bands is None:
            return self
        if len(bands) != self.channels:
            raise ConfigError(
                f"{key} is {list(bands)}, but the network takes {self.channels} channel(s) "
                f"({_names(self.bands)}); name a band for each, counted from 1, in this order."
            )
        return replace(self, bands=as_bands(bands, key))

    def pixels(self, raw: np.ndarray) -> np.ndarray:
        """Values of a file [C, ...] as bytes, or as float32 in 0..1 where they are scaled."""
        if self.scale is None:
            return raw
        shape = (-1, *[1] * (raw.ndim - 1))
        low, high = (np.array(v, np.float32).reshape(shape) for v in zip(*self.scale, strict=True))
        scaled = (raw.astype(np.float32) - low) / (high - low)
        # What is no number has no place in 0..1; such pixels are never valid.
        return np.nan_to_num(scaled, nan=0.0, posinf=0.0, neginf=0.0).clip(0, 1)

    def picture(self, image: Tensor, stretch: tuple[float, float] | None = None) -> np.ndarray:
        """What a person sees of an image [C, H, W] in 0..1: uint8 [H, W, 3].

        Args:
            image: The image.
            stretch: Of what it is a part of (see ``stretch``); None: its own.
        """
        colors = image.detach().float().clamp(0, 1)[list(self.rgb)]
        low, high = stretch or self.stretch(image)
        if (low, high) != (0.0, 1.0):
            colors = ((colors - low) / max(high - low, 1e-6)).clamp(0, 1)
        return (colors * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()

    def stretch(self, image: Tensor) -> tuple[float, float]:
        """What becomes black and white in the picture of an image [C, H, W] in 0..1.

        Of images that are not 8-bit the 2nd and the 98th percentile of what is not empty.
        """
        colors = image.detach().float().clamp(0, 1)[list(self.rgb)]
        filled = colors[:, (colors != 0).any(0)]
        if self.scale is None or not filled.shape[1]:
            return 0.0, 1.0
        low, high = np.percentile(filled.cpu().numpy(), [_LOW, _HIGH])
        return float(low), float(high)


def as_unit(image: Tensor) -> Tensor:
    """An image as float32 in 0..1; bytes are divided by 255, scaled images are so already."""
    return image.float().div_(255) if image.dtype == torch.uint8 else image


def as_bands(value: Sequence[Any], key: str) -> tuple[Band, ...]:
    """Bands as somebody gives them.

    Args:
        value: Numbers or names.
        key: The setting that they come from, for messages.

    Raises:
        ConfigError: there is none, or one is something else.
    """
    if not len(value):
        raise ConfigError(f"{key} is empty; an image needs at least one band.")
    for band in value:
        if isinstance(band, bool) or not isinstance(band, int | str) or band == "":
            raise ConfigError(
                f"{key} is {list(value)}, but {band!r} is no band: give whole numbers, counted "
                f"from 1, or names, such as {key}=[1,2,3] or {key}=[red,green,blue]."
            )
    return tuple(value)


def visible(bands: Sequence[Band]) -> tuple[int, int, int]:
    """Channels that a person sees as red, green and blue: those of these names, or the first."""
    if all(color in bands for color in RGB):
        red, green, blue = (list(bands).index(color) for color in RGB)
        return red, green, blue
    return (0, 1, 2) if len(bands) >= 3 else (0, 0, 0)


def _numbers(key: str, value: object) -> tuple[float, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(v, int | float) for v in value):
        raise ConfigError(f"{key} is {value!r}; it should be a list, one number for each channel.")
    return tuple(float(v) for v in value)


def _spread(values: Sequence[float], count: int) -> tuple[float, ...]:
    """ImageNet's statistics for any number of channels: their mean beyond the colours."""
    if count == len(values):
        return tuple(values)
    return (float(np.mean(values)),) * count


def _names(bands: Sequence[Band]) -> str:
    return ", ".join(map(str, bands))
