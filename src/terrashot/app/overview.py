"""What `python run.py` and `python run.py --help` print."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from terrashot.app.compose import group_options

_COMMANDS = [
    ("python run.py experiment=stage1", "train a network on the base classes of the demo set"),
    ("python run.py experiment=stage2", "teach it the novel classes, five tiles each"),
    (
        "python run.py -m experiment=stage2 loss=ce,ldam seed=0,1",
        "a multirun: four runs, one group in wandb",
    ),
]


def describe_option(path: Path) -> str:
    """The first comment line of a config file that is no Hydra directive."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and "@package" not in line:
            return line.lstrip("# ").strip()
    return ""


def print_experiments(configs: Path, console: Console) -> None:
    """The experiments and three commands to try."""
    console.print(
        "[bold]terrashot[/] teaches a land-cover model new classes from five tiles each\n"
    )
    _print_group(configs, "experiment", console)
    console.print("\n[bold]Try[/]")
    width = max(len(command) for command, _ in _COMMANDS)
    for command, meaning in _COMMANDS:
        console.print(f"  [cyan]{command:<{width}}[/]  {meaning}", soft_wrap=True, highlight=False)
    console.print(
        "\n`python run.py --help` lists every group and option; "
        "`print_config=true` shows a run's settings.",
        highlight=False,
    )


def print_help(configs: Path, console: Console) -> None:
    """Every group with its options, one line each."""
    console.print(
        "[bold]python run.py experiment=NAME \\[GROUP=OPTION] \\[KEY=VALUE][/]\n"
        "add -m for a multirun over comma-separated options or values\n",
        highlight=False,
    )
    for group in ["experiment", *(g for g in group_options(configs) if g != "experiment")]:
        _print_group(configs, group, console)
        console.print()


def _print_group(configs: Path, group: str, console: Console) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2), pad_edge=False)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column()
    for option in group_options(configs)[group]:
        description = describe_option(configs / group / f"{option}.yaml")
        table.add_row(f"  {group}={option}", escape(description))
    console.print(f"[bold]{group}[/]")
    console.print(table)
