"""Every command that a page shows is one that the app takes; some of them run."""

import contextlib
import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from tests.fixtures.documents import Command, commands, documents
from tests.fixtures.runs import STAGE1

from terrashot.app.config.checks import check_settings
from terrashot.app.config.compose import Composed, compose_raw, compose_settings
from terrashot.app.sweep.grid import REPEATS, grid_jobs, split_overrides
from terrashot.app.sweep.search import parse_space
from terrashot.cli.main import COMMANDS
from terrashot.demo.large import make_large_scene
from terrashot.errors import CheckpointError, ConfigError, DataError

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = REPOSITORY / "configs"
SUBCOMMANDS = tuple(COMMANDS)
COMPOSED: Composed = {}  # jobs of a multirun and commands that choose the same files share it


def shown() -> list[Command]:
    """All commands, each once."""
    found = {}
    for page in documents(REPOSITORY):
        for command in commands(page, page.relative_to(REPOSITORY).as_posix()):
            found.setdefault((command.program, command.arguments), command)
    return list(found.values())


SHOWN = shown()
RUNS = [
    command
    for command in SHOWN
    if command.program == "run.py" or (command.program == "terrashot" and command.arguments)
    if any("=" in word for word in command.arguments)
    if command.arguments[0] not in SUBCOMMANDS
]


def check_run(arguments: tuple[str, ...]) -> int:
    """What the app does before a run or a multirun starts; returns the number of jobs.

    Files that the reader has and this machine has not (tiles, checkpoints, scenes) may be missing;
    draws and seeds of a multirun are looked at once.

    Raises:
        ConfigError: as for the reader.
    """
    overrides = [word for word in arguments if word not in ("-m", "--multirun")]
    jobs = [overrides]
    if len(overrides) < len(arguments):
        fixed, varied = split_overrides(overrides)
        grid = OmegaConf.to_container(compose_raw(CONFIGS, fixed).sweep.grid)
        once = [{k: v[:1] if k in REPEATS else v for k, v in d.items()} for d in (varied, grid)]
        jobs = [job.overrides for job in grid_jobs(fixed, *once)]
    for job in jobs:
        with contextlib.suppress(CheckpointError, DataError):
            settings = compose_settings(CONFIGS, job, COMPOSED)
            if hasattr(settings, "data"):
                settings.data.demo_seed = 0  # tiles that make themselves are not looked for
            settings.trainer.accelerator = "cpu"
            settings.trainer.devices = 1
            check_settings(settings)
    return len(jobs)


def test_the_pages_show_commands():
    assert len(RUNS) > 30
    assert {c.program for c in SHOWN} == {"run.py", "terrashot", "make"}


@pytest.mark.parametrize("command", RUNS, ids=str)
def test_a_command_of_a_run_composes_and_passes_the_checks(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "cluster=ray" in command.arguments:
        pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    if "experiment=annotate" in command.arguments:
        pytest.importorskip("starlette", reason="the extra `annotate` is not installed")
    assert check_run(command.arguments) >= 1


def test_a_misspelled_command_would_be_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="terrashot"):
        check_run(("experiment=stage2", "method=terashot"))
    with pytest.raises(ConfigError, match=r"Did you mean solver\.lr"):
        check_run(("-m", "experiment=stage2", "method=diam", "solver.lrr=1,2"))


def test_subcommands_are_known_and_a_search_has_settings():
    found = [c for c in SHOWN if c.program == "terrashot" and c not in RUNS]
    assert {c.arguments[0] for c in found if c.arguments} == set(SUBCOMMANDS)
    searches = [c for c in found if c.arguments[0] == "search" and len(c.arguments) > 1]
    assert searches
    for command in searches:
        settings = [word for word in command.arguments[1:] if "=" in word]
        check_run(tuple(parse_space(settings).fixed))


def test_targets_of_make_exist():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {word for c in SHOWN if c.program == "make" for word in c.arguments}
    assert {"demo", "test", "setup", "docs"} <= named <= targets


@pytest.mark.slow
def test_the_tour_of_the_readme_runs_and_a_scene_is_mapped(run_here, tmp_path, monkeypatch):
    """On the tiny set, with a network that trains in seconds, in the order of the pages."""
    monkeypatch.chdir(tmp_path)
    make_large_scene(tmp_path / "city.tif", 256, 256, seed=0)
    tour = [c for c in RUNS if c.page in ("README.md", "docs/adapt.md")]
    first_map = next(c for c in tour if "experiment=predict" in c.arguments)
    chosen = [c for c in tour if c.page == "README.md"] + [first_map]
    small = {"experiment=stage1": [*STAGE1, "trainer.max_epochs=2"]}
    for command in chosen:
        named = next(word for word in command.arguments if word.startswith("experiment="))
        logged = [] if named == "experiment=predict" else ["logger=csv"]
        arguments = [*small.get(named, []), *logged, *command.arguments]
        assert run_here(tmp_path / "logs", *arguments) == 0, command
    for experiment in ("stage1", "stage2", "adapt"):
        assert (tmp_path / "logs" / experiment / "latest").exists()
    assert list((tmp_path / "logs/sweeps").glob("*/ablation.md"))
    assert (tmp_path / "maps/city.tif").is_file()
