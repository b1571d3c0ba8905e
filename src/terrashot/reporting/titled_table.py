"""The look of the tables that close a run."""

from rich import box
from rich.table import Table


def titled_table(title: str, caption: str | None = None, min_width: int | None = None) -> Table:
    """A table without columns yet.

    Args:
        title: Stands above it.
        caption: Stands below it.
        min_width: In signs; where columns are narrow, a title is broken without it.
    """
    return Table(
        title=title,
        caption=caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        min_width=min_width,
    )
