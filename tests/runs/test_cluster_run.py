"""A mapping run whose scenes go to workers; those of these tests live in this process."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from tests.fixtures.crew import LocalCrew

from terrashot.mapping.cluster import ray_crew

PLACE = {"crs": "EPSG:32633", "transform": from_origin(400_000, 5_000_000, 0.5, 0.5)}
TILED = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
CLUSTER = ["cluster=ray", "cluster.workers=2", "output.confidence=true"]


@pytest.fixture
def crew(monkeypatch):
    """The workers, in place of Ray's."""
    crew = LocalCrew()
    monkeypatch.setattr(ray_crew, "RayCrew", crew)
    monkeypatch.setattr(ray_crew, "check_ray", lambda _: None)
    return crew


@pytest.fixture
def scenes(write_raster, rng_scene):
    """A folder of four scenes of noise, one of them with many rows of windows."""
    for number, height in enumerate([200, 700, 130, 260]):
        path = write_raster(f"in/{number}.tif", rng_scene(number, height), **PLACE, **TILED)
    return path.parent


@pytest.fixture
def rng_scene():
    def make(seed, height):
        # Colours between those of the classes: what a window adds decides many pixels.
        draws = np.random.default_rng(seed)
        return draws.integers(0, 255, (3, height, 210)).astype(np.uint8)

    return make


def files(folder):
    """All that a run leaves of maps, by name; the project of all of them holds a date."""
    found = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    return {p.name: p.read_bytes() for p in found if p.suffix != ".qgz"}


@pytest.fixture
def expected(map_scenes, scenes, tmp_path):
    """What a single process makes of them."""
    folder = tmp_path / "single"
    assert map_scenes(scenes, f"output={folder}", "output.confidence=true") == 0
    return files(folder)


def corrupt(path):
    """Destroy a block in the middle of a scene."""
    content = bytearray(path.read_bytes())
    with rasterio.open(path) as source:
        offset = int(source.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    content[offset : offset + 20] = b"\0" * 20
    path.write_bytes(content)


def test_all_files_are_those_of_one_process_to_the_byte(map_scenes, scenes, crew, expected, capsys):
    assert map_scenes(scenes, *CLUSTER, "cluster.rows=3") == 0
    assert files(map_scenes.maps) == expected
    said = " ".join(capsys.readouterr().out.split())
    assert "4 done, 0 failed, 0 left" in said
    assert "2 x cpu, 32-true, torch" in said
    rows = [work.rows for _, work in crew.given if work.job == 1]
    assert rows == [(0, 3), (3, 6), (6, 7), None]  # the large scene, and then its files
    assert {worker for worker, _ in crew.given} == {0, 1}
    results = map_scenes.results()
    assert [(s["rows_computed"], s["rows"]) for s in results["scenes"]] == [
        (2, 2), (7, 7), (2, 2), (3, 3),
    ]  # fmt: skip
    assert set(results["stage_seconds"]) == {"read", "compute", "blend", "write"}


def test_a_killed_worker_and_a_broken_scene_change_no_other_map(
    map_scenes, scenes, crew, expected, write_raster, rng_scene, tmp_path, capsys
):
    corrupt(write_raster("in/broken.tif", rng_scene(9, 260), **PLACE, **TILED))
    crew.killed = {1, 3}
    assert map_scenes(scenes, *CLUSTER) == 1
    assert files(map_scenes.maps) == expected
    out, err = (" ".join(text.split()) for text in capsys.readouterr())
    assert "has ended (killed); another one is started" in out
    assert "4 done, 1 failed, 0 left" in out
    assert "failed after 3 attempt(s)" in out
    assert "broken.tif is damaged: rows" in err
    written = max(tmp_path.glob("logs/predict/2*/results.json"))
    missing = json.loads(written.read_text())["missing"]
    assert [name.rpartition("/")[2] for name in missing] == ["broken.tif"]


def test_a_worker_that_ends_in_the_middle_of_a_scene_leaves_its_rows_to_the_next(
    map_scenes, scenes, crew, expected, color_model, monkeypatch
):
    original = type(color_model).forward
    ends = iter([True])

    def fail(self, image):
        if self.windows >= 20 and next(ends, False):
            raise RuntimeError("CUDA error")
        return original(self, image)

    assert map_scenes(scenes / "1.tif", f"output={map_scenes.maps}_count") == 0
    whole = color_model.windows
    monkeypatch.setattr(type(color_model), "forward", fail)
    assert map_scenes(scenes / "1.tif", *CLUSTER) == 0
    assert color_model.windows < whole + 10  # and not all of them again
    found = files(map_scenes.maps)
    assert found == {name: expected[name] for name in found}
    assert "1.tif" in found


def test_a_run_that_is_stopped_goes_on_with_what_is_left(
    map_scenes, scenes, crew, expected, monkeypatch
):
    begin = crew.begin

    def stop(worker, work):
        if len(crew.given) == 2:
            raise KeyboardInterrupt
        begin(worker, work)

    with monkeypatch.context() as patch:
        patch.setattr(crew, "begin", stop)
        assert map_scenes(scenes, *CLUSTER) == 130
    assert len(crew.given) == 2
    assert map_scenes(scenes, *CLUSTER) == 0
    assert len(crew.given) == 4
    assert files(map_scenes.maps) == expected
    assert map_scenes(scenes, *CLUSTER) == 0
    assert crew.entered == 2  # nothing is left, and nobody is asked
    assert map_scenes(scenes, "output.confidence=true") == 0  # in one process: whole as well
    assert all(s["skipped"] for s in map_scenes.results()["scenes"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["cluster=ray", "trainer.devices=2", "strategy=ddp"], "cluster.workers is the number of"),
        (["cluster=ray", "cluster.gpus_per_worker=1"], "Leave trainer.accelerator out"),
        (["cluster=ray", "cluster.gpus_per_worker=2"], "cluster.gpus_per_worker is 2"),
        (["cluster=ray", "cluster.workers=0"], "cluster.workers is 0"),
        (["cluster=ray", "cluster.rows=0"], "cluster.rows is 0"),
        (["cluster=ray", "cluster.retry=1"], "cluster.retries"),
        (["cluster.workers=4"], "cluster"),
        (["cluster=dask"], "Options of cluster: ray"),
    ],
)
def test_settings_that_do_not_go_together_are_said_before_work(
    map_scenes, scenes, crew, capsys, options, message
):
    assert map_scenes(scenes, *options) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert not map_scenes.maps.exists()


def test_a_missing_ray_is_said_before_work(map_scenes, scenes, monkeypatch, capsys):
    monkeypatch.setattr(ray_crew.importlib.util, "find_spec", lambda _: None)
    assert map_scenes(scenes, "cluster=ray") == 1
    assert "pip install 'terrashot[cluster]'" in " ".join(capsys.readouterr().err.split())
    assert not map_scenes.maps.exists()


def test_workers_that_do_not_share_the_folder_say_so(map_scenes, scenes, crew, monkeypatch, capsys):
    from terrashot.mapping.ledger import Ledger

    monkeypatch.setattr(Ledger, "claim", lambda *_: None)  # what a worker elsewhere would see
    assert map_scenes(scenes, *CLUSTER) == 1
    assert "a folder that all nodes share" in " ".join(capsys.readouterr().err.split())
