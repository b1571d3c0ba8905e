"""Caltech-UCSD Birds 200-2011 with web images, as SimTrans packs them."""

from pathlib import Path
from typing import ClassVar

from terrashot.errors import DataError
from terrashot.papers.simtrans.folders.layouts.layout import (
    Catalogue,
    by_class,
    existing,
    rows_of,
    shipped_list,
)


class Cub:
    """``CUB_200_2011`` with its lists, and ``CUB_web/CLASS/IMAGE``.

    Novel are the 50 test classes of the proposed split of Xian et al., "Zero-Shot Learning - A
    Comprehensive Evaluation of the Good, the Bad and the Ugly", 2018, as in SimTrans.
    """

    sign: ClassVar[str] = "CUB_200_2011"

    def read(self, root: Path) -> Catalogue:
        """See ``Layout``."""
        folder = root / self.sign
        lists = folder / "images.txt", folder / "train_test_split.txt"
        images = rows_of(lists[0], "a line `NUMBER CLASS/IMAGE` for each image")
        split = dict(rows_of(lists[1], "a line `NUMBER 0` (test) or `NUMBER 1` an image"))
        train: dict[str, list[Path]] = {}
        test: dict[str, list[Path]] = {}
        for number, name in images:
            label, _, file = name.partition("/")
            part = split.get(number)
            if part not in ("0", "1") or not file:
                raise DataError(
                    f"{lists[0]} lists image {number} as '{name}', and {lists[1]} says "
                    f"{part!r} of it; expected are CLASS/IMAGE there, and 0 or 1 here."
                )
            chosen = train if part == "1" else test
            chosen.setdefault(label, []).append(folder / "images" / name)
        classes = list(dict.fromkeys(name.partition("/")[0] for _, name in images))
        return Catalogue(
            classes=classes,
            train=existing(train, lists[0]),
            test=existing(test, lists[0]),
            web=by_class(classes, root / "CUB_web"),
            web_folder=str(root / "CUB_web" / "CLASS"),
            novel=shipped_list("cub_novel"),
        )
