"""What the subcommands have in common."""

import argparse
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape

from terrashot.errors import TerrashotError


def make_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser whose help shows a module's docstring as it is written."""
    return argparse.ArgumentParser(
        prog=f"terrashot {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def parse_settings(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse options that may be written ``key=value``, as the settings of a run are."""
    words: list[str] = []
    for word in arguments:
        key, equals, value = word.partition("=")
        # What follows an option is its value, whatever signs it has.
        is_value = bool(words) and words[-1].startswith("--") and "=" not in words[-1]
        plain = equals and not is_value and key.replace("_", "").isalpha()
        words.append(f"--{key.replace('_', '-')}={value}" if plain else word)
    return parser.parse_args(words)


def run_command(
    command: Callable[[], int],
    failed: int = 1,
    interrupted: str = "stopped; the same command goes on",
) -> int:
    """Run a command; what a user can mend is shown as one paragraph.

    Args:
        command: Returns the exit code.
        failed: The exit code where something is wrong with what was given.
        interrupted: Said after Ctrl-C.
    """
    console = Console(stderr=True)
    try:
        return command()
    except (TerrashotError, OSError) as error:
        message = f"[bold red]Error:[/] {escape(str(error))}"
        console.print(message, highlight=False, soft_wrap=True)
        return failed
    except KeyboardInterrupt:
        console.print(interrupted, highlight=False)
        return 130
