"""WebVision's noisy images beside ImageNet's clean ones, as SimTrans packs them."""

from pathlib import Path
from typing import ClassVar

from terrashot.errors import DataError
from terrashot.papers.simtrans.folders.layouts.layout import (
    Catalogue,
    Images,
    by_class,
    existing,
    folders_in,
    images_in,
    read_lines,
    rows_of,
)
from terrashot.papers.simtrans.folders.layouts.matlab import read_matlab

_NOVEL = 118
_ID = 9
"""Signs of a WordNet identifier."""


class WebVision:
    """``info/synsets.txt``, ``train_files_118.txt``, ``subset118``; ImageNet beside the root.

    ``../ImageNet`` holds ``train/WNID/IMAGE`` (with ``train_files.txt``, or all of them without
    it), ``val``, ``ILSVRC2012_validation_ground_truth.txt`` and ``meta.mat``. Novel are the first
    118 of the sorted WordNet identifiers, as in SimTrans.
    """

    sign: ClassVar[str] = "info/synsets.txt"

    def read(self, root: Path) -> Catalogue:
        """See ``Layout``."""
        imagenet = root.resolve().parent / "ImageNet"
        classes = folders_in(imagenet / "train")
        files = imagenet / "train_files.txt"
        if files.is_file():
            train: dict[str, list[Path]] = {}
            for file, wnid in rows_of(files, "a line `FILE,WNID` for each image", ","):
                train.setdefault(wnid, []).append(imagenet / file)
            train = existing(train, files)
        else:
            train = by_class(classes, imagenet / "train")
        return Catalogue(
            classes=classes,
            train=train,
            test=self._validation(imagenet),
            web=self._web(root),
            web_folder=f"{root / 'subset118'} (as listed for CLASS in train_files_118.txt)",
            novel=classes[:_NOVEL],
        )

    def _validation(self, imagenet: Path) -> Images:
        """ImageNet's validation images by WordNet identifier."""
        path = imagenet / "ILSVRC2012_validation_ground_truth.txt"
        truth = read_lines(path, "the number of a class for each validation image")
        table = read_matlab(imagenet / "meta.mat", "synsets").reshape(-1)
        names = {int(row["ILSVRC2012_ID"].item()): str(row["WNID"].item()) for row in table}
        found: dict[str, list[Path]] = {}
        for image in images_in(imagenet / "val"):
            number = image.stem.rpartition("_")[2]
            place = int(number) if number.isdigit() else 0
            known = truth[place - 1] if 0 < place <= len(truth) else ""
            if not known.isdigit() or int(known) not in names:
                raise DataError(
                    f"{image}: its number should name a line of {path}, which has {len(truth)}, "
                    "and that line a class of meta.mat. Unpack ImageNet again."
                )
            found.setdefault(names[int(known)], []).append(image)
        return found

    def _web(self, root: Path) -> Images:
        path, synsets = root / "train_files_118.txt", root / self.sign
        names = [line[:_ID] for line in read_lines(synsets, "a WordNet identifier a line")]
        found: dict[str, list[Path]] = {}
        for file, number in rows_of(path, "a line `FILE SYNSET` for each web image"):
            if not number.isdigit() or int(number) >= len(names):
                raise DataError(
                    f"{path} gives {file} the class {number}, but {synsets} has the classes 0 to "
                    f"{len(names) - 1}."
                )
            found.setdefault(names[int(number)], []).append(root / "subset118" / file)
        return existing(found, path)
