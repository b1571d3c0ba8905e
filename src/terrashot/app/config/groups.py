"""The options of each group, in the core's configs and the wings', and the lists of them."""

import difflib
import re
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from terrashot.configs_folder import config_folders
from terrashot.errors import ConfigError

CORE = "core"


def owner_of(configs: Path, file: Path) -> str:
    """The core, the wing, or the folder one is in, that a config file belongs to."""
    return CORE if file.is_relative_to(configs) else file.parents[2].name


def search_path() -> str:
    """The override by which Hydra finds the wings' configs, and those of the folder one is in."""
    quote, escaped = "'", "\\'"
    paths = [str(path).replace(quote, escaped) for path in config_folders()[1:]]
    return f"hydra.searchpath=[{','.join(f'{quote}file://{path}{quote}' for path in paths)}]"


def option_files(configs: Path) -> dict[str, dict[str, Path]]:
    """The file of each option of each group, ``<group>/<option>.yaml`` in one of the folders."""
    return _listed((configs, *config_folders()[1:]))


@cache
def _listed(folders: tuple[Path, ...]) -> dict[str, dict[str, Path]]:
    found: dict[str, dict[str, Path]] = {}
    for root in folders:
        for folder in sorted(p for p in root.iterdir() if p.is_dir()):
            files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
            found.setdefault(folder.name, {}).update(files)
    return {group: dict(sorted(found[group].items())) for group in sorted(found)}


def group_options(configs: Path) -> dict[str, list[str]]:
    """The names of the options of each group."""
    return {group: list(files) for group, files in option_files(configs).items()}


def check_group_names(configs: Path, overrides: list[str]) -> None:
    """Find an unknown option of a group before Hydra composes, or is even imported.

    Raises:
        ConfigError: there is no such option, or an argument is no setting.
    """
    groups = group_options(configs)
    for override in overrides:
        key, equals, value = override.partition("=")
        if override.startswith("~"):  # Hydra's way to leave a group out
            continue
        if not equals:
            raise ConfigError(
                f"'{override}' is no setting; settings are written key=value, for example "
                "experiment=stage1 or trainer.max_epochs=10."
            )
        name = key.lstrip("+~")
        if name in groups and value not in ("null", "") and not re.search(r"[,({\[]", value):
            options = groups[name]
            if value.removesuffix(".yaml") not in options:
                raise ConfigError(
                    f"{name}={value}: there is no such option. Options of {name}: "
                    f"{', '.join(options)}.{close_matches(value, options)}"
                )


def close_matches(word: str, choices: list[str]) -> str:
    """`` Did you mean ...?``, or nothing where no choice is close to the word."""
    close = difflib.get_close_matches(word, choices, n=3, cutoff=0.75)
    return f" Did you mean {' or '.join(close)}?" if close else ""


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
    _print_group("experiment", option_files(configs)["experiment"], console)
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
    files = option_files(configs)
    owners = {
        path: owner_of(configs, path) for options in files.values() for path in options.values()
    }
    for owner in dict.fromkeys([CORE, *sorted(owners.values())]):
        if owner != CORE:
            console.rule(f"[bold]{owner}[/], a wing: src/terrashot/papers/{owner}/README.md")
        for group in ["experiment", *(g for g in files if g != "experiment")]:
            own = {name: path for name, path in files[group].items() if owners[path] == owner}
            if own:
                _print_group(group, own, console)
                console.print()


def _print_group(group: str, files: dict[str, Path], console: Console) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2), pad_edge=False)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column()
    for option, path in files.items():
        table.add_row(f"  {group}={option}", escape(describe_option(path)))
    console.print(f"[bold]{group}[/]")
    console.print(table)
