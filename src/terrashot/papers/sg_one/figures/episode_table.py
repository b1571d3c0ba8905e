"""The table of few-shot episodes: a line a novel class, a column a method and shots."""

import math
from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from terrashot.papers.sg_one.evaluation.episode_scores import EpisodeScores
from terrashot.reporting.titled_table import titled_table
from terrashot.taxonomy import LandClass


def episode_table(
    columns: Mapping[str, EpisodeScores], classes: tuple[LandClass, ...], title: str
) -> Table:
    """A table of binary IoU.

    Args:
        columns: Scores by what stands above the column.
        classes: The novel classes.
        title: Stands above the table.
    """
    table = titled_table(title)
    table.add_column("class", no_wrap=True, overflow="ellipsis", max_width=26)
    for name in columns:
        table.add_column(name, justify="right", overflow="fold", max_width=11)
    for land in classes:
        label = Text.assemble(("■ ", land.color), land.name)
        values = [scores.iou[land.name] for scores in columns.values()]
        table.add_row(label, *map(_number, values), end_section=land is classes[-1])
    for name, field in {"mIoU": "miou", "foreground-background IoU": "fb_iou"}.items():
        values = [float(getattr(scores, field)) for scores in columns.values()]
        table.add_row(Text(name, style="bold"), *map(_number, values))
    return table


def _number(value: float) -> Text:
    return Text("absent", style="dim italic") if math.isnan(value) else Text(f"{value:.3f}")
