import json
import subprocess
from pathlib import Path

import pytest

from terrashot.cli.main import main


@pytest.fixture
def command(monkeypatch, capsys):
    """``terrashot check-data`` in this process: exit code, output and errors."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        code = main(["check-data", *map(str, arguments)])
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run


def test_the_command_tells_by_its_exit_code_and_writes_json(dataset, command, tmp_path):
    numbers = ("--num-base", "3", "--num-novel", "2")
    file = tmp_path / "report.json"
    good = command(dataset.root, *numbers)
    assert good.returncode == 0, good.stderr
    assert good.stdout.splitlines()[-1] == "OK"
    dataset.relabel("trainset", "t1", [0, 1, 2, 9])
    bad = command(dataset.root, *numbers, "--json", file)
    assert bad.returncode == 1
    assert bad.stdout.splitlines()[-1] == "1 error, 0 warnings"
    assert "unknown ids" in bad.stdout
    report = json.loads(file.read_text())
    assert report["errors"] == 1
    assert report["findings"][0]["subject"] == "trainset/labels/t1.tif"
    assert report["splits"]["train"]["pixels"]["9"] == 36


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no classes for 'set'"),
        (["--num-base", "1"], "at least 2"),
    ],
)
def test_wrong_usage_has_an_exit_code_of_its_own(dataset, command, arguments, message):
    result = command(dataset.root, *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_data_of_another_kind_than_tiles_are_refused(tmp_path, monkeypatch, command):
    own = tmp_path / "configs" / "data"
    own.mkdir(parents=True)
    (own / "scans.yaml").write_text("# a scan\nname: scans\nkind: scans\nroot: .\n")
    monkeypatch.chdir(tmp_path)
    result = command(tmp_path, "--config", "scans")
    assert result.returncode == 2
    assert "scans.yaml describes scans, but check-data looks at tiles" in " ".join(
        result.stderr.split()
    )


@pytest.mark.parametrize("scale", ["", "scale: percentile\n"])
def test_other_imagery_is_looked_over_though_a_tile_or_a_list_is_broken(
    dataset, tmp_path, monkeypatch, command, scale
):
    own = tmp_path / "configs" / "data"
    own.mkdir(parents=True)
    taxonomy = "taxonomy: {base: [tree, road], novel: [pool, ship]}\n"
    (own / "city.yaml").write_text(f"name: city\nroot: .\nbands: [3, 1]\n{scale}{taxonomy}")
    monkeypatch.chdir(tmp_path)
    result = command(dataset.root, "--config", "city")
    assert result.returncode == 0
    assert "mean" in result.stdout
    image = dataset.image("trainset", "t1")
    image.write_bytes(image.read_bytes()[:200])
    (dataset.root / "stage1_val.txt").unlink()
    result = command(dataset.root, "--config", "city")
    assert result.returncode == 1
    assert "bad image" in result.stdout
    assert "missing list" in result.stdout
    assert "2 errors" in result.stdout


def test_the_classes_of_a_data_config_are_used(dataset, command):
    result = command(dataset.root, "--config", "openearthmap")
    assert result.returncode == 1  # the novel ids are others there
    assert "7 base and 4 novel classes" in result.stdout
    assert "vehicle & cargo-trailer / road type 2" in result.stdout


@pytest.mark.slow
def test_the_dubai_tiles_have_no_error(shared: Path, command):
    result = command(shared / "data" / "dubai", "--config", "dubai")
    assert result.returncode == 0, result.stdout
    assert result.stdout.splitlines()[-1].startswith("OK")
