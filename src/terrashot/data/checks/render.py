"""The report of a dataset on a terminal."""

from collections import Counter, defaultdict

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from terrashot.data.checks.report import DatasetReport, Finding, Level
from terrashot.taxonomy import IGNORE

_STYLES: dict[Level, str] = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def render(report: DatasetReport, names: list[str], console: Console) -> None:
    """Print shares, sizes, findings by kind, and the verdict as the last line."""
    if report.splits:
        console.print(_shares(report, names))
        console.print()
        console.print(_images(report), highlight=False)
        console.print()
    levels: tuple[Level, ...] = ("error", "warning", "note")
    for level in levels:
        for part in _grouped(report.of(level), level):
            console.print(part, highlight=False)
    style = "bold red" if report.of("error") else "bold green"
    console.print(Text(report.verdict, style=style))


def _shares(report: DatasetReport, names: list[str]) -> Table:
    """Per cent of the labelled pixels (ignored ones apart) by class and split."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("% of pixels")
    for role in report.splits:
        table.add_column(role.replace(" ", "\n"), justify="right", vertical="bottom")
    summaries = list(report.splits.values())
    totals = [int(s.counts.sum() - s.counts[IGNORE]) for s in summaries]
    for index, name in enumerate(names):
        cells = [
            _share(int(s.counts[index]), total) for s, total in zip(summaries, totals, strict=True)
        ]
        table.add_row(f"[dim]{index:>3}[/] {escape(name)}", *cells)
    strange = [
        sum(int(n) for i, n in enumerate(s.counts) if i >= len(names) and i != IGNORE)
        for s in summaries
    ]
    if any(strange):
        cells = [_share(n, total) for n, total in zip(strange, totals, strict=True)]
        table.add_row("[bold red]    unknown ids[/]", *cells)
    ignored = [_share(int(s.counts[IGNORE]), int(s.counts.sum())) for s in summaries]
    table.add_row(f"[dim]{IGNORE:>3} ignored[/]", *ignored, end_section=True)
    table.add_row("[dim]    tiles[/]", *[f"[bold]{s.tiles}[/]" for s in summaries])
    if any(s.labelled != s.tiles for s in summaries):
        table.add_row("[dim]    with label[/]", *[str(s.labelled) for s in summaries])
    return table


def _share(pixels: int, total: int) -> str:
    if not total or not pixels:
        return "[dim]·[/]"
    share = 100 * pixels / total
    return f"{share:.1f}" if share >= 0.05 else "<0.1"


def _images(report: DatasetReport) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for title, counter in (
        ("size", report.sizes),
        ("CRS", report.crs),
        ("pixel", report.pixel_sizes),
    ):
        if set(counter) != {"unknown"}:
            table.add_row(f"[dim]{title}[/]", escape(_most_common(counter)))
    train = report.splits.get("train")
    if train is not None and train.statistics is not None:
        for title, values in zip(("mean", "std"), train.statistics, strict=True):
            shown = ", ".join(f"{value:.4f}" for value in values)
            table.add_row(f"[dim]{title}[/]", f"{shown} (training images, values in 0..1)")
    return table


def _most_common(counter: Counter[str], most: int = 4) -> str:
    if not counter:
        return "no readable image"
    parts = [f"{value} ({count})" for value, count in counter.most_common(most)]
    rest = len(counter) - most
    return ", ".join(parts) + (f" and {rest} more" if rest > 0 else "")


def _grouped(findings: list[Finding], level: Level) -> list[RenderableType]:
    """One block a kind: its first findings in full, then how many more."""
    kinds: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        kinds[finding.kind].append(finding)
    blocks: list[RenderableType] = []
    for kind, group in kinds.items():
        count = f" ({len(group)})" if len(group) > 1 else ""
        head = Text.assemble((level, _STYLES[level]), " ", (f"{kind}{count}", "bold"))
        lines = [
            Padding(Text.assemble((f.subject, "cyan"), " ", f.message), (0, 0, 0, 2))
            for f in group[:3]
        ]
        if len(group) > 3:
            others = ", ".join(f.subject for f in group[3:8])
            more = f" and {len(group) - 8} more (all in --json)" if len(group) > 8 else ""
            lines.append(Padding(Text(f"also {others}{more}", style="dim"), (0, 0, 0, 2)))
        blocks.append(Group(head, *lines, ""))
    return blocks
