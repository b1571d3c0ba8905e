"""What a run says at its start."""

from lightning import Trainer
from rich.console import Console

from terrashot.app.hardware import resolve_accelerator, resolve_precision
from terrashot.app.run_folder import RunFolder
from terrashot.app.settings import Settings


def run_console(trainer: Trainer) -> Console:
    """A console that only the first process writes to."""
    return Console(quiet=not trainer.is_global_zero)


def announce(console: Console, settings: Settings, folder: RunFolder) -> None:
    """One line: what runs on what, and for the demo set how to run on the real one."""
    accelerator = resolve_accelerator(settings.trainer.accelerator)
    precision = resolve_precision(settings.trainer.precision, accelerator)
    method = f", method={settings.method['name']}" if settings.method else ""
    line = (
        f"experiment={settings.name} on data={settings.data.name}{method}, {settings.processes} x "
        f"{accelerator}, {precision}, in {folder.path}"
    )
    if settings.data.name == "demo" and settings.name.startswith("stage"):
        paper = f"{settings.name.removesuffix('_paper')}_paper"
        line += f"  (OpenEarthMap: python run.py experiment={paper})"
    console.print(line, highlight=False, soft_wrap=True)
