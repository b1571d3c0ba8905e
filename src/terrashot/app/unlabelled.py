"""The unlabelled tiles that ``input=`` names, for a head that learns from them."""

from terrashot.app.kinds.adapt_once import QUERIES
from terrashot.app.settings import Settings
from terrashot.data.datamodule import FewShotDataModule
from terrashot.mapping.checks import check_scenes
from terrashot.mapping.radiometry import parse_scale
from terrashot.mapping.scene_sample import SceneSample
from terrashot.model.adapt_once import Unlabelled
from terrashot.model.support_fit import SupportFit


def unlabelled_tiles(
    settings: Settings, fit: SupportFit, data: FewShotDataModule
) -> Unlabelled | None:
    """Query tiles of the data or windows of scenes; None where ``input`` is not given.

    Raises:
        DataError: a scene can't be read.
    """
    given, adapt = settings.input, settings.adapt
    if given.path is None:
        return None
    if given.path == QUERIES:
        return Unlabelled(fit.query_tiles, len(data.layout.query), adapt.pixels)
    scenes = check_scenes(given.path, given.bands, parse_scale(given.scale))
    sample = SceneSample(scenes, adapt.sample, adapt.window, settings.seed)
    return Unlabelled(lambda: fit.windows(sample), len(sample), adapt.pixels)
