"""The table that says what each post-processing rule did to the score."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from terrashot.reporting.titled_table import titled_table

RULE_COLUMNS = ["rule", "base mIoU", "novel mIoU", "weighted mIoU", "external masks"]


def rule_table(rows: Sequence[Sequence[str | float | bool | None]]) -> Table:
    """A table that fits 80 columns, scores from 0 to 1, the change of each rule in points.

    Args:
        rows: ``RULE_COLUMNS`` of the map before all rules and after each.
    """
    table = titled_table("post-processing, rule by rule")
    table.add_column("map", no_wrap=True)
    for name in ("base", "novel", "weighted", "change"):
        table.add_column(name, justify="right", no_wrap=True)
    before: float | None = None
    for rule, base, novel, weighted, external in rows:
        now = weighted if isinstance(weighted, float) else None
        change = None if now is None or before is None else 100 * (now - before)
        label = Text(str(rule))
        if external:
            label.append(" (external masks)", style="yellow")
        style = "dim" if not change else "green" if change > 0 else "red"
        table.add_row(
            label,
            *(_number(value) for value in (base, novel, weighted)),
            Text("" if change is None else f"{change:+.2f}", style=style),
        )
        before = now
    return table


def _number(value: str | float | bool | None) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "-"
