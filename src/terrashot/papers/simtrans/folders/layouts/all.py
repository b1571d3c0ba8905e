"""The layouts by name, and how one is told from another."""

from pathlib import Path

from terrashot.errors import DataError
from terrashot.papers.simtrans.folders.layouts.car import Car
from terrashot.papers.simtrans.folders.layouts.cub import Cub
from terrashot.papers.simtrans.folders.layouts.fgvc import Fgvc
from terrashot.papers.simtrans.folders.layouts.layout import Layout
from terrashot.papers.simtrans.folders.layouts.plain import Plain
from terrashot.papers.simtrans.folders.layouts.webvision import WebVision

# The order in which they are asked; the last one takes any folder.
LAYOUTS: dict[str, Layout] = {
    "cub": Cub(),
    "car": Car(),
    "fgvc": Fgvc(),
    "webvision": WebVision(),
    "plain": Plain(),
}


def find_layout(root: Path, name: str) -> tuple[str, Layout]:
    """The layout of a folder and its name.

    Args:
        root: The folder.
        name: One of ``LAYOUTS``, or any other word: the first whose sign is there.

    Raises:
        DataError: there is no such folder, or not what this layout is told by.
    """
    if not root.is_dir():
        raise DataError(
            f"data.root={root} is no folder. Name the folder that holds the images, for example "
            "data.root=datasets/CUB."
        )
    if name not in LAYOUTS:
        return next((n, layout) for n, layout in LAYOUTS.items() if (root / layout.sign).exists())
    layout = LAYOUTS[name]
    if not (root / layout.sign).exists():
        raise DataError(
            f"{root / layout.sign} does not exist, by which data.layout={name} is told. Name the "
            "folder that holds it with data.root=FOLDER, or choose data.layout=plain for folders "
            "CLASS/IMAGE."
        )
    return name, layout
