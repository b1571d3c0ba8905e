"""A folder of images without lists and labels, as contrastive pretraining is published for."""

import os
from functools import cached_property
from pathlib import Path

from terrashot.data.layout import FewShotLayout, Tile
from terrashot.data.tile_names import SUFFIXES
from terrashot.errors import DataError


class ImageFolder(FewShotLayout):
    """Every image below a folder, at any depth; hidden folders are left out.

    All are to be learned from: there are no lists, no labels and no other parts. A tile is named
    by its path below the folder.

    Args:
        root: The folder.

    Raises:
        DataError: there is no such folder; on access, no image in it.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DataError(
                f"The folder of images {root} does not exist. Write data.root=FOLDER; images of "
                f"the kinds {', '.join(SUFFIXES)} are looked for in it and in all folders below."
            )
        super().__init__(root, "test")

    @cached_property
    def unlabelled_train(self) -> list[Tile]:
        """The images, in the order of their paths."""
        images, others = [], 0
        for folder, below, files in os.walk(self.root):
            below[:] = [name for name in below if not name.startswith(".")]
            found = [Path(folder, f) for f in files if Path(f).suffix.lower() in SUFFIXES]
            images += found
            others += len(files) - len(found)
        if not images:
            raise DataError(
                f"{self.root} and the folders below it hold no image: {others} file(s), none of "
                f"which ends in {', '.join(SUFFIXES)}. Point data.root at the folder that has them."
            )
        return [Tile(p.relative_to(self.root).as_posix(), p, None) for p in sorted(images)]
