"""`terrashot`: an experiment, a multirun, or a subcommand, from any folder."""

import difflib
import importlib
import sys
from collections.abc import Sequence

from rich.console import Console

from terrashot.configs_folder import configs_folder
from terrashot.threads import wait_passively

COMMANDS = {
    "annotate": ("annotate", "a page to draw classes on scenes, see them mapped, correct them"),
    "assess": ("assess", "how good a map is: accuracy and areas with their intervals"),
    "check-data": ("check_data", "what is wrong with a dataset, before training"),
    "download": ("download", "fetch a dataset: download openearthmap"),
    "export": ("export", "an adapted model as ONNX and torch.export program"),
    "import": ("import_stage1", "the published ClassTrans network as a stage-1 checkpoint"),
    "init-data": ("init_data", "describe a folder of images and labels as a dataset"),
    "make-submission": ("make_submission", "query maps as a submission to the challenge"),
    "report": ("report", "write report.html of a run or sweep again"),
    "sample": ("sample", "points of a map to be labelled, for assess"),
    "search": ("search", "search settings with Optuna"),
}
"""Name on the command line: module beside this one, and what it does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit code.

    Args:
        arguments: The words after the program's name; None: those of this process.
    """
    wait_passively()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in COMMANDS:
        # Each imports what it needs: torch takes seconds.
        command = importlib.import_module(f"terrashot.cli.{COMMANDS[words[0]][0]}")
        return int(command.main(words[1:]))
    if words == ["--version"]:
        from terrashot import __version__

        print(f"terrashot {__version__}")
        return 0
    if words and "=" not in words[0] and words[0][:1] not in ("-", "~", "+"):
        return _unknown(words[0])
    from terrashot.app.main import main as run

    code = run(configs_folder(), words)
    if not words or words[0] in ("-h", "--help"):
        _print_commands()
    return code


def _print_commands() -> None:
    console = Console()
    console.print("\n[bold]subcommands[/] (each has --help)")
    width = max(map(len, COMMANDS))
    for name, (_, meaning) in COMMANDS.items():
        line = f"  [cyan]terrashot {name:<{width}}[/]  {meaning}"
        console.print(line, highlight=False, soft_wrap=True)


def _unknown(word: str) -> int:
    """Say what is known; returns the exit code of wrong usage."""
    close = difflib.get_close_matches(word, COMMANDS, n=1)
    guess = f" Did you mean {close[0]}?" if close else ""
    Console(stderr=True).print(
        f"[bold red]Error:[/] '{word}' is no subcommand and no setting. Subcommands are "
        f"{', '.join(COMMANDS)}; settings are written key=value, for example experiment=stage1."
        f"{guess}",
        highlight=False,
        soft_wrap=True,
    )
    return 2
