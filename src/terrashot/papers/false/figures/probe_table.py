"""The table that closes a pretraining: what the probe says before and after."""

from collections.abc import Mapping

from rich.table import Table

from terrashot.reporting.titled_table import titled_table

_ROWS = {
    "knn_accuracy": "kNN accuracy (window classes)",
    "knn_class_accuracy": "kNN accuracy, mean over classes",
    "loss": "loss",
    "alignment": "alignment (0: views agree)",
    "uniformity": "uniformity (lower: more spread)",
    "positive_cosine": "cosine of the two views",
    "accepted": "views with a false negative",
    "false_negative_cosine": "cosine of false negatives",
    "false_negative_precision": "false negatives of the same class",
    "false_negative_chance": "  of any two windows (chance)",
    "alpha_star": "alpha* (pulled in above it)",
}


def probe_table(before: Mapping[str, float], after: Mapping[str, float]) -> Table:
    """A table of 80 columns at most; a number that does not exist is a dash.

    Args:
        before: the probe's numbers by name, of the encoder before training.
        after: the same of the trained encoder.
    """
    table = titled_table("Probe: labelled windows of the validation tiles")
    table.add_column("", no_wrap=True)
    table.add_column("before", justify="right", style="dim")
    table.add_column("after", justify="right")
    for name, label in _ROWS.items():
        table.add_row(label, _number(before.get(name)), _number(after.get(name)))
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
