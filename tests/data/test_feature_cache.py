"""Features on disk: the same bits, never a damaged one, never more than the limit."""

import threading

import pytest
import torch

from terrashot.data.feature_cache import FeatureCache, TileMaps


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "images" / "tile.tif"
    path.parent.mkdir()
    path.write_bytes(b"pixels")
    return path


def features(seed=0, channels=4):
    generator = torch.Generator().manual_seed(seed)
    content = torch.rand((9, 11), generator=generator) > 0.5
    maps = [torch.randn((channels, *size), generator=generator) for size in ((5, 7), (2, 3))]
    return TileMaps(tuple(maps), content, 0.25)


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "cache", 1e6, {"checkpoint": "a", "eval_size": None})


def test_features_and_content_come_back_bit_by_bit(cache, image):
    assert cache.load(image) is None
    cache.save(image, features())
    found = cache.load(image)
    assert len(found.maps) == 2
    assert all(map(torch.equal, found.maps, features().maps))
    assert torch.equal(found.content, features().content)
    assert found.content.dtype == torch.bool
    assert found.seconds == 0.25


def test_another_network_size_or_image_has_an_entry_of_its_own(cache, image, tmp_path):
    cache.save(image, features())
    for context in ({"checkpoint": "b", "eval_size": None}, {"checkpoint": "a", "eval_size": 64}):
        assert FeatureCache(tmp_path / "cache", 1e6, context).load(image) is None
    assert cache.load(image, view=(-1,)) is None
    image.write_bytes(b"other pixels")
    assert cache.load(image) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_entry_is_told_and_computed_again(cache, image, damage):
    cache.save(image, features())
    (entry,) = cache.folder.iterdir()
    content = bytearray(entry.read_bytes())
    if damage == "cut":
        content = content[:-20]
    elif damage == "flipped":
        content[-30] ^= 4
    else:
        content = bytearray()
    entry.write_bytes(content)
    with pytest.warns(UserWarning, match=r"is damaged.*computed again"):
        assert cache.load(image) is None
    cache.save(image, features())
    assert all(map(torch.equal, cache.load(image).maps, features().maps))


def test_entries_unused_for_longest_go_first(tmp_path):
    images = []
    for index in range(4):
        images.append(tmp_path / f"{index}.tif")
        images[-1].write_bytes(b"x")
    size = 1000 * (5 * 7 + 2 * 3) * 4
    cache = FeatureCache(tmp_path / "cache", 3.5 * size, {})
    for path in images[:3]:
        cache.save(path, features(channels=1000))
    assert cache.load(images[0]) is not None  # used again, so the second is the oldest
    cache.save(images[3], features(channels=1000))
    assert [cache.load(path) is not None for path in images] == [True, False, True, True]


def test_a_tile_larger_than_the_limit_is_not_kept(tmp_path, image):
    cache = FeatureCache(tmp_path / "cache", 100, {})
    cache.save(image, features())
    assert cache.load(image) is None


def test_a_disk_that_takes_no_more_is_a_warning(tmp_path, image):
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = FeatureCache(tmp_path / "cache", 1e6, {})
    with pytest.warns(UserWarning, match=r"could not be kept"):
        cache.save(image, features())


def test_many_writers_readers_and_evictions_at_once_never_give_a_wrong_tile(tmp_path):
    images = []
    for index in range(6):
        images.append(tmp_path / f"{index}.tif")
        images[-1].write_bytes(b"x")
    limit = 3.5 * 200 * (5 * 7 + 2 * 3) * 4  # half of the tiles: every writer evicts
    wrong, errors = [], []

    def work(start):
        cache = FeatureCache(tmp_path / "cache", limit, {})
        try:
            for step in range(30):
                index = (start + step) % 6
                found = cache.load(images[index])
                if found is None:
                    cache.save(images[index], features(index, 200))
                elif not all(map(torch.equal, found.maps, features(index, 200).maps)):
                    wrong.append(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not errors
