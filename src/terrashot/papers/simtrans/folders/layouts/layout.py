"""What a layout of image folders is, and what all of them read in the same way."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from terrashot.data.tile_names import read_list_text
from terrashot.errors import DataError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_SHOWN = 5
Images = Mapping[str, Sequence[Path]]
"""Image files by the name of their class."""


@dataclass(frozen=True)
class Catalogue:
    """What a folder holds.

    Args:
        classes: Names of all classes, in the dataset's own order.
        train: Clean training images.
        test: Clean test images.
        web: Images whose labels are search words, often wrong.
        web_folder: Where those of a class lie, ``CLASS`` standing for its name; for messages.
        novel: Names of the published novel classes; None: there is no such list.
    """

    classes: Sequence[str]
    train: Images
    test: Images
    web: Images
    web_folder: str
    novel: Sequence[str] | None = field(default=None)


class Layout(Protocol):
    """Reads the folders of one dataset, as they are published.

    Attributes:
        sign: File or folder below the root by which the layout is told.
    """

    sign: ClassVar[str]

    def read(self, root: Path) -> Catalogue:
        """Look at all lists and folders.

        Raises:
            DataError: one is missing or not what it should be.
        """
        ...


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, sorted by name; none where it is missing."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.name.lower().endswith(IMAGE_SUFFIXES)]
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def folders_in(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted.

    Raises:
        DataError: there is no such folder, or none in it.
    """
    found = []
    if folder.is_dir():
        found = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    if not found:
        raise DataError(
            f"{folder} was expected to hold a folder for each class, but "
            f"{'it has none' if folder.is_dir() else 'it does not exist'}. Unpack the dataset "
            "there, or name another folder with data.root=FOLDER."
        )
    return found


def by_class(classes: Iterable[str], folder: Path) -> dict[str, list[Path]]:
    """The images in ``folder/CLASS`` of each class that has some."""
    found = ((name, images_in(folder / name)) for name in classes)
    return {name: images for name, images in found if images}


def read_lines(path: Path, content: str) -> list[str]:
    """The lines of a list that are not empty, without the blanks around them.

    Args:
        path: The list.
        content: What it should hold, for messages.

    Raises:
        DataError: it is missing, unreadable or empty.
    """
    try:
        lines = [line.strip() for line in read_list_text(path).splitlines() if line.strip()]
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist, but the dataset needs it: {content}. Unpack the dataset "
            "again, or name another folder with data.root=FOLDER."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); expected is {content}.") from error
    if not lines:
        raise DataError(f"{path} is empty; expected is {content}.")
    return lines


def rows_of(path: Path, content: str, separator: str | None = None) -> list[tuple[str, str]]:
    """The lines of a list as pairs, split once.

    Raises:
        DataError: as ``read_lines``; or a line is no pair.
    """
    found = []
    for number, line in enumerate(read_lines(path, content), 1):
        first, *rest = (part.strip() for part in line.split(separator, 1))
        if not rest or not rest[0]:
            raise DataError(f"{path}, line {number}: '{line}'; expected is {content}.")
        found.append((first, rest[0]))
    return found


def existing(paths: Mapping[str, Sequence[Path]], of: Path) -> dict[str, list[Path]]:
    """The same images, every one of them there.

    Args:
        paths: By class.
        of: The list that names them, for messages.

    Raises:
        DataError: some are missing.
    """
    folders: dict[Path, set[str]] = {}
    missing = []
    for path in (p for images in paths.values() for p in images):
        if path.parent not in folders:
            # One listing of the folder instead of a question a file: network disks are slow.
            there = path.parent.is_dir()
            folders[path.parent] = set(os.listdir(path.parent)) if there else set()
        if path.name not in folders[path.parent]:
            missing.append(path)
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        total = sum(map(len, paths.values()))
        raise DataError(
            f"{len(missing)} of the {total} images that {of} lists are missing: "
            f"{', '.join(map(str, missing[:_SHOWN]))}{more}. Unpack the archive again, it may be "
            "incomplete, or take the lines off the list."
        )
    return {name: list(images) for name, images in paths.items()}


def shipped_list(name: str) -> list[str]:
    """A list of published novel classes that lies beside the layouts."""
    path = Path(__file__).parent.parent / "lists" / f"{name}.txt"
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line]
