"""Tables for papers: LaTeX with booktabs, and Markdown."""

import re
from collections.abc import Collection, Sequence

_ESCAPES = {
    "\\": r"\textbackslash{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "Δ": r"$\Delta$",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "→": r"$\to$",
}


def latex_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    text_columns: int,
    rules_before: Collection[int] = (),
) -> str:
    r"""A ``tabular`` that needs ``\usepackage{booktabs}``.

    Args:
        head: names of the columns.
        rows: cells, as text.
        text_columns: how many columns stand at the left; the others are numbers.
        rules_before: rows that a thin line parts from the one before.
    """
    align = "l" * text_columns + "r" * (len(head) - text_columns)
    lines = [rf"\begin{{tabular}}{{{align}}}", r"\toprule", _line(head), r"\midrule"]
    for number, row in enumerate(rows):
        if number in rules_before:
            lines.append(r"\midrule")
        lines.append(_line(row))
    return "\n".join(["% \\usepackage{booktabs}", *lines, r"\bottomrule", r"\end{tabular}", ""])


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int) -> str:
    """A Markdown table; numbers stand at the right."""
    rule = ["---"] * text_columns + ["---:"] * (len(head) - text_columns)
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n"
        for line in (head, rule, *rows)
    )


def _line(cells: Sequence[str]) -> str:
    # A hyphen before a number is a minus.
    signed = [re.sub(r"^-(?=\d)", "\N{MINUS SIGN}", cell) for cell in cells]
    return " & ".join("".join(_ESCAPES.get(sign, sign) for sign in c) for c in signed) + r" \\"
