"""A folder of images: found at any depth, by name of their paths."""

import numpy as np
import pytest
from PIL import Image

from terrashot.errors import DataError
from terrashot.papers.false.windows.image_folder import ImageFolder


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "images"
    for name in ("b.tif", "deep/er/a.TIF", "deep/er/b.tif", ".hidden/c.tif"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 30, 3), 9, dtype=np.uint8)).save(root / name)
    (root / "deep/notes.txt").write_text("no image")
    return root


def test_images_are_found_at_any_depth_and_keep_their_path_as_a_name(folder):
    tiles = ImageFolder(folder).unlabelled_train
    assert [tile.name for tile in tiles] == ["b.tif", "deep/er/a.TIF", "deep/er/b.tif"]
    assert all(tile.image.is_file() and tile.label is None for tile in tiles)


def test_no_folder_and_a_folder_without_images_are_said(folder, tmp_path):
    with pytest.raises(DataError, match=r"nowhere does not exist.*data\.root=FOLDER"):
        ImageFolder(tmp_path / "nowhere")
    for image in folder.rglob("*.[tT][iI][fF]"):
        image.unlink()
    with pytest.raises(DataError, match=r"hold no image: 1 file\(s\).*\.png"):
        _ = ImageFolder(folder).unlabelled_train
