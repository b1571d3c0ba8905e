import numpy as np
import pytest
import torch
from PIL import Image
from tests.papers.simtrans.image_folders import BASE, NOVEL, draw, make_plain
from torchvision import transforms

from terrashot.errors import DataError
from terrashot.papers.simtrans.folders.image_sets import LabelledImage, read_image_sets
from terrashot.papers.simtrans.folders.images import (
    ImageUnits,
    Views,
    check_readable,
    read_image,
)
from terrashot.papers.simtrans.folders.units import image_pair_units, most_per_class
from terrashot.papers.simtrans.settings import ImageFolderData, ImageUnitSettings

SMALL = Views(16, 20)


def data(root, **changes):
    statistics = {"mean": [0.5] * 3, "std": [0.2] * 3}
    return ImageFolderData(name="birds", root=str(root), **statistics, **changes)


def test_ids_count_base_classes_then_novel_ones(cub):
    sets = read_image_sets(data(cub))
    assert sets.names == [*BASE, *NOVEL]
    assert (sets.base_ids, sets.novel_ids) == ([0, 1, 2, 3], [4, 5])
    assert sorted({i.label for i in sets.novel_web}) == [4, 5]
    assert len(sets.base_train) == 4 * 6
    assert len(sets.novel_test) == 2 * 4
    assert all("CUB_web" in i.path.parts for i in sets.novel_web)


def test_there_may_be_more_classes_than_a_byte_counts(tmp_path):
    root = make_plain(tmp_path / "many", classes=300, images=5)
    sets = read_image_sets(data(root))
    assert len(sets.names) == 300
    units = ImageUnits(sets.base_test, SMALL)
    assert units.labels.tolist() == list(range(298))
    assert units[297]["label"] == 297


def test_a_class_without_images_is_told(cub, tmp_path):
    (tmp_path / "novel.txt").write_text(f"{BASE[0]}\n{NOVEL[0]}\n")
    with pytest.raises(DataError, match=r"1 of 2 classes have no noisy images.*CUB_web/CLASS.*001"):
        read_image_sets(data(cub, novel=str(tmp_path / "novel.txt")))


def test_a_list_may_lie_in_the_folder_of_the_data(plain):
    (plain / "mine.txt").write_text("class 0\nclass 1\n")
    sets = read_image_sets(data(plain, novel="mine.txt"))
    assert sets.novel == ["class 0", "class 1"]


def test_the_test_view_is_that_of_torchvision_at_any_size(tmp_path):
    published = transforms.Compose([transforms.Resize(255), transforms.CenterCrop(224)])
    for size in [(30, 50), (400, 300), (224, 224)]:
        path = draw(tmp_path / f"{size[0]}.png", 1, size)
        unit = ImageUnits([LabelledImage(path, 3)], Views())[0]
        expected = np.asarray(published(Image.open(path).convert("RGB"))).transpose(2, 0, 1)
        assert unit["input"].shape == (3, 224, 224)
        assert np.array_equal((unit["input"] * 255).round().numpy(), expected)


def test_a_training_view_depends_on_its_seed_alone(tmp_path):
    path = draw(tmp_path / "a.png", 1, (60, 90))
    units = ImageUnits([LabelledImage(path, 0)], SMALL, augmented=True)
    state = torch.get_rng_state()
    one, again, other = (units[0, seed]["input"] for seed in (5, 5, 6))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(units[0]["input"], units.plain()[0, 5]["input"])
    assert one.shape == (3, 16, 16)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_images_of_every_mode_become_colours(tmp_path, mode):
    image = Image.new("RGB", (12, 9), (200, 200, 200)).convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path)
    found = np.asarray(read_image(path))
    assert found.shape == (9, 12, 3)
    assert found.mean() > 150


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    good = draw(tmp_path / "good.jpg", 1, (64, 64))
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"<html>not found</html>")
    images = [LabelledImage(good, 0), LabelledImage(bad, 0)]
    check_readable(images[:1])
    with pytest.raises(DataError, match=r"1 of 2 image\(s\) cannot be read: .*bad\.jpg.*delete it"):
        check_readable(images)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(good.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"cut\.jpg.*truncated"):
        ImageUnits([LabelledImage(cut, 0)], SMALL)[0]


def test_pair_units_leave_held_out_classes_out_of_training(cub):
    sets = read_image_sets(data(cub))
    options = {"kind": "windows", "beta": 0.1}
    units = image_pair_units(sets, ImageUnitSettings(**options, held_out=[BASE[2]]), data(cub))
    assert units.held_out == [2]
    assert set(units.train.labels.tolist()) == {0, 1, 3}
    assert set(units.val.labels.tolist()) == {0, 1, 2, 3}
    assert set(units.novel.labels.tolist()) == {4, 5}
    assert len(set(units.val.groups.tolist())) == len(units.val)
    every = image_pair_units(sets, ImageUnitSettings(kind="windows", held_out=[]), data(cub))
    assert every.held_out == []
    assert every.novel is None
    assert set(every.train.labels.tolist()) == {0, 1, 2, 3}
    assert most_per_class(sets.base_test, 64, 12) == 3
    assert most_per_class(sets.base_test, 2, 1500) == 2
