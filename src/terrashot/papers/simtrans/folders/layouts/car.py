"""CompCars with web images, as SimTrans packs them."""

from pathlib import Path
from typing import ClassVar

from terrashot.errors import DataError
from terrashot.papers.simtrans.folders.layouts.layout import (
    Catalogue,
    by_class,
    existing,
    folders_in,
    read_lines,
)
from terrashot.papers.simtrans.folders.layouts.matlab import read_matlab


class Car:
    """``CampCar`` with its lists, and ``web_data/MODEL/IMAGE``.

    Classes are the folders of ``web_data``; several numbers of ``make_model_name.mat`` may share a
    model's name. Novel is every fourth class in the order of names, as in SimTrans by default.
    """

    sign: ClassVar[str] = "CampCar"

    def read(self, root: Path) -> Catalogue:
        """See ``Layout``."""
        classes = folders_in(root / "web_data")
        names = self._names(root / self.sign / "misc" / "make_model_name.mat")
        return Catalogue(
            classes=classes,
            train=self._listed(root, "train", names, classes),
            test=self._listed(root, "test", names, classes),
            web=by_class(classes, root / "web_data"),
            web_folder=str(root / "web_data" / "CLASS"),
            novel=classes[::4],
        )

    def _listed(
        self, root: Path, part: str, names: dict[int, str], classes: list[str]
    ) -> dict[str, list[Path]]:
        split = root / self.sign / "train_test_split" / "classification" / f"{part}.txt"
        found: dict[str, list[Path]] = {}
        wanted = set(classes)
        for number, line in enumerate(read_lines(split, "a line MAKE/MODEL/YEAR/IMAGE"), 1):
            parts = line.split("/")
            if len(parts) < 3 or not parts[1].isdigit():
                raise DataError(
                    f"{split}, line {number}: '{line}'; expected is MAKE/MODEL/YEAR/IMAGE, with "
                    "the number of a model."
                )
            name = names.get(int(parts[1]))
            if name in wanted:
                found.setdefault(str(name), []).append(root / self.sign / "image" / line)
        return existing(found, split)

    def _names(self, path: Path) -> dict[int, str]:
        """The names of the models by number, from 1; some have none."""
        rows = read_matlab(path, "model_names").reshape(-1)
        texts = (str(row.reshape(-1)[0]).strip() if row.size else "" for row in rows)
        return {number: text for number, text in enumerate(texts, 1) if text}
