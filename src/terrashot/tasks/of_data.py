"""What the settings of a run's data say to its task."""

from pathlib import Path
from typing import TYPE_CHECKING

from terrashot.errors import ConfigError
from terrashot.tasks.settings.runs import LoggedSettings, TileSettings

if TYPE_CHECKING:  # what is read at the start of every command imports little
    from terrashot.taxonomy import Taxonomy

_LARGEST_CROP = 512


def taxonomy_of(settings: TileSettings) -> "Taxonomy":
    """The classes of the run's data.

    Raises:
        ConfigError: they are not named, or can't be so.
    """
    from terrashot.taxonomy import Taxonomy

    if not names_classes(settings):
        raise ConfigError(
            f"data={settings.data.name} names no classes of its own. {settings.data.hint}".strip()
        )
    return Taxonomy.from_dict(settings.data.classes())


def names_classes(settings: TileSettings) -> bool:
    """Whether the run's data names its classes; whole scenes are drawn on later."""
    return bool(settings.data.taxonomy)


def training_images(settings: TileSettings) -> list[Path]:
    """The tiles or scenes that a run trains on.

    Raises:
        DataError: there are none.
    """
    from terrashot.tasks.scenes import scene_source

    source = scene_source(settings.data)
    if source is not None:
        return source.training_images
    return [tile.image for tile in settings.data.open_layout().unlabelled_train]


def crop_of(settings: TileSettings, crop: int | None) -> int:
    """Side of a training crop: the one asked for, or that of the images, 512 pixels at most.

    Raises:
        DataError: the first training image, whose size is asked, can't be read.
    """
    from terrashot.data.reading import image_size

    if crop is not None:
        return crop
    # The encoder's strides fit into multiples of 32.
    return max(32, min(_LARGEST_CROP, *image_size(training_images(settings)[0])) // 32 * 32)


def check_novel_classes(settings: TileSettings) -> None:
    """Raise a ConfigError where the data has no novel class."""
    if not taxonomy_of(settings).novel:
        raise ConfigError(
            f"data={settings.data.name} has no novel class in its taxonomy, so stage 2 has "
            "nothing to learn. List at least one under data.taxonomy.novel."
        )


def following_data(settings: LoggedSettings) -> str:
    """The part of a next command that names the data, where it is not the default."""
    return "" if settings.data.name == "demo" else f" data={settings.data.name}"
