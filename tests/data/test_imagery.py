"""What a data config leaves open of its images: computed once from the tiles, and kept."""

import json

import numpy as np
import pytest
import rasterio
import torch

from terrashot.data import imagery as imagery_module
from terrashot.data.imagery import Imagery, parse_scale
from terrashot.data.layout import Tile
from terrashot.data.reading import empty_pixels, read_tile
from terrashot.data.statistics import label_counts
from terrashot.data.tiles import TileDataset
from terrashot.errors import ConfigError, DataError
from terrashot.taxonomy import IGNORE

RNG = np.random.default_rng(0)


@pytest.fixture
def tiles(tmp_path):
    """Three tiles of four 16-bit bands, the first 8 rows of each nodata (0)."""
    made = []
    for number in range(3):
        values = RNG.integers(100, 1100, (4, 40, 40)) * np.array([1, 2, 3, 4])[:, None, None]
        values[:, :8] = 0
        image, label = (tmp_path / kind / f"{number}.tif" for kind in ("images", "labels"))
        _write(image, values.astype(np.uint16), nodata=0)
        _write(label, np.full((1, 40, 40), number + 1, np.uint8))
        made.append(Tile(str(number), image, label))
    return made


def images(tiles):
    return [tile.image for tile in tiles]


def _write(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", count=len(array), height=40, width=40, dtype=array.dtype,
        crs="EPSG:32633", transform=rasterio.transform.from_origin(4e5, 5e6, 1, 1), **options,
    ) as file:  # fmt: skip
        file.write(array)


def test_a_fixed_scale_gives_means_and_deviations_of_the_pixels_with_data(tiles, tmp_path):
    spec = Imagery([1, 2, 3, 4], [0, 4400]).spec(images(tiles), tmp_path)
    assert spec.dtype == "uint16"
    assert spec.scale == ((0.0, 4400.0),) * 4
    np.testing.assert_allclose(spec.mean, [600 * i / 4400 for i in (1, 2, 3, 4)], rtol=0.02)
    expected = [289 * i / 4400 for i in (1, 2, 3, 4)]  # of a uniform draw over 1000 values
    np.testing.assert_allclose(spec.std, expected, rtol=0.02)


def test_percentiles_are_taken_over_all_training_tiles(tiles, tmp_path):
    spec = Imagery([4, 1], "percentile").spec(images(tiles), tmp_path)
    low, high = np.transpose(spec.scale)
    np.testing.assert_allclose(low, [4 * 120, 120], rtol=0.03)
    np.testing.assert_allclose(high, [4 * 1080, 1080], rtol=0.03)
    assert spec.channels == 2
    assert spec.rgb == (0, 0, 0)


def test_the_whole_range_of_a_type_is_a_scale_too(tiles, tmp_path):
    assert Imagery([1], "full").spec(images(tiles), tmp_path).scale == ((0.0, 65535.0),)


def test_what_was_computed_is_kept_until_a_tile_changes(tiles, tmp_path, monkeypatch):
    first = Imagery([1, 2, 3, 4], "percentile").spec(images(tiles), tmp_path)
    kept = sorted(p.name for p in (tmp_path / ".terrashot").iterdir())
    assert [name.split("_")[1] for name in kept] == ["moments", "percentiles"]
    read = imagery_module._valid
    monkeypatch.setattr(imagery_module, "_valid", None)
    assert Imagery([1, 2, 3, 4], "percentile").spec(images(tiles), tmp_path) == first
    monkeypatch.setattr(imagery_module, "_valid", read)
    _write(tiles[0].image, np.full((4, 40, 40), 7, np.uint16), nodata=0)
    assert Imagery([1, 2, 3, 4], "percentile").spec(images(tiles), tmp_path) != first


