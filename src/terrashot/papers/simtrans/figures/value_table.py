"""A table of names and numbers that closes a run without classes to list."""

from collections.abc import Mapping

from rich import box
from rich.table import Table


def value_table(title: str, values: Mapping[str, float | int | str]) -> Table:
    """One line a value, floats with three digits."""
    table = Table(
        title=title,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        min_width=len(title),
    )
    table.add_column("score", no_wrap=True)
    table.add_column("value", justify="right")
    for name, value in values.items():
        table.add_row(name, f"{value:.3f}" if isinstance(value, float) else str(value))
    return table
