"""The command line: experiments and subcommands through one door."""

import subprocess
import sys

import pytest

from terrashot.cli.main import COMMANDS, main


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_list_shows_experiments_and_subcommands(arguments, capsys):
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "experiment=stage1" in said
    for name in COMMANDS:
        assert f"terrashot {name}" in said


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_subcommand_has_a_help_of_its_own(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: terrashot {name}")
    assert f"terrashot {name} " in said.partition("\n\n")[2]  # an example


def test_a_misspelled_subcommand_is_told(capsys):
    assert main(["chek-data", "data/demo"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "Did you mean check-data?" in said


def test_the_exit_code_of_a_subcommand_is_that_of_the_process(repository):
    command = [sys.executable, repository / "run.py", "chek-data", "data/demo"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Did you mean check-data?" in " ".join(done.stderr.split())


def test_a_setting_goes_to_the_experiments(capsys):
    assert main(["experiment=stage9"]) == 1
    assert "stage1" in capsys.readouterr().err


def test_the_front_door_and_the_list_of_subcommands_need_no_torch():
    code = (
        "import sys, terrashot, terrashot.cli.main; terrashot.cli.main.main(['--version']);"
        "assert terrashot.__version__; assert 'torch' not in sys.modules;"
        "assert 'hydra' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("terrashot ")


def test_the_front_door_names_what_it_has():
    import terrashot

    assert {"load", "Model", "map_scene", "__version__"} <= set(dir(terrashot))
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = terrashot.lod