def test_a_damaged_note_is_computed_again(tiles, tmp_path):
    first = Imagery([1], [0, 1000]).spec(images(tiles), tmp_path)
    (note,) = (tmp_path / ".terrashot").iterdir()
    note.write_text(json.dumps({"key": "another"}))
    assert Imagery([1], [0, 1000]).spec(images(tiles), tmp_path) == first


def test_other_types_than_8_bit_need_a_scale(tiles, tmp_path):
    with pytest.raises(ConfigError, match=r"uint16.*data\.scale=\[LOW,HIGH\].*percentile.*full"):
        Imagery([1, 2, 3]).spec(images(tiles), tmp_path)


def test_a_tile_of_another_type_is_named(tiles, tmp_path):
    _write(tiles[2].image, np.ones((4, 40, 40), np.uint8))
    with pytest.raises(DataError, match=r"2\.tif has pixels of type uint8.*uint16"):
        Imagery([1, 2, 3], [0, 1000]).spec(images(tiles), tmp_path)


def test_tiles_without_any_data_are_said_before_training(tiles, tmp_path):
    for tile in tiles:
        _write(tile.image, np.zeros((4, 40, 40), np.uint16), nodata=0)
    with pytest.raises(DataError, match="no training image has a pixel with data"):
        Imagery([1, 2, 3], [0, 1000]).spec(images(tiles), tmp_path)


def test_8_bit_rgb_with_statistics_needs_no_tile_at_all(tmp_path):
    spec = Imagery(mean=[0.4, 0.5, 0.6], std=[0.1, 0.2, 0.3]).spec(None, tmp_path)
    assert spec.is_plain
    assert spec.mean == (0.4, 0.5, 0.6)


@pytest.mark.parametrize("value", [[3, 1], [1], "best", [float("nan"), 1], [0, float("inf")], True])
def test_a_scale_of_another_form_is_refused(value):
    with pytest.raises(ConfigError, match=r"data\.scale is"):
        parse_scale(value, "data.scale")


def test_empty_pixels_are_ignored_by_labels_counts_and_masks_alike(tiles, tmp_path, taxonomy):
    spec = Imagery([1, 2, 3, 4], [0, 4400]).spec(images(tiles), tmp_path)
    dataset = TileDataset(tiles, taxonomy, spec=spec, cache=True)
    for _ in range(2):  # decoded, then from memory
        sample = dataset[0]
        assert (sample["mask"][:8] == IGNORE).all()
        assert (sample["mask"][8:] == 1).all()
        assert (sample["image"][:, :8] == 0).all()
        assert sample["image"].dtype == torch.float32
        assert 0 < float(sample["image"][:, 8:].min()) <= float(sample["image"].max()) <= 1
        assert torch.equal(dataset.mask(0), sample["mask"])
    assert empty_pixels(tiles[0].image, spec).sum() == 8 * 40
    counts = label_counts(tiles, taxonomy, tmp_path, spec=spec)
    assert counts.tolist()[:4] == [0, 32 * 40, 32 * 40, 32 * 40]


def test_a_label_that_lies_elsewhere_is_an_error(tiles, tmp_path, taxonomy):
    spec = Imagery([1, 2, 3, 4], [0, 4400]).spec(images(tiles), tmp_path)
    moved = rasterio.transform.from_origin(4e5 + 40, 5e6, 1, 1)
    with rasterio.open(tiles[1].label, "r+") as file:
        file.transform = moved
    with pytest.raises(DataError, match=r"labels/1\.tif does not lie where.*40\.0 pixels away"):
        TileDataset(tiles, taxonomy, spec=spec).load(1)
    with rasterio.open(tiles[2].label, "r+") as file:
        file.crs = rasterio.crs.CRS.from_epsg(32634)
    with pytest.raises(DataError, match=r"2\.tif does not lie.*EPSG:32634.*EPSG:32633"):
        TileDataset(tiles, taxonomy, spec=spec).load(2)
    assert read_tile(tiles[0].image, spec).valid.sum() == 32 * 40
