"""Many scenes on a Ray cluster of two nodes, on this machine."""

import json
import os
import signal
from collections import Counter

import numpy as np
import pytest
import rasterio

from terrashot.app.main import main
from terrashot.mapping.cluster import ray_crew
from terrashot.mapping.cluster.crew import Done, Lost
from terrashot.model.adapted_file import save_adapted_model

pytest.importorskip("ray", reason="the extra `cluster` is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.cluster]

SCENES, BROKEN, LARGE = 200, 77, 120
ROWS = 16
"""Of windows of the large scene: as many as one worker is given."""
SMALL = ["mapping.window=64", "mapping.overlap=32", "mapping.views=plain"]
SMALL += ["output.picture=false", "output.style=false", "output.project=false"]


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one processor each."""
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "num_gpus": 0, "include_dashboard": False}
    found = Cluster(initialize_head=True, head_node_args=head)
    found.add_node(num_cpus=1, num_gpus=0)
    yield found
    ray.shutdown()
    found.shutdown()


@pytest.fixture
def scenes(write_raster):
    """Small scenes of noise; the last rows of one can't be read, another one takes a while."""
    draws = np.random.default_rng(0)
    blocks = {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "deflate"}
    for number in range(SCENES):
        size = (3, *draws.integers(40, 120, 2))
        if number == LARGE:
            size = (3, 32 * (ROWS + 1), 480)
        pixels = draws.integers(0, 255, size).astype(np.uint8)
        path = write_raster(f"in/{number:03d}.tif", pixels, **blocks)
    broken = path.with_name(f"{BROKEN:03d}.tif")
    content = bytearray(broken.read_bytes())
    with rasterio.open(broken) as source:
        offset = int(source.get_tag_item("BLOCK_OFFSET_0_1", "TIFF", bidx=1))
    content[offset : offset + 20] = b"\0" * 20
    broken.write_bytes(content)
    return path.parent


def maps(folder):
    """Every file of the maps by name."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def test_a_killed_worker_and_a_broken_scene_change_no_byte_of_the_other_maps(
    repository, cluster, scenes, make_adapted, tmp_path, monkeypatch, capsys
):
    import torch

    torch.set_num_threads(1)  # as many as a worker has
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    save_adapted_model(tmp_path / "adapted.ckpt", make_adapted(), {"method": "none"})
    command = ["experiment=predict", f"ckpt={tmp_path / 'adapted.ckpt'}", f"input={scenes}", *SMALL]
    command += ["trainer.accelerator=cpu", f"paths.logs={tmp_path / 'logs'}"]
    single, shared = tmp_path / "single", tmp_path / "shared"
    assert main(repository / "configs", [*command, f"output={single}"]) == 1
    expected = maps(single)
    assert len([name for name in expected if name.endswith(".tif")]) == SCENES - 1
    capsys.readouterr()

    seen, at_work = Counter(), []

    class Watched(ray_crew.RayCrew):
        """Kills the worker of the large scene when its first row is there, and its map is not."""

        def begin(self, worker, work):
            super().begin(worker, work)
            if work.job == LARGE:
                at_work.append(worker)

        def wait(self, seconds):
            events = super().wait(min(seconds, 0.01))
            seen.update(type(event) for event in events)
            seen.update(event.worker for event in events if isinstance(event, Done))
            rows = shared.glob(f".mapping/{LARGE:03d}/*/row_*.tif")
            if at_work and not seen["killed"] and any(rows):
                seen["killed"] += 1
                os.kill(int(self.places[at_work[0]].split()[1]), signal.SIGKILL)
                assert not (shared / f"{LARGE:03d}.tif").exists()
            return events

    monkeypatch.setattr(ray_crew, "RayCrew", Watched)
    ray = ["cluster=ray", f"cluster.address={cluster.address}", "cluster.patience=1800"]
    assert main(repository / "configs", [*command, f"output={shared}", *ray]) == 1
    out, err = (" ".join(text.split()) for text in capsys.readouterr())
    assert f"{SCENES - 1} done, 1 failed, 0 left" in out
    assert f"{BROKEN:03d}.tif is damaged" in err
    assert (seen[Lost], len(at_work)) == (1, 2)
    assert f"worker {at_work[0]} has ended (process" in out
    note = json.loads((shared / f".mapping/{LARGE:03d}.json").read_text())
    assert note["rows_computed"] < note["rows"] == ROWS  # those before stayed
    assert seen[0] > SCENES // 10
    assert seen[1] > SCENES // 10
    assert maps(shared) == expected
