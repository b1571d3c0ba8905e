import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from tests.papers.simtrans.image_folders import BASE, NOVEL, draw

from terrashot.errors import DataError
from terrashot.papers.simtrans.folders.layouts.all import LAYOUTS, find_layout
from terrashot.papers.simtrans.folders.layouts.layout import shipped_list


def names(images, root):
    return {k: [p.relative_to(root).as_posix() for p in v] for k, v in images.items()}


def test_cub_is_read_by_its_lists(cub):
    name, layout = find_layout(cub, "auto")
    assert name == "cub"
    found = layout.read(cub)
    assert list(found.classes) == sorted(BASE + NOVEL)
    folder = "CUB_200_2011/images/001.Black_footed_Albatross"
    train, test = (names(part, cub)[BASE[0]] for part in (found.train, found.test))
    assert train == [f"{folder}/image_{i:04d}.jpg" for i in range(6)]
    assert test == [f"{folder}/image_{i:04d}.jpg" for i in range(6, 10)]
    assert set(found.web) == set(NOVEL)
    assert len(found.web[NOVEL[0]]) == 8
    assert set(NOVEL) <= set(found.novel)
    assert len(found.novel) == len(set(found.novel)) == 50


def make_car(root):
    """Six models, two of one name; the fifth has no name, the sixth no web folder."""
    models = ["Arrizo 7", "Golf", " Passat ", "Golf", "", "Bora"]
    cells = np.empty((len(models), 1), dtype=object)
    for row, model in enumerate(models):
        cells[row, 0] = np.array([model]) if model else np.array([], dtype="<U1")
    (root / "CampCar" / "misc").mkdir(parents=True)
    savemat(root / "CampCar" / "misc" / "make_model_name.mat", {"model_names": cells})
    split = root / "CampCar" / "train_test_split" / "classification"
    split.mkdir(parents=True)
    for part in ("train", "test"):
        lines = [f"9/{number}/2013/{part}{number}.jpg" for number in range(1, 7)]
        for line in lines:
            draw(root / "CampCar" / "image" / line, 1)
        (split / f"{part}.txt").write_text("\n".join(lines) + "\n")
    for model in ("Arrizo 7", "Golf", "Passat"):
        draw(root / "web_data" / model / "0.jpg", 2)
    return root


def test_car_is_read_by_numbers_of_models(tmp_path):
    root = make_car(tmp_path)
    name, layout = find_layout(root, "auto")
    assert name == "car"
    found = layout.read(root)
    assert list(found.classes) == ["Arrizo 7", "Golf", "Passat"]
    assert list(found.novel) == ["Arrizo 7"]  # every fourth, from the first
    train = names(found.train, root / "CampCar" / "image")
    assert train["Golf"] == ["9/2/2013/train2.jpg", "9/4/2013/train4.jpg"]
    assert train["Passat"] == ["9/3/2013/train3.jpg"]
    assert set(train) == {"Arrizo 7", "Golf", "Passat"}
    (root / "CampCar" / "misc" / "make_model_name.mat").write_bytes(b"no table")
    with pytest.raises(DataError, match=r"make_model_name\.mat cannot be read as a MATLAB file"):
        layout.read(root)


def test_fgvc_is_read_by_variants_with_slashes_in_their_names(tmp_path):
    data = tmp_path / "fgvc-aircraft-2013b" / "data"
    data.mkdir(parents=True)
    variants = ["707-320", "F-16A/B", "Cessna 172"]
    (data / "variants.txt").write_text("\n".join(variants) + "\n")
    for number, part in enumerate(("trainval", "test")):
        rows = [f"{number}{i:06d} {variant}" for i, variant in enumerate(variants)]
        (data / f"images_variant_{part}.txt").write_text("\n".join(rows) + "\n")
        for row in rows:
            draw(data / "images" / f"{row[:7]}.jpg", 1)
    draw(tmp_path / "hardest_new_set" / "F-16A/B" / "0.jpg", 1)
    name, layout = find_layout(tmp_path, "auto")
    assert name == "fgvc"
    found = layout.read(tmp_path)
    assert list(found.classes) == variants
    assert names(found.train, data / "images")["F-16A/B"] == ["0000001.jpg"]
    assert names(found.test, data / "images")["Cessna 172"] == ["1000002.jpg"]
    assert list(found.web) == ["F-16A/B"]
    assert len(shipped_list("fgvc_novel")) == 25
    (data / "images" / "1000002.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of the 3 images.*1000002\.jpg"):
        layout.read(tmp_path)


