"""Tables of names and numbers that close a run."""

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from terrashot.reporting.titled_table import titled_table


def value_table(title: str, values: Mapping[str, float | int | str]) -> Table:
    """One line a value, floats with three digits."""
    table = titled_table(title, min_width=len(title))
    table.add_column("score", no_wrap=True)
    table.add_column("value", justify="right")
    for name, value in values.items():
        table.add_row(name, f"{value:.3f}" if isinstance(value, float) else str(value))
    return table


def accuracy_table(title: str, values: Mapping[str, float | None], most: int = 60) -> Table:
    """One line a class, those with the lowest accuracy where there are more than ``most``.

    Args:
        title: Of the table.
        values: Shares by class; None: no test sample.
        most: Lines.
    """
    rows = list(values.items())
    if len(rows) > most:
        known = [row for row in rows if row[1] is not None]
        rows = sorted(known, key=lambda row: row[1] or 0.0)[:most]
        title = f"{title}, the lowest {len(rows)} of {len(values)}"
    table = titled_table(title, min_width=len(title))
    table.add_column("class", no_wrap=True)
    table.add_column("top-1", justify="right")
    for name, value in rows:
        table.add_row(escape(name), "no test sample" if value is None else f"{value:.3f}")
    return table
