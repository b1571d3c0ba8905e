"""Post-processing from settings, and what each of its rules did to the score."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from terrashot.app.build import build_part
from terrashot.app.results import without_nan
from terrashot.app.settings import Settings
from terrashot.data.layout import FewShotLayout
from terrashot.evaluation.scores import gfss_scores
from terrashot.mapping.postprocess.chain import PostProcess
from terrashot.taxonomy import Taxonomy


def build_postprocess(settings: Settings) -> PostProcess | None:
    """The rules of ``postprocess``; None where it is null.

    Raises:
        ConfigError: an unknown setting, or a value that a rule refuses.
    """
    found = build_part("postprocess", settings.postprocess)
    assert found is None or isinstance(found, PostProcess)
    return found


def check_postprocess(settings: Settings, taxonomy: Taxonomy) -> None:
    """Find what can't work on the query tiles: unknown classes, missing masks.

    Raises:
        ConfigError: see ``PostProcess.check``.
        DataError: an external mask of a query tile is missing.
    """
    rules = build_postprocess(settings)
    if rules is None:
        return
    tiles: list[str] = []
    if rules.external_masks and settings.data.demo_seed is None:  # the demo set makes itself later
        layout = FewShotLayout(Path(settings.data.root), settings.data.split)
        tiles = [tile.name for tile in layout.query]
    rules.check(taxonomy, tiles)


def rule_results(
    rules: PostProcess | None, counts: Tensor, settings: Settings, taxonomy: Taxonomy
) -> list[dict[str, Any]]:
    """What ``results.json`` says of the map before and after each rule; empty without rules.

    Args:
        rules: The post-processing.
        counts: ``[1 + R, K, K]``, before all rules and after each.
        settings: Of the run.
        taxonomy: Its classes.

    Returns:
        In order, ``{"rule": the method's name or "+ <rule>", "external": whether masks of another
        model are in the map by then, "metrics": {"test/base_miou": ..., ...}}``.
    """
    if rules is None:
        return []
    names = [str((settings.method or {}).get("name")), *(f"+ {name}" for name in rules.rules)]
    external = [rule.external_masks for rule in rules.rules.values()]
    weights = {
        "base_weight": settings.adaptation.base_weight,
        "novel_weight": settings.adaptation.novel_weight,
    }
    found = []
    for number, (name, confusion) in enumerate(zip(names, counts, strict=True)):
        scores = gfss_scores(confusion, taxonomy, **weights)
        found.append(
            {
                "rule": name,
                "external": any(external[:number]),
                "metrics": without_nan(scores.as_metrics("test", taxonomy)),
            }
        )
    return found


def rule_rows(results: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """The same as rows of a table: rule, base, novel and weighted mIoU, external masks."""
    keys = ["test/base_miou", "test/novel_miou", "test/weighted_miou"]
    return [[r["rule"], *(r["metrics"][key] for key in keys), r["external"]] for r in results]