def make_webvision(folder):
    """Three synsets: WebVision's second is ImageNet's first class, and so on."""
    imagenet, root = folder / "ImageNet", folder / "WebVision"
    ids = ["n01440764", "n01443537", "n01484850"]
    for i, wnid in enumerate(ids):
        draw(imagenet / "train" / wnid / f"{wnid}_{i}.JPEG", i)
    table = np.zeros((3, 1), dtype=[("ILSVRC2012_ID", object), ("WNID", object)])
    for row, wnid in enumerate(ids):
        table[row, 0] = (np.array([[3 - row]]), np.array([wnid]))  # numbers run the other way
    imagenet.mkdir(exist_ok=True)
    savemat(imagenet / "meta.mat", {"synsets": table})
    truth = imagenet / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("3\n1\n")
    for i in (1, 2):
        draw(imagenet / "val" / f"ILSVRC2012_val_{i:08d}.JPEG", i)
    (root / "info").mkdir(parents=True)
    rows = [f"{wnid} a fish" for wnid in reversed(ids)]
    (root / "info" / "synsets.txt").write_text("\n".join(rows) + "\n")
    (root / "train_files_118.txt").write_text("flickr/q0001/a.jpg 2\ngoogle/q0002/b.jpg 1\n")
    for file in ("flickr/q0001/a.jpg", "google/q0002/b.jpg"):
        draw(root / "subset118" / file, 3)
    return root, ids


def test_webvision_is_read_beside_imagenet(tmp_path):
    root, ids = make_webvision(tmp_path)
    name, layout = find_layout(root, "auto")
    assert name == "webvision"
    found = layout.read(root)
    assert list(found.classes) == ids
    assert list(found.novel) == ids  # fewer than 118
    test = {k: [p.name for p in v] for k, v in found.test.items()}
    assert test == {
        ids[0]: ["ILSVRC2012_val_00000001.JPEG"],
        ids[2]: ["ILSVRC2012_val_00000002.JPEG"],
    }
    assert names(found.web, root / "subset118") == {
        ids[0]: ["flickr/q0001/a.jpg"],
        ids[1]: ["google/q0002/b.jpg"],
    }
    assert len(found.train[ids[1]]) == 1
    listed = f"train/{ids[0]}/{ids[0]}_0.JPEG,{ids[0]}\n"
    (tmp_path / "ImageNet" / "train_files.txt").write_text(listed)
    assert set(layout.read(root).train) == {ids[0]}
    (root / "train_files_118.txt").write_text("flickr/q0001/a.jpg 3\n")
    with pytest.raises(DataError, match=r"the class 3, but .* has the classes 0 to 2"):
        layout.read(root)
    shutil.rmtree(tmp_path / "ImageNet")
    with pytest.raises(DataError, match=r"ImageNet/train was expected to hold a folder"):
        layout.read(root)


def test_plain_folders_keep_every_fifth_image_for_tests(plain):
    name, layout = find_layout(plain, "auto")
    assert name == "plain"
    found = layout.read(plain)
    assert list(found.classes) == [f"class {i}" for i in range(5)]
    assert [p.stem for p in found.test["class 1"]] == ["04", "09"]
    assert len(found.train["class 1"]) == 8
    assert found.web == found.train
    assert list(found.novel) == ["class 3", "class 4"]


def test_plain_folders_of_parts_are_read_part_by_part(tmp_path):
    for part, label in [("train", "a"), ("train", "b"), ("test", "a"), ("web", "c")]:
        draw(tmp_path / part / label / f"{part}.WEBP", 1)
    found = LAYOUTS["plain"].read(tmp_path)
    assert list(found.classes) == ["a", "b", "c"]
    assert set(found.train) == {"a", "b"}
    assert set(found.test) == {"a"}
    assert set(found.web) == {"c"}
    assert found.novel is None


def test_another_folder_than_that_of_the_layout_is_told(plain, tmp_path):
    with pytest.raises(DataError, match="no folder"):
        find_layout(tmp_path / "nowhere", "auto")
    with pytest.raises(DataError, match=r"CUB_200_2011 does not exist.*data\.layout=plain"):
        find_layout(plain, "cub")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="a folder for each class, but it has none"):
        LAYOUTS["plain"].read(tmp_path / "empty")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("images.txt", None, r"images\.txt does not exist.*NUMBER CLASS/IMAGE"),
        ("images.txt", "", "is empty"),
        ("images.txt", "1\n", "line 1: '1'"),
        ("train_test_split.txt", "1 2\n", "says '2' of it"),
        ("images.txt", "1 001.Black_footed_Albatross/none.jpg\n", r"1 of the 1 images.*none\.jpg"),
    ],
)
def test_wrong_lists_are_told(cub, tmp_path, file, content, message):
    root = Path(shutil.copytree(cub, tmp_path / "CUB"))
    path = root / "CUB_200_2011" / file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(DataError, match=message):
        LAYOUTS["cub"].read(root)
