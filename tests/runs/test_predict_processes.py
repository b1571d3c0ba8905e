"""Mapping in processes of its own: killed in the middle, and shared by two."""

import os
import signal
import time

import numpy as np
import pytest
import rasterio

pytestmark = pytest.mark.slow

SMALL = ["mapping.window=64", "mapping.overlap=32", "mapping.batch_size=3", "output.picture=false"]


@pytest.fixture(scope="module")
def adapted(run_here, trained, tmp_path_factory):
    """An adapted checkpoint of the tiny network."""
    logs = tmp_path_factory.mktemp("adapted") / "logs"
    stage1 = f"checkpoint={trained / 'stage1' / 'latest'}"
    options = ["method=imprinting", "adapt.evaluate=false", "logger=csv"]
    assert run_here(logs, "experiment=adapt", stage1, *options) == 0
    return (logs / "adapt" / "latest" / "adapted.ckpt").resolve()


@pytest.fixture
def scenes(write_raster):
    """A folder with a large and a small scene of blocks and noise."""
    rng = np.random.default_rng(0)
    for name, rows, columns in (("large", 50, 20), ("small", 5, 7)):
        blocks = rng.integers(40, 215, (3, rows, columns)).repeat(16, 1).repeat(16, 2)
        noisy = blocks + rng.normal(0, 12, blocks.shape)
        path = write_raster(f"in/{name}.tif", noisy.clip(0, 255).astype(np.uint8))
    return path.parent


@pytest.fixture
def start_mapping(start_process, adapted, scenes, tmp_path):
    """Start mapping into a folder; returns the process."""

    def start(output, *overrides):
        given = [f"ckpt={adapted}", f"input={scenes}", f"output={output}", *SMALL, *overrides]
        return start_process(tmp_path / "logs", "experiment=predict", *given)

    return start


def maps(folder):
    """Pixels of all maps."""
    found = {}
    for path in sorted(folder.glob("*.tif")):
        with rasterio.open(path) as source:
            found[path.name] = source.read().tobytes()
    return found


def finish(process):
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    return output


def test_a_run_killed_in_the_middle_of_a_scene_goes_on_to_the_same_bytes(start_mapping, tmp_path):
    finish(start_mapping(tmp_path / "whole", "output.confidence=true"))
    expected = maps(tmp_path / "whole")
    assert set(expected) == {f"{n}{s}.tif" for n in ("large", "small") for s in ("", "_confidence")}

    killed = tmp_path / "killed"
    process = start_mapping(killed, "output.confidence=true")
    deadline = time.monotonic() + 1200
    while len(list(killed.glob(".mapping/large/*/row_*.tif"))) < 8:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list(killed.glob(".mapping/large/*/row_*.tif")))
    assert 8 <= done < 24
    assert not maps(killed)  # nothing that looks whole

    output = finish(start_mapping(killed, "output.confidence=true"))
    assert f"goes on, {done} of" in " ".join(output.split())
    assert maps(killed) == expected


def test_two_processes_share_the_rows_of_a_scene_and_write_the_same_bytes(start_mapping, tmp_path):
    finish(start_mapping(tmp_path / "one"))
    output = finish(start_mapping(tmp_path / "two", "strategy=ddp", "trainer.devices=2"))
    expected = maps(tmp_path / "one")
    assert len(expected) == 2
    assert maps(tmp_path / "two") == expected
    assert "small.tif" in output  # one table, of all scenes
    assert output.count("Mpx/s") == 1


def test_a_damaged_scene_ends_a_shared_run_and_not_the_other_scenes(
    start_mapping, scenes, tmp_path
):
    path = scenes / "large.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    process = start_mapping(tmp_path / "maps", "strategy=ddp", "trainer.devices=2")
    output, _ = process.communicate(timeout=1200)
    assert process.returncode != 0
    assert "large.tif is damaged" in " ".join(output.split())
    assert set(maps(tmp_path / "maps")) == {"small.tif"}
