"""How a layer becomes labels."""

from dataclasses import dataclass

import shapely

from terrashot.data.labels.layer import Layer
from terrashot.errors import ConfigError, DataError


@dataclass(frozen=True)
class BurnOptions:
    """How shapes become pixels.

    Args:
        window: Side of the windows that are cut around the objects, in pixels.
        line_width: Of lines, in metres.
        point_radius: Of points, in metres.
        ring: So many metres around an object are taken for anything but its class; None: nothing
            is taken for granted outside of completely labelled areas.
        in_image: The layer is drawn in the coordinates of the image, whatever system it names.
        group: Of settings that these stand in, for messages.
    """

    window: int = 512
    line_width: float | None = None
    point_radius: float | None = None
    ring: float | None = None
    in_image: bool = False
    group: str = "support"

    def __post_init__(self) -> None:
        """Check the ranges."""
        for key in ("line_width", "point_radius", "ring", "window"):
            value = getattr(self, key)
            if value is not None and not value > 0:
                raise ConfigError(f"{self.group}.{key} is {value}, but it must be above 0.")

    def check(self, layer: Layer, part: str = "labels") -> None:
        """Find what the layer needs and the options lack.

        Args:
            layer: The layer.
            part: The setting that names it.

        Raises:
            ConfigError: lines without a width, points without a radius.
            DataError: no reference system.
        """
        group, key = self.group, f"{self.group}.{part}"
        kinds = set(shapely.get_dimensions(layer.shapes).tolist())
        if 1 in kinds and self.line_width is None:
            raise ConfigError(
                f"{key}: {layer.name} has lines, but {group}.line_width has no value. Give the "
                f"width of what they stand for in metres, for example {group}.line_width=4."
            )
        if 0 in kinds and self.point_radius is None:
            raise ConfigError(
                f"{key}: {layer.name} has points, but {group}.point_radius has no value. Give the "
                "radius in metres within which everything is of the point's class, for example "
                f"{group}.point_radius=2."
            )
        if layer.crs is None and not self.in_image:
            raise DataError(
                f"{key}: {layer.name} names no reference system, so nobody can say where its "
                "objects lie. Give it one (`ogr2ogr -a_srs EPSG:...`; a Shapefile needs its .prj "
                f"file), or set {group}.crs=image where it is drawn in the coordinates of the "
                "images."
            )
