import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def command(repository):
    def run(*arguments):
        wide = {**os.environ, "COLUMNS": "200"}
        line = [sys.executable, repository / "run.py", "check-data", *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=False, env=wide)

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


def test_data_of_another_kind_than_tiles_are_refused(tmp_path, monkeypatch, capsys):
    from terrashot.cli.check_data import main

    own = tmp_path / "configs" / "data"
    own.mkdir(parents=True)
    (own / "scans.yaml").write_text("# a scan\nname: scans\nkind: scans\nroot: .\n")
    monkeypatch.chdir(tmp_path)
    assert main([str(tmp_path), "--config", "scans"]) == 2
    assert "scans.yaml describes scans, but check-data looks at tiles" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize("scale", ["", "scale: percentile\n"])
def test_other_imagery_is_looked_over_though_a_tile_or_a_list_is_broken(
    dataset, tmp_path, monkeypatch, capsys, scale
):
    from terrashot.cli.check_data import main

    own = tmp_path / "configs" / "data"
    own.mkdir(parents=True)
    taxonomy = "taxonomy: {base: [tree, road], novel: [pool, ship]}\n"
    (own / "city.yaml").write_text(f"name: city\nroot: .\nbands: [3, 1]\n{scale}{taxonomy}")
    monkeypatch.chdir(tmp_path)
    assert main([str(dataset.root), "--config", "city"]) == 0
    assert "mean" in capsys.readouterr().out
    image = dataset.image("trainset", "t1")
    image.write_bytes(image.read_bytes()[:200])
    (dataset.root / "stage1_val.txt").unlink()
    assert main([str(dataset.root), "--config", "city"]) == 1
    said = capsys.readouterr().out
    assert "bad image" in said
    assert "missing list" in said
    assert "2 errors" in said


def test_the_classes_of_a_data_config_are_used(dataset, command):
    result = command(dataset.root, "--config", "openearthmap")
    assert result.returncode == 1  # the novel ids are others there
    assert "7 base and 4 novel classes" in result.stdout
    assert "vehicle & cargo-trailer / road type 2" in result.stdout


def test_the_dubai_tiles_have_no_error(shared: Path, command):
    result = command(shared / "data" / "dubai", "--config", "dubai")
    assert result.returncode == 0, result.stdout
    assert result.stdout.splitlines()[-1].startswith("OK")
