"""The table of a sweep: in the terminal, as CSV and as Markdown."""

import csv
import io
import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from terrashot.reporting.ablation import AblationRow, Spread
from terrashot.reporting.latex_table import latex_table, markdown_table
from terrashot.reporting.titled_table import titled_table


def ablation_table(
    rows: Sequence[AblationRow], keys: Sequence[str], main: str, title: str
) -> Table:
    """For 100 columns of a terminal; scores in percent, mean ± standard deviation; Δ is paired.

    Args:
        rows: the options, the reference first.
        keys: what the options choose.
        main: the score of the differences.
        title: above the table.
    """
    table = titled_table(
        title, f"percent, mean ± sd; Δ {main}: difference to the first option, draw by draw"
    )
    scores = _scores(rows)
    for key in keys:
        table.add_column(key, overflow="fold", max_width=34)
    table.add_column("n", justify="right", no_wrap=True)
    for name in scores:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(f"Δ {main}", justify="right", no_wrap=True)
    table.add_column("s/query", justify="right", no_wrap=True)
    for row in rows:
        cells = [Text(choice) for choice in row.labels]
        cells += [Text(str(row.count))]
        cells += [Text(_percent(row.scores.get(name))) for name in scores]
        cells += [_difference(row), Text(_seconds(row.seconds))]
        table.add_row(*cells)
    return table


def ablation_markdown(rows: Sequence[AblationRow], keys: Sequence[str], main: str) -> str:
    """The same as a Markdown table."""
    return markdown_table(*_texts(rows, keys, main), text_columns=len(keys))


def ablation_latex(rows: Sequence[AblationRow], keys: Sequence[str], main: str) -> str:
    """The same for papers."""
    return latex_table(*_texts(rows, keys, main), text_columns=len(keys))


def ablation_csv(rows: Sequence[AblationRow], keys: Sequence[str]) -> str:
    """All numbers, unrounded and from 0 to 1."""
    columns, values = ablation_values(rows, keys)
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(values)
    return target.getvalue()


def ablation_values(
    rows: Sequence[AblationRow], keys: Sequence[str]
) -> tuple[list[str], list[list[str | int | float | None]]]:
    """Column names and plain values a row, None where there is no number."""
    scores = _scores(rows)
    columns = [*keys, "n"]
    columns += [f"{name}_{part}" for name in scores for part in ("mean", "sd")]
    columns += ["difference_mean", "difference_sd", "difference_n", "seconds_per_query"]
    values: list[list[str | int | float | None]] = []
    for row in rows:
        line: list[str | int | float | None] = [*row.labels, row.count]
        for name in scores:
            spread = row.scores.get(name, Spread())
            line += [_plain(spread.mean), _plain(spread.deviation)]
        difference = row.difference or Spread()
        line += [_plain(difference.mean), _plain(difference.deviation), difference.count]
        values.append([*line, _plain(row.seconds)])
    return columns, values


def _texts(
    rows: Sequence[AblationRow], keys: Sequence[str], main: str
) -> tuple[list[str], list[list[str]]]:
    """Column names, and the cells of each row."""
    scores = _scores(rows)
    cells = [
        [
            *row.labels,
            str(row.count),
            *(_percent(row.scores.get(name)) for name in scores),
            _difference(row).plain,
            _seconds(row.seconds),
        ]
        for row in rows
    ]
    return [*keys, "n", *scores, f"Δ {main}", "s/query"], cells


def _scores(rows: Sequence[AblationRow]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.scores))


def _percent(spread: Spread | None) -> str:
    if spread is None or math.isnan(spread.mean):
        return "-"
    text = f"{100 * spread.mean:.1f}"
    return text if math.isnan(spread.deviation) else f"{text} ± {100 * spread.deviation:.1f}"


def _difference(row: AblationRow) -> Text:
    if row.difference is None:
        return Text("reference", style="dim")
    if not row.difference.count:
        return Text("-")
    text = f"{100 * row.difference.mean:+.1f}"
    if not math.isnan(row.difference.deviation):
        text += f" ± {100 * row.difference.deviation:.1f}"
    if row.difference.count < row.count:
        text += f" ({row.difference.count} pairs)"
    return Text(text, style="green" if row.difference.mean > 0 else "red")


def _seconds(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
