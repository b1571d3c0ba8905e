"""The images of a folder by what they are for, with numbers for their classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from terrashot.errors import DataError
from terrashot.papers.simtrans.folders.classes import choose_classes
from terrashot.papers.simtrans.folders.layouts.all import find_layout
from terrashot.papers.simtrans.folders.layouts.layout import Catalogue, Images
from terrashot.papers.simtrans.settings import ImageFolderData


@dataclass(frozen=True)
class LabelledImage:
    """An image file and the id of its class."""

    path: Path
    label: int


@dataclass(frozen=True)
class ImageSets:
    """The images of a dataset.

    Ids count the base classes from 0, then the novel ones; there may be any number of them.

    Args:
        base: Names of the base classes.
        novel: Names of the novel classes.
        base_train: Clean images to learn likeness from.
        base_test: Clean images of the same classes.
        novel_web: Images whose labels are often wrong.
        novel_test: Clean images of the novel classes.
        layout: Name of the layout that the folder was read by.
    """

    base: list[str]
    novel: list[str]
    base_train: list[LabelledImage]
    base_test: list[LabelledImage]
    novel_web: list[LabelledImage]
    novel_test: list[LabelledImage]
    layout: str

    @property
    def names(self) -> list[str]:
        """Of all classes by id."""
        return [*self.base, *self.novel]

    @property
    def base_ids(self) -> list[int]:
        """Ids of the base classes."""
        return list(range(len(self.base)))

    @property
    def novel_ids(self) -> list[int]:
        """Ids of the novel classes."""
        return list(range(len(self.base), len(self.names)))


def read_image_sets(data: ImageFolderData) -> ImageSets:
    """Read the lists and folders of ``data=image_folders``.

    Raises:
        DataError: a folder, list or image is missing, a class has no images.
        ConfigError: lists of classes that do not go together.
    """
    root = Path(data.root).expanduser()
    layout, reader = find_layout(root, data.layout)
    catalogue = reader.read(root)
    lists = [None if given is None else _list(given, root) for given in (data.base, data.novel)]
    base, novel = choose_classes(catalogue, *lists)
    before = len(base)
    test = "clean test images"
    return ImageSets(
        base=base,
        novel=novel,
        base_train=_labelled(catalogue.train, base, 0, "clean training images", root),
        base_test=_labelled(catalogue.test, base, 0, test, root),
        novel_web=_labelled(catalogue.web, novel, before, _web(catalogue), root),
        novel_test=_labelled(catalogue.test, novel, before, test, root),
        layout=layout,
    )


def class_lists(data: ImageFolderData) -> list[Path]:
    """The lists of classes that the settings name."""
    root = Path(data.root).expanduser()
    return [_list(given, root) for given in (data.base, data.novel) if given is not None]


def _list(given: str, root: Path) -> Path:
    """A list as named, or below the root of the data."""
    path = Path(given).expanduser()
    return root / path if not path.exists() and (root / path).exists() else path


def _web(catalogue: Catalogue) -> str:
    return f"noisy images, which are looked for in {catalogue.web_folder}"


def _labelled(
    images: Images, classes: Sequence[str], first: int, what: str, root: Path
) -> list[LabelledImage]:
    missing = [name for name in classes if not images.get(name)]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise DataError(
            f"{root}: {len(missing)} of {len(classes)} classes have no {what}: "
            f"{', '.join(missing[:5])}{more}. Add images (.jpg, .png, ...), or leave these classes "
            "out with data.base=FILE and data.novel=FILE, lists with one class a line."
        )
    return [
        LabelledImage(path, first + number)
        for number, name in enumerate(classes)
        for path in images[name]
    ]
