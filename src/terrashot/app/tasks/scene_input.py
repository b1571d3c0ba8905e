"""`input`: the scenes that a task is given, and what an adaptation learns from them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terrashot.app.tasks.drawn_support import QUERIES
from terrashot.app.tasks.novel_adaptation import build_joint, uses_query
from terrashot.errors import ConfigError
from terrashot.tasks.bench import Bench
from terrashot.tasks.settings.field import setting

if TYPE_CHECKING:
    from terrashot.adaptation.joint import JointSelfTraining
    from terrashot.data.datamodule import FewShotDataModule
    from terrashot.model.adapt_once import Unlabelled
    from terrashot.model.support_fit import SupportFit


@dataclass
class InputSettings:
    """``input``: scenes to map, to learn from or to draw on; ``input=PATH`` sets the path."""

    path: str | None = setting(None, path=True)
    bands: list[Any] | None = None
    scale: Any = None


def check_unlabelled(settings: Any, bench: Bench) -> None:  # noqa: ANN401 - AdaptOnceSettings
    """Raise a ConfigError where method and ``input`` do not go together."""
    from terrashot.data.imagery import parse_scale
    from terrashot.mapping.checks import check_scenes

    transductive = uses_query(bench)
    path, joint = settings.input.path, settings.adaptation.joint
    if path is None and (transductive or joint):
        what = "transduction" if transductive else "adaptation.joint"
        off = "transduction=none" if transductive else "adaptation.joint=null"
        raise ConfigError(
            f"{what} learns from unlabelled tiles, but input has no value: one head for all maps "
            "has no query of its own. Name some of the tiles that will be mapped with "
            f"input=PATH (a file, folder or glob) or input={QUERIES} (the query "
            f"tiles of the data), or set {off}."
        )
    if path not in (None, QUERIES):
        scale = parse_scale(settings.input.scale, "input.scale")
        check_scenes(path, bench.image_spec(), settings.input.bands, scale)
    if transductive and (settings.transduction or {}).get("query_weights") == "support_validity":
        raise ConfigError(
            "transduction.query_weights=support_validity lays the support's labels over a query "
            "tile, but experiment=adapt learns from a sample of pixels. Set "
            "transduction.query_weights=query_mask, or use experiment=stage2."
        )


def input_joint(
    settings: Any,  # noqa: ANN401 - AdaptOnceSettings
    bench: Bench,
) -> "JointSelfTraining | None":
    """What learns from ``input``: joint self-training, unless the method itself does."""
    from terrashot.adaptation.joint import JointSelfTraining

    unused = settings.adaptation.joint is None and not uses_query(bench)
    if settings.input.path is not None and unused:
        return JointSelfTraining()
    return build_joint(settings)


def unlabelled_tiles(
    settings: Any,  # noqa: ANN401 - AdaptOnceSettings
    fit: "SupportFit",
    data: "FewShotDataModule | None",
) -> "Unlabelled | None":
    """Query tiles of the data or windows of scenes; None where ``input`` is not given.

    Raises:
        DataError: a scene can't be read.
    """
    from terrashot.data.imagery import parse_scale
    from terrashot.mapping.checks import check_scenes
    from terrashot.mapping.scene_sample import SceneSample
    from terrashot.model.adapt_once import Unlabelled

    given, adapt = settings.input, settings.adapt
    if given.path is None:
        return None
    if given.path == QUERIES:
        assert data is not None
        return Unlabelled(fit.query_tiles, len(data.layout.query), adapt.pixels)
    scale = parse_scale(given.scale, "input.scale")
    scenes = check_scenes(given.path, fit.network.segmenter.spec, given.bands, scale)
    sample = SceneSample(scenes, adapt.sample, adapt.window, settings.seed)
    return Unlabelled(lambda: fit.windows(sample), len(sample), adapt.pixels)
