"""The line that ends a run: the result, where everything lies, what to type next."""

import math
import os
from pathlib import Path

from rich.console import Console
from rich.text import Text


def print_run_summary(
    console: Console,
    metric: str,
    value: float,
    folder: Path,
    next_command: str | None = None,
    report: Path | None = None,
) -> None:
    """Print three short lines at most.

    Args:
        console: Where to.
        metric: The name of the result, for example ``test/weighted_miou``.
        value: The result.
        folder: The run folder; shown as the user would type it from the current directory.
        next_command: What to try next, if anything.
        report: The page to open, if there is one.
    """
    shown = "absent" if math.isnan(value) else f"{value:.4f}"
    text = Text.assemble((metric, "bold"), " ", (shown, "bold green"), "  in ", short_path(folder))
    if report:
        text.append("\nreport: ").append(short_path(report), style="cyan")
    if next_command:
        text.append("\nnext: ").append(next_command, style="cyan")
    # Soft: a path or a command that was broken in two cannot be copied.
    console.print(text, soft_wrap=True)


def short_path(path: Path) -> str:
    """The path relative to the current directory where that is shorter, with a closing slash."""
    absolute = path.resolve()
    try:
        relative = os.path.relpath(absolute)
    except ValueError:  # another drive on Windows
        relative = str(absolute)
    shown = relative if len(relative) < len(str(absolute)) else str(absolute)
    return f"{shown}{os.sep}" if absolute.is_dir() else shown
