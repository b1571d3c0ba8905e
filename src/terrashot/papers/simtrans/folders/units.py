"""Images as the units that a SimNet is trained on."""

from pathlib import Path

import numpy as np

from terrashot.errors import DataError
from terrashot.papers.simtrans.folders.image_sets import ImageSets, LabelledImage
from terrashot.papers.simtrans.folders.images import ImageUnits, Views
from terrashot.papers.simtrans.network.sim_net import WINDOWS
from terrashot.papers.simtrans.patches.pair_units import PairUnits
from terrashot.papers.simtrans.patches.units import held_out_classes
from terrashot.papers.simtrans.settings import ImageFolderData, ImageUnitSettings

_LEAST = 2
"""Test images that a held-out class has, so that one of its pairs is similar."""


def views_of(data: ImageFolderData) -> Views:
    """How the images of a run are cut."""
    return Views(data.window, data.resize, data.rotation, data.area, data.flip)


def image_pair_units(sets: ImageSets, units: ImageUnitSettings, data: ImageFolderData) -> PairUnits:
    """Base training images to learn from, base test images to select on, novel ones beside them.

    Raises:
        DataError: no base class has two test images.
    """
    counts = np.bincount([i.label for i in sets.base_test], minlength=len(sets.base)).tolist()
    held = held_out_classes(units.held_out, sets.base, counts, least=_LEAST)
    if not held and units.held_out != []:
        raise DataError(
            f"{Path(data.root)}: SimNet is selected on pairs of test images of base classes, but "
            "no base class has two of them. Add test images."
        )
    views = views_of(data)
    novel = None
    if units.beta or units.noisy_frac:
        novel = ImageUnits(sets.novel_web, views, augmented=True)
    kept = [image for image in sets.base_train if image.label not in held]
    return PairUnits(
        train=ImageUnits(kept, views, augmented=True),
        val=ImageUnits(sets.base_test, views),
        novel=novel,
        held_out=held,
        about={
            "units": WINDOWS,
            "data": data.name,
            "classes": sets.base,
            "held_out": [sets.base[i] for i in held],
            "window": data.window,
        },
    )


def most_per_class(images: list[LabelledImage], most: int, in_all: int) -> int:
    """How many images of a class are kept so that there are no more than ``in_all``."""
    classes = len({image.label for image in images})
    return max(_LEAST, min(most, in_all // max(1, classes)))
