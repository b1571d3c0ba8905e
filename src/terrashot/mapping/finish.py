"""The last step of a scene: from finished rows to the files that a user opens."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from terrashot.mapping.blending import Layers
from terrashot.mapping.cog import Raster, raster_files, write_cog
from terrashot.mapping.job import SceneJob
from terrashot.taxonomy import Taxonomy

Product = Callable[[SceneJob], list[Path]]
"""Makes further files of a scene whose class map is written; each appears whole or not at all."""

Mend = Callable[[Path, Path, str], None]
"""Writes a class map anew, from one path to another, given the name of its scene."""


CONFIDENCE, _PROBABILITIES = "_confidence", "_probabilities"


def finished_files(class_map: Path, layers: Layers) -> list[Path]:
    """The files of a scene that a ``Finisher`` writes or removes, those of its products apart."""
    asked = {CONFIDENCE: layers.confidence, _PROBABILITIES: bool(layers.probabilities)}
    suffixes = ["", *(suffix for suffix, wanted in asked.items() if wanted)]
    return [f for suffix in suffixes for f in raster_files(_raster(class_map, suffix))]


def _raster(class_map: Path, suffix: str) -> Path:
    return class_map.with_name(f"{class_map.stem}{suffix}.tif")


class Finisher:
    """Writes the files of a scene.

    Args:
        taxonomy: the classes.
        layers: what the rows hold.
        tags: metadata of all files, such as the model they were made with.
        products: what else is made of the class map, in this order.
        mend: post-processes the class map; None: it stays as it is.
        marks: metadata of the percentages, beside ``tags``: how far they are to be believed.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        layers: Layers,
        tags: dict[str, str] | None = None,
        products: Sequence[Product] = (),
        mend: Mend | None = None,
        marks: dict[str, str] | None = None,
    ) -> None:
        self.taxonomy = taxonomy
        self.layers = layers
        self.tags = tags or {}
        self.products = products
        self.mend = mend
        self.marks = marks or {}

    def __call__(self, job: SceneJob) -> list[Path]:
        """Write all files of ``job``, whose rows are all finished; the class map comes first.

        Raises:
            DataError: there is no space left.
        """
        files: list[Path] = []
        for suffix, raster in self._rasters():
            path = _raster(job.output, suffix)
            mend = None
            if self.mend is not None and raster.classes is not None:
                mend = partial(self._mended, job)
            files += write_cog(path, raster, job.store, job.scene, mend)
        for product in self.products:
            files += product(job)
        return files

    def _mended(self, job: SceneJob, source: Path, target: Path) -> None:
        assert self.mend is not None
        self.mend(source, target, job.scene.path.stem)

    def _rasters(self) -> list[tuple[str, Raster]]:
        classes = self.taxonomy.classes
        tags = self.tags | {f"CLASS_{c.index}": c.name for c in classes}
        rasters = [("", Raster([1], ["class"], tags, classes=self.taxonomy))]
        percent = self.tags | self.marks
        band = 2
        if self.layers.confidence:
            name = "probability of the mapped class"
            rasters.append((CONFIDENCE, Raster([band], [name], percent, unit="percent")))
            band += 1
        if self.layers.probabilities:
            bands = range(band, band + len(self.layers.probabilities))
            names = [self.taxonomy.names[i] for i in self.layers.probabilities]
            raster = Raster(list(bands), names, percent, unit="percent")
            rasters.append((_PROBABILITIES, raster))
        return rasters
