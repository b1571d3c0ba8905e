"""Folders of any images: one folder a class."""

from pathlib import Path
from typing import ClassVar

from terrashot.papers.simtrans.folders.layouts.layout import (
    Catalogue,
    Images,
    by_class,
    folders_in,
    read_lines,
)

_TEST = 5
"""Every fifth image of a class is for tests where there is no folder of them."""
_PARTS = ("train", "test", "web")


class Plain:
    """``train/CLASS/IMAGE``, ``test/CLASS/IMAGE``, ``web/CLASS/IMAGE``; or just ``CLASS/IMAGE``.

    Without ``web`` the labels of the training images are taken to be the noisy ones; without
    ``train`` and ``test`` every fifth image of a class, in the order of names, is for tests. A
    list ``novel.txt`` in the root names the novel classes.
    """

    sign: ClassVar[str] = ""

    def read(self, root: Path) -> Catalogue:
        """See ``Layout``."""
        novel = root / "novel.txt"
        names = read_lines(novel, "a class a line") if novel.is_file() else None
        if not (root / "train").is_dir():
            return self._flat(root, names)
        found = {p: by_class(folders_in(root / p), root / p) for p in _PARTS if self._is(root, p)}
        web = found.get("web", found["train"])
        return Catalogue(
            classes=sorted({name for images in found.values() for name in images}),
            train=found["train"],
            test=found.get("test", {}),
            web=web,
            web_folder=str(root / ("web" if "web" in found else "train") / "CLASS"),
            novel=names,
        )

    def _is(self, root: Path, part: str) -> bool:
        return (root / part).is_dir()

    def _flat(self, root: Path, novel: list[str] | None) -> Catalogue:
        every = by_class(folders_in(root), root)
        train: Images = {
            name: [p for i, p in enumerate(images) if i % _TEST != _TEST - 1]
            for name, images in every.items()
        }
        return Catalogue(
            classes=sorted(every),
            train=train,
            test={name: images[_TEST - 1 :: _TEST] for name, images in every.items()},
            web=train,
            web_folder=str(root / "CLASS"),
            novel=novel,
        )
