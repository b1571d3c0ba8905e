"""Novel classes as people draw them: layers of vectors beside images, and what they teach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.data.imagery import parse_scale
from terrashot.data.labels.layer import ATTRIBUTE, Layer, read_layer
from terrashot.data.labels.options import BurnOptions
from terrashot.data.labels.scenes import find_images, inspect_images
from terrashot.data.support_windows import SupportWindows
from terrashot.errors import ConfigError, DataError
from terrashot.files import file_digest
from terrashot.image_spec import Band, ImageSpec
from terrashot.model.new_classes import with_novel
from terrashot.model.sure_base import SureBase
from terrashot.taxonomy import Taxonomy

IMAGE = "image"


@dataclass(frozen=True)
class DrawnLabels:
    """Which layers and images a head learns from, and how; nothing is read before it is asked for.

    Args:
        labels: A vector file, or an object like a GeoDataFrame.
        images: A raster, a folder, a glob, an address, a catalogue (``stac:``), or several.
        attribute: The column that names each object's class.
        layer: Name of the layer, where the file has several.
        areas: Likewise: inside these everything is labelled; None: nowhere.
        areas_layer: Name of the layer, where that file has several.
        crs: ``image``: the layers are drawn in the coordinates of the images; None: in the system
            that they name.
        line_width: Of lines, in metres.
        point_radius: Of points, in metres.
        ring: So many metres around an object are anything but its class; None: not taken for so.
        sure: Least probability at which an unlabelled pixel that the frozen head gives to a base
            class is anything but the class of its window (see ``SureBase``); None: never.
        window: Side of the windows around the objects in pixels.
        bands: The network's channels in the images, numbers or names; None: as it was trained.
        scale: Values that become 0 and 1 in the images; None: as the network was trained.

    Raises:
        ConfigError: a value that can't be.
    """

    labels: Any
    images: str | Path | Sequence[str | Path] | None = None
    attribute: str = ATTRIBUTE
    layer: str | None = None
    areas: Any = None
    areas_layer: str | None = None
    crs: str | None = None
    line_width: float | None = None
    point_radius: float | None = None
    ring: float | None = None
    sure: float | None = 0.0
    window: int = 512
    bands: Sequence[Band] | None = None
    scale: Any = None

    def __post_init__(self) -> None:
        """Check what can be checked without reading."""
        if self.images is None:
            raise ConfigError(
                "support.images has no value: labels that are drawn need the images that they are "
                "drawn on, for example support.images='city/*.tif'."
            )
        if self.crs not in (None, IMAGE):
            raise ConfigError(
                f"support.crs is '{self.crs}', but it must be null (the layers name their system) "
                f"or {IMAGE} (they are drawn in the coordinates of the images)."
            )
        if self.areas is None and self.areas_layer is not None:
            raise ConfigError(
                f"support.areas_layer={self.areas_layer} names a layer of support.areas, which has "
                "no value. Give the file too; it may be that of the labels."
            )
        parse_scale(self.scale, "support.scale")
        _ = self._options

    def read(self) -> Layer:
        """The objects.

        Raises:
            DataError: see ``read_layer``.
        """
        return read_layer(self.labels, self.attribute, self.layer)

    def windows(self, layer: Layer, taxonomy: Taxonomy, spec: ImageSpec) -> SupportWindows:
        """The windows that are learned from.

        Args:
            layer: The objects.
            taxonomy: Base and novel classes.
            spec: The network's channels.

        Raises:
            ConfigError: see ``inspect_images`` and ``BurnOptions``.
            DataError: see ``SupportWindows``.
        """
        assert self.images is not None
        scale = parse_scale(self.scale, "support.scale")
        images = inspect_images(find_images(self.images), spec, self.bands, scale)
        areas = None
        if self.areas is not None:
            areas = read_layer(self.areas, None, self.areas_layer, "support.areas")
        return SupportWindows(layer, images, taxonomy, self._options, areas)

    def sure_base(self, windows: SupportWindows) -> SureBase | None:
        """What the frozen head is trusted with."""
        return None if self.sure is None else SureBase(windows, self.sure)

    def files(self) -> list[Path]:
        """All files of this machine that are read."""
        assert self.images is not None
        layers = [source for source in (self.labels, self.areas) if isinstance(source, str | Path)]
        images = [path for path in find_images(self.images) if isinstance(path, Path)]
        return [*map(Path, layers), *images]

    def provenance(self, layer: Layer, windows: SupportWindows) -> dict[str, Any]:
        """Plain values that say what was learned from."""
        file = Path(self.labels) if isinstance(self.labels, str | Path) else None
        return {
            "labels": layer.name,
            "sha256": file_digest(file) if file is not None and file.is_file() else None,
            "attribute": self.attribute,
            "objects": layer.objects(),
            "windows": len(windows),
            "areas": None if self.areas is None else _called(self.areas, self.areas_layer),
            "line_width": self.line_width,
            "point_radius": self.point_radius,
            "ring": self.ring,
            "sure": self.sure,
            "notes": list(windows.notes),
        }

    @property
    def _options(self) -> BurnOptions:
        return BurnOptions(
            self.window, self.line_width, self.point_radius, self.ring, self.crs == IMAGE
        )


def drawn_labels(support: Any, settings: Mapping[str, Any]) -> DrawnLabels:  # noqa: ANN401
    """From what ``Model.adapt`` was given.

    Raises:
        ConfigError: there is no such setting, or a value that can't be.
    """
    known = [field.name for field in fields(DrawnLabels) if field.name != "labels"]
    for name in settings:
        if name not in known:
            raise ConfigError(
                f"adapt: there is no setting '{name}'. With a layer go {', '.join(known)}."
            )
    return DrawnLabels(support, **settings)


def drawn_taxonomy(
    known: Taxonomy,
    layer: Layer,
    like: Taxonomy | None = None,
    colors: Mapping[str, str] | None = None,
) -> Taxonomy:
    """The classes of a network, and those of a layer that it does not know after them.

    Args:
        known: The network's classes.
        layer: Novel classes, in the order of their names, and objects that correct known ones.
        like: Where it has the same classes, it is taken as it is: its order, its colours.
        colors: ``#rrggbb`` by name; a class without one keeps that of its file, or gets the next
            of a palette.

    Raises:
        ConfigError: see ``with_novel``.
        DataError: there is no novel class.
    """
    names = [name for name in layer.names if name not in known.base_only().names]
    if not names:
        raise DataError(
            f"{layer.name} holds {', '.join(layer.names)}, which the network knows already; beside "
            "objects that correct what it knows there must be some of a new class."
        )
    if (
        like is not None
        and known.base_only().names == like.base_only().names
        and sorted(c.name for c in like.novel) == names
    ):
        return like
    own = {name: color for name, color in layer.colors.items() if name in names}
    return with_novel(known, names, {**own, **(colors or {})})


def _called(source: Any, layer: str | None) -> str:  # noqa: ANN401 - a path, or like a GeoDataFrame
    name = Path(source).name if isinstance(source, str | Path) else type(source).__name__
    return name if layer is None else f"{name}:{layer}"


def without_contrast(support: SupportPixels) -> list[str]:
    """Classes in whose windows no pixel is labelled as anything else."""
    names = support.class_names or [str(index) for index in range(support.num_classes)]
    contrast = {block.tile_class for block in support.blocks if block.label == 0}
    novel = range(support.num_base, support.num_classes)
    return [names[index] for index in novel if index not in contrast]


def no_contrast(name: str) -> str:
    """What to tell a user about such a class."""
    return (
        f"nothing says what '{name}' is not, so it may be found everywhere: draw other classes "
        "beside it, or give support.areas (all is labelled inside), support.ring=METRES, or a lower"
        " support.sure"
    )
