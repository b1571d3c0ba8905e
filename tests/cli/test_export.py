"""An export replaces nothing that it reads."""

import numpy as np
import pytest
from PIL import Image

from terrashot.cli.export import main
from terrashot.model.adapted_file import save_adapted_model


@pytest.fixture
def checkpoint(make_adapted, tmp_path):
    path = tmp_path / "adapted.pt2"  # whatever its suffix
    save_adapted_model(path, make_adapted(), {})
    return path


@pytest.mark.parametrize("kind", ["the file", "a link in the folder", "a hard link"])
def test_the_checkpoint_is_not_replaced_by_its_export(checkpoint, tmp_path, capsys, kind):
    folder = tmp_path
    if kind != "the file":
        folder = tmp_path / "out"
        folder.mkdir()
        link = folder / "adapted.pt2"
        link.symlink_to(checkpoint) if "folder" in kind else link.hardlink_to(checkpoint)
    before = checkpoint.read_bytes()
    assert main([str(checkpoint), "--format", "torch", "--output", str(folder)]) == 1
    assert "same file as" in " ".join(capsys.readouterr().err.split())
    assert checkpoint.read_bytes() == before


def test_a_tile_to_check_with_is_not_replaced_by_the_export(checkpoint, tmp_path, capsys):
    tile = tmp_path / "out/adapted.pt2"
    tile.parent.mkdir()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tile, format="PNG")
    words = ["--format", "torch", "--output", str(tile.parent), "--image", str(tile)]
    assert main([str(checkpoint), *words]) == 1
    assert "--output" in " ".join(capsys.readouterr().err.split())
