"""The folder of VOC 2012 as it is unpacked, and the masks of SBD beside it."""

from functools import cached_property
from pathlib import Path

from terrashot.data.label_codes import LabelCodes
from terrashot.data.layout import FewShotLayout, Tile
from terrashot.errors import ConfigError, DataError
from terrashot.papers.sg_one.pascal.sbd import sbd_masks
from terrashot.taxonomy import IGNORE, Taxonomy

_IMAGES = "JPEGImages"
_MASKS = "SegmentationClass"
_LISTS = "ImageSets/Segmentation"
_EXPECTED = f"{_IMAGES}/, {_MASKS}/ and {_LISTS}/train.txt and val.txt"


class PascalLayout(FewShotLayout):
    """``train``: images with a mask, of VOC or also of SBD; ``stage1_val``: those of ``val.txt``.

    Masks are numbered in the order of the classes, 0 background, 255 void; here base classes come
    first. An image of ``val.txt`` is never trained on, whatever SBD says of it. Where both sets
    have a mask, that of VOC is taken.

    Args:
        root: ``VOCdevkit/VOC2012``.
        taxonomy: The classes of the fold.
        fold: Which part of the classes is novel.
        sbd: Masks beyond those of VOC, see ``sbd_masks``; None: none.

    Raises:
        DataError: the folder lacks a part; on access, a listed file is missing.
    """

    def __init__(self, root: Path, taxonomy: Taxonomy, fold: int, sbd: Path | None = None) -> None:
        lacks = [p for p in (_IMAGES, _MASKS, _LISTS) if not (root / p).is_dir()]
        if lacks:
            raise DataError(
                f"{root} is no folder of VOC 2012: {', '.join(lacks)} is missing. Expected there: "
                f"{_EXPECTED}. Unpack the VOC 2012 trainval archive and write "
                "data.root=FOLDER/VOCdevkit/VOC2012."
            )
        super().__init__(root, "test")
        self.sbd = sbd
        self.codes = _codes(taxonomy, fold)

    @cached_property
    def train(self) -> list[Tile]:
        """Images to draw training episodes from."""
        held_out = set(self._listed("val.txt"))
        names = self._listed("train.txt")
        tiles = [self._voc(name, "train.txt") for name in names if name not in held_out]
        if self.sbd is None:
            return tiles
        masks = sbd_masks(self.sbd, self.root)
        known = held_out | set(names)
        return tiles + [
            Tile(name, self._image(name, str(self.sbd)), mask, self.codes)
            for name, mask in sorted(masks.items())
            if name not in known
        ]

    @cached_property
    def unlabelled_train(self) -> list[Tile]:
        """The images of ``train``."""
        return [Tile(tile.name, tile.image, None) for tile in self.train]

    @cached_property
    def stage1_val(self) -> list[Tile]:
        """Images that base classes are validated and novel ones are tested on."""
        return [self._voc(name, "val.txt") for name in self._listed("val.txt")]

    def _listed(self, file: str) -> list[str]:
        return self._names(f"{_LISTS}/{file}")

    def _voc(self, name: str, file: str) -> Tile:
        mask = self.root / _MASKS / f"{name}.png"
        if not mask.is_file():
            raise DataError(
                f"{mask} is missing, but {self.root / _LISTS / file} lists {name}. Unpack the "
                "archive again, or take the name off the list."
            )
        return Tile(name, self._image(name, file), mask, self.codes)

    def _image(self, name: str, file: str) -> Path:
        image = self.root / _IMAGES / f"{name}.jpg"
        if not image.is_file():
            raise DataError(
                f"{image} is missing, but {file} has a mask of {name}. Unpack the archive again "
                "(images of SBD are those of VOC 2012)."
            )
        return image


def _codes(taxonomy: Taxonomy, fold: int) -> LabelCodes:
    """From the numbers of VOC to the ids of the fold."""
    order = taxonomy.base_ids
    begin = fold * taxonomy.num_novel
    if begin > len(order):
        raise ConfigError(
            f"data.fold is {fold}, but {len(order)} base classes and {taxonomy.num_novel} novel "
            "ones are no fold. Leave data.taxonomy as configs/data/pascal5i.yaml has it."
        )
    ids = [*order[:begin], *taxonomy.novel_ids, *order[begin:]]
    pairs = [(0, 0), *enumerate(ids, start=1), (IGNORE, IGNORE)]
    return LabelCodes(numbers=tuple(pairs))
