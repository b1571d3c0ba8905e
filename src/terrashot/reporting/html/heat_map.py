"""A matrix as a table of coloured cells."""

from collections.abc import Sequence

import numpy as np

from terrashot.reporting.confusion_figure import row_shares
from terrashot.reporting.html import formats
from terrashot.reporting.html.parts import Cell, Head, HeatMap
from terrashot.reporting.transition_figure import in_units, shown
from terrashot.taxonomy import Taxonomy


def confusion_map(confusion: Sequence[Sequence[int]], taxonomy: Taxonomy) -> HeatMap:
    """Rows of truth, each summing to 100 %."""
    counts = np.asarray(confusion, dtype=np.int64)
    shares = row_shares(counts)
    names = taxonomy.names
    rows: list[list[Cell] | None] = []
    for true, row in enumerate(shares):
        if np.isnan(row).any():
            rows.append(None)
            continue
        rows.append(
            [
                Cell(
                    text=f"{100 * share:.0f}" if share >= 0.005 or true == found else "",
                    heat=float(share),
                    tip=f"{names[true]} \N{RIGHTWARDS ARROW} {names[found]}: "
                    f"{formats.percent(float(share))} % of {names[true]}, "
                    f"{formats.count(int(counts[true, found]))} pixels",
                    marked=true == found,
                )
                for found, share in enumerate(row)
            ]
        )
    heads = _heads(taxonomy, range(taxonomy.num_classes))
    return HeatMap(
        anchor="confusion",
        title="Confusion matrix",
        explanation="Where the pixels of each true class went: percent of the row, the diagonal "
        "is what was found. Shares below 0.5 % are left blank; point at a cell, or walk through "
        "with the arrow keys, for its count.",
        row_title="true",
        column_title="predicted",
        row_heads=heads,
        column_heads=heads,
        rows=rows,
        findings_title="Largest confusions",
        findings=_largest_confusions(shares, names),
    )


def _largest_confusions(shares: np.ndarray, names: Sequence[str], most: int = 8) -> list[str]:
    """The largest shares beside the diagonal, in words."""
    off = np.nan_to_num(shares, nan=0.0) * (1 - np.eye(len(shares)))
    order = np.argsort(-off, axis=None, kind="stable")[:most]
    pairs = [divmod(int(i), len(shares)) for i in order]
    return [
        f"{formats.percent(float(off[true, found]), 0)} % of {names[true]} "
        f"\N{RIGHTWARDS ARROW} {names[found]}"
        for true, found in pairs
        if off[true, found] >= 0.05
    ]


def similarity_map(
    matrix: Sequence[Sequence[float]], taxonomy: Taxonomy, estimator: str
) -> HeatMap:
    """Shares ``[base, novel]``, columns summing to 1."""
    shares = np.asarray(matrix, dtype=np.float64)
    base, novel = taxonomy.names[: taxonomy.num_base], taxonomy.names[taxonomy.num_base :]
    top = max(float(shares.max()), 1e-12)
    rows: list[list[Cell] | None] = [
        [
            Cell(
                text=formats.percent(float(share), 0 if share >= 0.0095 else 1),
                heat=float(share) / top,
                tip=f"{novel[column]} resembles {base[row]} by {formats.percent(float(share))} %",
                marked=bool(share == shares[:, column].max() > shares[:, column].min() + 1e-9),
            )
            for column, share in enumerate(values)
        ]
        for row, values in enumerate(shares)
    ]
    return HeatMap(
        anchor="similarity",
        title="Similarity of novel and base classes",
        explanation=f"What the novel head starts from, estimated by {estimator}: percent of each "
        "novel class (columns sum to 100 %), the largest share framed.",
        row_title="base",
        column_title="novel",
        row_heads=_heads(taxonomy, range(taxonomy.num_base)),
        column_heads=_heads(taxonomy, range(taxonomy.num_base, taxonomy.num_classes)),
        rows=rows,
    )


def transition_map(matrix: Sequence[Sequence[float]], taxonomy: Taxonomy, name: str) -> HeatMap:
    """What base scores lend to each class on average, ``[all classes, base]``, signed."""
    values = np.asarray(matrix, dtype=np.float64)
    top = max(float(np.abs(values).max()), 1e-12)
    scaled, unit = in_units(values)
    names = taxonomy.names
    rows: list[list[Cell] | None] = [
        [
            Cell(
                text=shown(scaled[row, column]),
                heat=float(value) / top,
                tip=f"one unit of {names[column]}'s score adds {value:+.3g} to the logit of "
                f"{names[row]}",
                marked=row == column,
            )
            for column, value in enumerate(line)
        ]
        for row, line in enumerate(values)
    ]
    return HeatMap(
        anchor="transition",
        title="Transition matrix",
        explanation=f"What the scores of the frozen base head add to the logit of each class "
        f"({name}): mean over the pixels of all query tiles{unit}; blue adds, orange takes away.",
        row_title="logit of",
        column_title="base score",
        row_heads=_heads(taxonomy, range(taxonomy.num_classes)),
        column_heads=_heads(taxonomy, range(taxonomy.num_base)),
        rows=rows,
    )


def _heads(taxonomy: Taxonomy, ids: Sequence[int]) -> list[Head]:
    classes = [taxonomy.classes[i] for i in ids]
    return [
        Head(c.name, c.color, "novel" if c.index >= taxonomy.num_base else "base") for c in classes
    ]
