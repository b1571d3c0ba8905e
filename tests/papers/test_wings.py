"""A wing goes with its folder and one line of the registry."""

import os
import shutil
import subprocess
import sys

import pytest

WINGS = ("sg_one", "false", "simtrans")


@pytest.mark.parametrize("wing", WINGS)
def test_help_lists_a_wing_under_a_heading_of_its_own(repository, wing, capsys):
    from terrashot.app.main import main

    assert main(repository / "configs", ["--help"]) == 0
    assert f"src/terrashot/papers/{wing}/README.md" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_the_core_passes_its_tests_without_the_wings(repository, tmp_path):
    house = tmp_path / "house"
    for part in ("src", "configs", "tests", "scripts"):
        shutil.copytree(
            repository / part, house / part, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in ("pyproject.toml", "run.py"):
        shutil.copy(repository / file, house)
    for wing in WINGS:
        shutil.rmtree(house / "src/terrashot/papers" / wing)
    shutil.rmtree(house / "tests/papers")
    registry = house / "src/terrashot/app/tasks/registry.py"
    lines = registry.read_text().splitlines(keepends=True)
    kept = [line for line in lines if '"terrashot.papers.' not in line]
    assert len(kept) == len(lines) - len(WINGS)
    registry.write_text("".join(kept))
    tests = [
        "tests/test_architecture.py",
        "tests/app/config/test_compose.py",
        "tests/app/sweep",
        "tests/adaptation/methods",
        "tests/runs/test_stage1_run.py",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", *tests],
        cwd=house, capture_output=True, text=True, timeout=1200, check=False,
        env={**os.environ, "PYTHONPATH": str(house / "src"), "WANDB_MODE": "offline"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
