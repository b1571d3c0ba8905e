"""Support tiles that are windows of images, cut around objects of a vector layer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from terrashot.data.labels.burn import Drawing
from terrashot.data.labels.draw import draw, lies_inside
from terrashot.data.labels.layer import Layer
from terrashot.data.labels.options import BurnOptions
from terrashot.data.labels.scenes import LabelledImage
from terrashot.data.labels.windows import Place, places_around
from terrashot.data.support import SupportSample
from terrashot.errors import DataError
from terrashot.image_spec import as_unit
from terrashot.taxonomy import IGNORE, Taxonomy

_SHOWN = 5


class SupportWindows:
    """Windows around the objects of each class, in the order of the class ids.

    A window teaches one class, as a support tile of a dataset does; where objects of several
    classes lie together, each class has windows of its own. Its labels are the class; 0, which
    means "anything but this class" (see ``SupportPixels``), where that is certain: on objects of
    other classes and inside completely labelled areas; and ``IGNORE`` elsewhere, since nobody has
    said that what is not drawn is not there. ``unlabelled`` tells these pixels from those that
    hold no data, for what the frozen network may know of them.

    Objects of a class that the network knows correct it: windows around them show nothing but
    these, and in the windows of novel classes they keep their ids.

    Args:
        layer: The objects, of novel classes and of those that the network knows.
        images: What they are drawn on. An object that lies in several is taken from each.
        taxonomy: Gives each class its id.
        options: How shapes become pixels.
        areas: Inside these everything is labelled; None: nowhere.

    Attributes:
        class_ids: The novel class of each window; None: it corrects what the network knows.
        notes: What a user should know of the objects.

    Raises:
        ConfigError: see ``BurnOptions.check``.
        DataError: a class without an object in any image or without a pixel, an image that can't
            be read, or layers and images whose places can't be compared.
    """

    def __init__(
        self,
        layer: Layer,
        images: Sequence[LabelledImage],
        taxonomy: Taxonomy,
        options: BurnOptions,
        areas: Layer | None = None,
    ) -> None:
        options.check(layer)
        if areas is not None:
            options.check(areas, "areas")
        drawn = set(layer.classes.tolist())
        self._ids = {c.name: c.index for c in taxonomy.classes if c.name in drawn}
        self._taught: set[int] = set()
        ids = np.array([self._ids[name] for name in layer.classes])
        self.notes = [f"{layer.name}: {note}" for note in layer.notes]
        self._where: list[tuple[LabelledImage, Place]] = []
        self.class_ids: list[int | None] = []
        self._masks: list[np.ndarray] = []
        self._unlabelled: list[np.ndarray] = []
        novel = {c.index for c in taxonomy.novel}
        known = [c.name for c in taxonomy.classes if c.name in drawn and c.index not in novel]
        if known:
            self.notes.append(
                f"{layer.name}: the network knows {', '.join(known)}; these objects correct it"
            )
        kept = {self._ids[name] for name in known} - {0}
        drawings = [draw(layer, ids, image, options, areas, kept) for image in images]
        inside = np.array([lies_inside(d.shapes, i) for d, i in zip(drawings, images, strict=True)])
        self._check_inside(layer, inside, images)
        shared = 0
        # Novel classes first, so that a class's windows stand together.
        for class_id in sorted(self._ids.values(), key=lambda i: (i not in novel, i)):
            for image, drawing in zip(images, drawings, strict=True):
                size = image.raster.height, image.raster.width
                own = drawing.shapes[ids == class_id]
                for place in places_around(own, *size, options.window):
                    shared += self._add(image, drawing, place, class_id, class_id in novel)
        if shared:
            self.notes.append(
                f"{layer.name}: {shared} pixel(s) lie in objects of several classes and teach none"
            )
        self._check_taught(layer)

    def __len__(self) -> int:
        """Number of windows."""
        return len(self._where)

    def __getitem__(self, index: int) -> SupportSample:
        """Image float32 [C, h, w] in 0..1, mask int64 [h, w]: see the class."""
        return {
            "image": window_image(*self._where[index]),
            "mask": self.mask(index),
            "name": self.name(index),
            "class_id": self.class_ids[index],
        }

    def mask(self, index: int) -> Tensor:
        """The mask [h, w] of a window."""
        return torch.from_numpy(self._masks[index].astype(np.int64))

    def unlabelled(self, index: int) -> Tensor:
        """Pixels of a window that hold data and of which no label is known, bool [h, w]."""
        return torch.from_numpy(self._unlabelled[index])

    def path(self, index: int) -> Path | None:
        """None: features of a window are not kept."""
        return None

    def name(self, index: int) -> str:
        """Image and place of a window."""
        image, place = self._where[index]
        return f"{image.raster.path.name} {place}"

    def summary(self, class_id: int) -> list[str]:
        """The windows of a class, for a file's provenance."""
        return [self.name(i) for i, own in enumerate(self.class_ids) if own == class_id]

    def key(self, index: int) -> str:
        """Tells a window from those of all images."""
        return window_key(*self._where[index])

    def _add(
        self, image: LabelledImage, drawing: Drawing, place: Place, class_id: int, novel: bool
    ) -> int:
        """Keep a window that shows the class; how many of its pixels several classes claim."""
        burnt = drawing.window(place, class_id)
        _, valid = image.read(place)
        labels, unlabelled = burnt.labels, burnt.unlabelled & valid
        if not novel:
            own = drawing.classes(place) == class_id
            labels = np.where(own, class_id, IGNORE).astype(np.uint8)
            unlabelled = np.zeros_like(unlabelled)
        mask = np.where(valid, labels, IGNORE)
        if (mask == class_id).any():
            self._where.append((image, place))
            self.class_ids.append(class_id if novel else None)
            self._taught.add(class_id)
            self._masks.append(mask)
            self._unlabelled.append(unlabelled)
        return burnt.shared

    def _check_inside(
        self, layer: Layer, inside: np.ndarray, images: Sequence[LabelledImage]
    ) -> None:
        """Say which objects lie in no image; raise where a class has no other."""
        lying = set(layer.rows[inside.any(axis=0)].tolist())
        outside: dict[str, int] = {}
        for row, name in sorted(dict(zip(layer.rows.tolist(), layer.classes, strict=True)).items()):
            if row not in lying:
                outside[name] = outside.get(name, 0) + 1
        objects = layer.objects()
        gone = [name for name, count in outside.items() if count == objects[name]]
        told = ", ".join(f"{count} of '{name}'" for name, count in sorted(outside.items()))
        files = ", ".join(str(image.raster.path) for image in images[:_SHOWN])
        files += f" and {len(images) - _SHOWN} more" if len(images) > _SHOWN else ""
        if gone:
            which = "No object" if len(gone) == len(objects) else f"No object of '{gone[0]}'"
            raise DataError(
                f"{which} of {layer.name} lies in any of the images ({files}); outside of them "
                f"lie {told}. Check the reference systems, name further images with "
                "support.images, or take the class out of the layer."
            )
        if outside:
            self.notes.append(f"{layer.name}: object(s) outside of all images left out: {told}")

    def _check_taught(self, layer: Layer) -> None:
        for name, class_id in self._ids.items():
            if class_id not in self._taught:
                raise DataError(
                    f"{layer.name}: the objects of '{name}' cover no pixel of their own: they are "
                    "smaller than a pixel, wholly under objects of other classes, or lie where the "
                    "images hold no data. Draw larger ones, or give points and lines more metres."
                )


def window_image(image: LabelledImage, place: Place) -> Tensor:
    """Pixels of a window, float32 [C, h, w] in 0..1.

    Raises:
        DataError: the file is damaged here.
    """
    return as_unit(torch.from_numpy(image.read(place)[0]))


def window_key(image: LabelledImage, place: Place) -> str:
    """Tells a window from those of all images."""
    return f"{image.raster.path} {place}"
