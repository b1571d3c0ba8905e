"""What is made of each finished scene beside its map, and how the map is mended."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from terrashot.errors import ConfigError
from terrashot.mapping.finish import Mend, Product
from terrashot.mapping.job import SceneJob
from terrashot.mapping.ledger import Ledger
from terrashot.mapping.postprocess.chain import PostProcess
from terrashot.mapping.postprocess.scene import mended_scene
from terrashot.mapping.products import (
    ProductOptions,
    is_complete,
    product_files,
    write_products,
)
from terrashot.mapping.scene import Scene
from terrashot.reporting.map_picture import draw_map
from terrashot.taxonomy import Taxonomy


class SceneProducts:
    """The files beside the map of a scene, and the rules that the map goes through before.

    Args:
        taxonomy: The classes of the model.
        options: Which files are made.
        picture: Whether a PNG is drawn too.
        rules: Mend the map; None: it stays as it is.

    Raises:
        ConfigError: a minimum mapping unit that can't be.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        options: ProductOptions,
        picture: bool = True,
        rules: PostProcess | None = None,
    ) -> None:
        unit = options.minimum_mapping_unit
        if unit is not None and not unit > 0:
            raise ConfigError(
                f"output.minimum_mapping_unit is {unit}, but it is an area above 0: square metres "
                "of a projected scene, otherwise pixels; null for none."
            )
        if unit is not None and not options.polygons:
            raise ConfigError(
                "output.minimum_mapping_unit is that of the polygons, which are not asked for. Add "
                "output.polygons=true; postprocess=clean mends the map itself."
            )
        self.taxonomy = taxonomy
        self.options = options
        self.picture = picture
        self.rules = rules

    def check(self, scenes: Sequence[Scene]) -> None:
        """Find what can't work on these scenes: unknown classes, masks that do not fit."""
        if self.rules is not None:
            sizes = {scene.path.stem: [(scene.height, scene.width)] for scene in scenes}
            self.rules.check(self.taxonomy, sizes, scores=False)

    def files(self, class_map: Path) -> list[Path]:
        """What is written beside the map of a scene."""
        drawn = [_picture(class_map)] if self.picture else []
        return drawn + product_files(class_map, class_map.with_suffix(""), self.options)

    def masks(self, scenes: Sequence[Scene]) -> list[Path]:
        """The external masks that the rules read for these scenes."""
        return [] if self.rules is None else self.rules.masks([s.path.stem for s in scenes])

    @property
    def mend(self) -> Mend | None:
        """Applies the rules to a class map on disk."""
        return None if self.rules is None else partial(_mend, self.rules, self.taxonomy)

    @property
    def makers(self) -> list[Product]:
        """What is made of a finished class map, in this order."""
        return [*([self._draw] if self.picture else []), self._write]

    @property
    def marks(self) -> dict[str, str]:
        """Metadata that the map carries: the rules, and whether masks came from outside."""
        if self.rules is None:
            return {}
        outside = "yes" if self.rules.external_masks else "no"
        return {"POSTPROCESS": ", ".join(self.rules.rules), "EXTERNAL_MASKS": outside}

    def describe(self) -> str | None:
        """Which rules the maps go through; None: none."""
        if self.rules is None:
            return None
        masks = ", with external masks" if self.rules.external_masks else ""
        return f"maps are mended by: {', '.join(self.rules.rules)}{masks}"

    def complete(
        self, jobs: Sequence[SceneJob], ledger: Ledger, say: Callable[[str], object]
    ) -> None:
        """Make what finished scenes of an earlier run lack, from their maps; ``say`` tells."""
        for job in jobs:
            drawn = not self.picture or _picture(job.output).is_file()
            if not drawn or not is_complete(job.output, _stem(job), self.options):
                say(f"{job.output.name} is finished; making what it lacks beside it")
                ledger.add_files(job.output.stem, [f for make in self.makers for f in make(job)])

    def _draw(self, job: SceneJob) -> list[Path]:
        return [draw_map(job.output, _picture(job.output), self.taxonomy)]

    def _write(self, job: SceneJob) -> list[Path]:
        return write_products(job.output, _stem(job), self.taxonomy, self.options)


def _picture(class_map: Path) -> Path:
    return class_map.with_suffix(".png")


def _stem(job: SceneJob) -> Path:
    return job.output.with_suffix("")


def _mend(rules: PostProcess, taxonomy: Taxonomy, source: Path, target: Path, name: str) -> None:
    mended_scene(source, target, rules, taxonomy, name)
