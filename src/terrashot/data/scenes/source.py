"""Which scenes and labels stage 1 learns from; nothing is read before it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from terrashot.data.labels.layer import ATTRIBUTE, Layer, read_layer
from terrashot.data.labels.options import BurnOptions
from terrashot.data.labels.scenes import find_images
from terrashot.errors import ConfigError

GROUP = "data.scenes"
IMAGE = "image"


@dataclass(frozen=True)
class SceneSource:
    """Scenes and vectors.

    Args:
        labels: A vector file of polygons, lines or points.
        images: What they are drawn on: a raster, a folder, a glob, or several of them.
        attribute: The column that names each object's class.
        layer: Name of the layer, where the file has several.
        areas: A vector file: inside its polygons everything is labelled, so that what is not drawn
            there is background; None: nowhere, and what is not drawn is unknown.
        areas_layer: Name of the layer, where that file has several.
        crs: ``image``: the layers are drawn in the coordinates of the images; None: in the system
            that they name.
        line_width: Of lines, in metres.
        point_radius: Of points, in metres.
        val_images: Scenes that are only validated on; None: parts of ``images``.
        held_out: Share of each class's windows that is validated on, where ``val_images`` is None.
        windows: Windows an epoch; None: as many as show labels, at least 64.
        balanced: Whether each class is in the middle of as many windows; if not, of as many as its
            part of the labelled ground.

    Raises:
        ConfigError: settings that do not go together.
    """

    labels: str
    images: str | Path | Sequence[str | Path]
    attribute: str = ATTRIBUTE
    layer: str | None = None
    areas: str | None = None
    areas_layer: str | None = None
    crs: str | None = None
    line_width: float | None = None
    point_radius: float | None = None
    val_images: str | Path | Sequence[str | Path] | None = None
    held_out: float = 0.2
    windows: int | None = None
    balanced: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without reading."""
        if self.areas is None and self.areas_layer is not None:
            raise ConfigError(
                f"{GROUP}.areas_layer={self.areas_layer} names a layer of {GROUP}.areas, which has "
                "no value. Give the file too; it may be that of the labels."
            )

    @cached_property
    def objects(self) -> Layer:
        """The labelled objects.

        Raises:
            DataError: see ``read_layer``.
        """
        layer = read_layer(self.labels, self.attribute, self.layer, f"{GROUP}.labels")
        self.options.check(layer)
        return layer

    @cached_property
    def complete(self) -> Layer | None:
        """The completely labelled areas; None: there are none."""
        if self.areas is None:
            return None
        layer = read_layer(self.areas, None, self.areas_layer, f"{GROUP}.areas")
        self.options.check(layer, "areas")
        return layer

    @property
    def options(self) -> BurnOptions:
        """How shapes become pixels."""
        sizes: dict[str, Any] = {
            "line_width": self.line_width,
            "point_radius": self.point_radius,
        }
        return BurnOptions(**sizes, in_image=self.crs == IMAGE, group=GROUP)

    @cached_property
    def training_images(self) -> list[Path]:
        """The scenes that are trained on.

        Raises:
            ConfigError: a scene is to be both trained and validated on.
            DataError: there is none.
        """
        found = _here(self.images, f"{GROUP}.images")
        held = {path.resolve() for path in self.validation_images}
        left = [path for path in found if path.resolve() not in held]
        if not left:
            raise ConfigError(
                f"{GROUP}.val_images names every scene of {GROUP}.images, so none is left to train "
                "on. Leave one out of it, or leave it out: parts of the scenes are held out then."
            )
        return left

    @cached_property
    def validation_images(self) -> list[Path]:
        """The scenes that are validated on alone."""
        if self.val_images is None:
            return []
        return _here(self.val_images, f"{GROUP}.val_images")

    @property
    def files(self) -> list[Path]:
        """The vector files."""
        return [Path(file) for file in (self.labels, self.areas) if file is not None]


def _here(value: str | Path | Sequence[str | Path], key: str) -> list[Path]:
    """Scenes on this machine: each epoch reads them anew, in places all over them.

    Raises:
        ConfigError: a scene lies elsewhere.
        DataError: there is none.
    """
    found = []
    for path in find_images(value, key):
        if not isinstance(path, Path):
            raise ConfigError(
                f"{key} names {path}, but scenes to train on are read again each epoch and have to "
                "lie on this machine. Download it first (`gdal_translate -of COG`)."
            )
        found.append(path)
    return found
