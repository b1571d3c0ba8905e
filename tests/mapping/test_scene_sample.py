import numpy as np
import pytest
import rasterio
import torch

from terrashot.mapping.scene import inspect_scene
from terrashot.mapping.scene_sample import SceneSample


@pytest.fixture
def scenes(tmp_path):
    """Two scenes whose pixels say where they lie: band 1 the row, band 2 the column."""
    found = []
    for name, (height, width) in {"large": (250, 200), "small": (40, 50)}.items():
        rows, columns = np.indices((height, width), dtype=np.uint8)
        bands = np.stack([rows, columns, np.full_like(rows, height)])
        bands[:, :10] = 0  # nodata
        path = tmp_path / f"{name}.tif"
        kind = {"driver": "GTiff", "count": 3, "dtype": "uint8", "nodata": 0}
        with rasterio.open(path, "w", height=height, width=width, **kind) as file:
            file.write(bands)
        found.append(inspect_scene(path))
    return found


def test_windows_lie_in_the_scenes_and_hold_their_pixels(scenes):
    sample = SceneSample(scenes, 30, 64, seed=1)
    windows = list(sample)
    assert len(windows) == len(sample) == 30
    for (scene, top, left), (image, valid) in zip(sample.places, windows, strict=True):
        height, width = min(64, scene.height), min(64, scene.width)
        assert image.shape == (1, 3, height, width)
        assert (top % 32, left % 32) == (0, 0)
        pixels = (image[0] * 255).round()
        assert torch.equal(valid, pixels[2] > 0)
        assert float(pixels[0, -1, -1]) == top + height - 1
        assert float(pixels[1, -1, -1]) == left + width - 1
    assert len({(top, left) for _, top, left in sample.places}) > 5
    large = sum(scene.height == 250 for scene, _, _ in sample.places)
    assert large > 25  # by area: 96 %


def test_the_same_seed_draws_the_same_windows(scenes):
    places = [[p[1:] for p in SceneSample(scenes, 9, 64, seed).places] for seed in (3, 3, 4)]
    assert places[0] == places[1] != places[2]
