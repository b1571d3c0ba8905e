"""Many scenes on a Ray cluster of two nodes, on this machine."""

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

SCENES, BROKEN = 200, 77
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
    """Small scenes of noise; the last rows of one of them can't be read."""
    draws = np.random.default_rng(0)
    blocks = {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "deflate"}
    for number in range(SCENES):
        size = (3, *draws.integers(40, 120, 2))
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

    seen = Counter()

    class Watched(ray_crew.RayCrew):
        """Kills a worker, which is at work, when a third of the scenes is done."""

        def wait(self, seconds):
            events = super().wait(seconds)
            seen.update(type(event) for event in events)
            seen.update(event.worker for event in events if isinstance(event, Done))
            if seen[Done] > SCENES // 3 and not seen["killed"]:
                seen["killed"] += 1
                pid = int(self.places[1].split()[1])
                os.kill(pid, signal.SIGKILL)
            return events

    monkeypatch.setattr(ray_crew, "RayCrew", Watched)
    ray = ["cluster=ray", f"cluster.address={cluster.address}", "cluster.patience=1800"]
    assert main(repository / "configs", [*command, f"output={shared}", *ray]) == 1
    out, err = (" ".join(text.split()) for text in capsys.readouterr())
    assert f"{SCENES - 1} done, 1 failed, 0 left" in out
    assert f"{BROKEN:03d}.tif is damaged" in err
    assert seen[Lost] == 1
    assert "worker 1 has ended (process" in out
    assert seen[0] > SCENES // 5
    assert seen[1] > SCENES // 5
    assert maps(shared) == expected
    with capsys.disabled():
        print([line for line in out.split("; ") if "Mpx/s" in line][-1:], dict(seen))
