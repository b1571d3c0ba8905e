"""FGVC-Aircraft with web images, as SimTrans packs them."""

from pathlib import Path
from typing import ClassVar

from terrashot.papers.simtrans.folders.layouts.layout import (
    Catalogue,
    by_class,
    existing,
    read_lines,
    rows_of,
    shipped_list,
)


class Fgvc:
    """``fgvc-aircraft-2013b`` with its lists, and ``hardest_new_set/VARIANT/IMAGE``.

    A variant with a slash in its name (F-16A/B) has its web images in a folder of a folder. Novel
    are SimTrans' 25 variants.
    """

    sign: ClassVar[str] = "fgvc-aircraft-2013b"

    def read(self, root: Path) -> Catalogue:
        """See ``Layout``."""
        data = root / self.sign / "data"
        classes = read_lines(data / "variants.txt", "a variant a line")
        web = root / "hardest_new_set"
        return Catalogue(
            classes=classes,
            train=self._listed(data, "trainval"),
            test=self._listed(data, "test"),
            web=by_class(classes, web),
            web_folder=str(web / "CLASS"),
            novel=shipped_list("fgvc_novel"),
        )

    def _listed(self, data: Path, part: str) -> dict[str, list[Path]]:
        path = data / f"images_variant_{part}.txt"
        found: dict[str, list[Path]] = {}
        for number, variant in rows_of(path, "a line `NUMBER VARIANT` for each image"):
            found.setdefault(variant, []).append(data / "images" / f"{number}.jpg")
        return existing(found, path)
