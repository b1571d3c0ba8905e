"""The options of a sweep as rows of dots."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from terrashot.reporting.ablation import AblationRow, Outcome, Spread
from terrashot.reporting.figures import BASE, INK, MUTED, NOVEL, clean_axis, new_figure


def ablation_figure(
    rows: Sequence[AblationRow], outcomes: Sequence[Outcome], keys: Sequence[str], main: str
) -> Figure:
    """Draw each job as a dot, with the mean and the standard deviation of its option.

    Args:
        rows: the options, the reference first.
        outcomes: the finished jobs.
        keys: what the options choose.
        main: the score that is drawn, in percent.
    """
    figure, (axis,) = new_figure(6.4, 1.1 + 0.42 * len(rows))
    for place, row in enumerate(rows):
        own = [100 * o.scores.get(main, math.nan) for o in outcomes if o.options == row.options]
        axis.plot(own, [place] * len(own), "o", color=BASE, alpha=0.45, markersize=5, zorder=2)
        spread = row.scores.get(main, Spread())
        if math.isnan(spread.mean):
            axis.text(0.01, place, "no result", transform=axis.get_yaxis_transform(), color=MUTED)
            continue
        error = 0 if math.isnan(spread.deviation) else 100 * spread.deviation
        color = NOVEL if row.difference is None else INK
        axis.errorbar(
            100 * spread.mean, place, xerr=error, fmt="|", color=color,
            markersize=13, markeredgewidth=2, capsize=3, elinewidth=1.2, zorder=3,
        )  # fmt: skip
    axis.set_yticks(range(len(rows)), [", ".join(row.labels) or "all jobs" for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel(f"{main}, %: jobs, mean and standard deviation (orange: the reference)")
    axis.set_title(", ".join(keys), loc="left")
    clean_axis(axis, grid="x")
    return figure
