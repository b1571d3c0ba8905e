"""Adaptation to one file as a task of `run.py`."""

from terrashot.app.build import uses_query
from terrashot.app.kinds.novel_adaptation import NovelAdaptationKind
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings
from terrashot.data.layout import FewShotLayout
from terrashot.errors import ConfigError
from terrashot.mapping.checks import check_scenes
from terrashot.mapping.radiometry import parse_scale
from terrashot.taxonomy import Taxonomy

QUERIES = "queries"


class AdaptOnceKind(NovelAdaptationKind):
    """One head for all maps, kept in a file."""

    name = "adapt_once"

    def check(self, settings: Settings, taxonomy: Taxonomy) -> None:
        """What learns from unlabelled tiles needs some, and the other way round."""
        super().check(settings, taxonomy)
        if settings.processes > 1:
            raise ConfigError(
                f"experiment=adapt makes one head in one process, but there are "
                f"{settings.processes}. Set trainer.devices=1 trainer.num_nodes=1 strategy=single; "
                "experiment=predict shares the windows of a scene over several devices."
            )
        if settings.guidance is not None:
            raise ConfigError(
                "guidance bends novel logits by cosines, but experiment=adapt keeps a head of "
                "matrices. Leave guidance out, or run experiment=stage2 with it."
            )
        check_unlabelled(settings)

    def check_tiles(self, layout: FewShotLayout) -> None:
        """Support tiles; query tiles are scored where there are any."""
        assert layout.support
        assert layout.has_labelled_queries in (True, False)

    def run(self, settings: Settings, folder: RunFolder) -> None:
        """Adapt, keep the file, score it."""
        from terrashot.app.adapt import run_adapt_once

        run_adapt_once(settings, folder)


def check_unlabelled(settings: Settings) -> None:
    """Raise a ConfigError where method and ``input`` do not go together."""
    adapt, path, transductive = settings.adapt, settings.input.path, uses_query(settings)
    for key in ("sample", "window", "pixels"):
        value = getattr(adapt, key)
        if value < 1:
            raise ConfigError(f"adapt.{key} is {value}, but it must be at least 1.")
    if path is None and (transductive or settings.adaptation.joint):
        what = "transduction" if transductive else "adaptation.joint"
        off = "transduction=none" if transductive else "adaptation.joint=null"
        raise ConfigError(
            f"{what} learns from unlabelled tiles, but input has no value: one head for all maps "
            "has no query of its own. Name some of the tiles that will be mapped with "
            f"input=PATH (a file, folder or glob) or input={QUERIES} (the query "
            f"tiles of the data), or set {off}."
        )
    if path is not None and not transductive and not settings.adaptation.joint:
        raise ConfigError(
            f"input={path} names unlabelled tiles, but nothing learns from them: "
            "transduction is none and adaptation.joint is null. Choose transduction=classtrans or "
            "transduction=diam (with the method of that name), or adaptation.joint={rounds: 2} "
            "(any method), or leave input out."
        )
    if path not in (None, QUERIES):
        check_scenes(path, settings.input.bands, parse_scale(settings.input.scale))
    if transductive and (settings.transduction or {}).get("query_weights") == "support_validity":
        raise ConfigError(
            "transduction.query_weights=support_validity lays the support's labels over a query "
            "tile, but experiment=adapt learns from a sample of pixels. Set "
            "transduction.query_weights=query_mask, or use experiment=stage2."
        )
