"""A folder that nobody has described becomes a dataset that trains."""

import shutil

import numpy as np
import pytest
import rasterio
import yaml

from terrashot.app.config.compose import compose_settings
from terrashot.cli.main import main
from terrashot.configs_folder import configs_folder
from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.imagery import Imagery
from terrashot.tasks.of_data import crop_of, taxonomy_of

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    """12 images of four 16-bit bands, 80 x 64, with labels of the numbers 0, 21, 22 and 255."""
    for number in range(12):
        image = RNG.integers(0, 3000, (4, 64, 80)).astype(np.uint16)
        label = RNG.choice([0, 21, 22, 255], (1, 64, 80)).astype(np.uint8)
        for kind, array in (("images", image), ("labels", label)):
            path = tmp_path / "My City" / kind / f"tile {number:02}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            with rasterio.open(
                path, "w", driver="GTiff", count=len(array), height=64, width=80,
                dtype=array.dtype, photometric="MINISBLACK",
            ) as file:  # fmt: skip
                file.write(array)
    return tmp_path / "My City"


def test_it_shows_what_it_found_and_writes_only_when_asked(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init-data", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "12 images with a label, 0 without" in said
    assert "80 x 64" in said
    assert "bands: 4; type: uint16" in said
    assert "2nd to 98th percentile" in said
    assert "nothing was written" in said
    assert not (tmp_path / "configs").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["images", "labels"]


def test_the_written_config_is_short_and_a_run_can_use_it(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init-data", str(folder), "--name", "city", "--yes"]) == 0
    text = (tmp_path / "configs" / "data" / "city.yaml").read_text()
    config = yaml.safe_load(text)
    assert config["bands"] == [1, 2, 3, 4]
    assert config["scale"] == "percentile"
    codes = {0: "background", 21: "class_1", 22: "class_2", 255: "ignore"}
    assert config["labels"] == {"map": codes}
    assert config["taxonomy"] == {"base": ["class_1", "class_2"], "novel": []}
    train = (folder / "train.txt").read_text().splitlines()
    held = (folder / "stage1_val.txt").read_text().splitlines()
    assert (len(train), len(held)) == (10, 2)
    assert not set(train) & set(held)

    settings = compose_settings(configs_folder(), ["experiment=stage1", "data=city"])
    assert crop_of(settings, settings.data.crop) == 64
    taxonomy = taxonomy_of(settings)
    assert (taxonomy.name, taxonomy.num_base) == ("city", 3)
    described = settings.data
    data = FewShotDataModule(folder, taxonomy, labels=described.labels, num_workers=0)
    assert len(data.train_tiles) == 10
    data.spec = Imagery(described.bands, described.scale).spec(
        [tile.image for tile in data.train_tiles], folder
    )
    assert data.spec.channels == 4
    assert data.train_label_counts().min() > 0

    capsys.readouterr()
    assert main(["init-data", str(folder), "--name", "city", "--yes"]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "configs" / "data" / "city.yaml").read_text() == text


def test_check_data_reads_the_dataset_as_the_config_says(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init-data", str(folder), "--name", "city", "--yes"]) == 0
    capsys.readouterr()
    assert main(["check-data", str(folder), "--config", "city"]) == 0
    assert "0 errors" in capsys.readouterr().out


def test_coloured_labels_get_a_table_of_colours(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for label in (folder / "labels").iterdir():
        with rasterio.open(label) as source:
            code = source.read(1)
        colors = np.stack([np.where(code == 21, 255, 0), np.where(code == 22, 255, 0), code * 0])
        with rasterio.open(
            label, "w", driver="GTiff", count=3, height=64, width=80, dtype="uint8"
        ) as file:
            file.write(colors.astype(np.uint8))
    assert main(["init-data", str(folder), "--name", "city", "--yes"]) == 0
    config = yaml.safe_load((tmp_path / "configs" / "data" / "city.yaml").read_text())
    assert config["labels"] == {
        "colours": {"#000000": "background", "#00ff00": "class_1", "#ff0000": "class_2"}
    }


def test_the_root_is_where_the_tiles_lie(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, home in (("above", folder / "export" / "tiles"), ("parts", folder / "export")):
        for kind in ("images", "labels"):
            target = home / ("trainset" if name == "parts" else ".") / kind
            target.parent.mkdir(parents=True, exist_ok=True)
            next(folder.rglob(kind)).rename(target)
        assert main(["init-data", str(folder), "--name", name, "--yes"]) == 0
        config = yaml.safe_load((tmp_path / "configs" / "data" / f"{name}.yaml").read_text())
        assert config["root"] == str(home)
        assert main(["check-data", str(home), "--config", name]) == 0


def test_folders_that_are_no_dataset_together_are_named(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "images", folder / "second" / "images")
    shutil.copytree(folder / "labels", folder / "second" / "labels")
    assert main(["init-data", str(folder), "--yes"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "labelled images in 2 folders" in said
    assert "describe each folder by itself" in said


def test_a_validation_list_that_is_there_is_left_as_it_is(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (folder / "stage1_val.txt").write_text("tile 00.tif\n")
    assert main(["init-data", str(folder), "--name", "city", "--yes"]) == 0
    assert (folder / "stage1_val.txt").read_text() == "tile 00.tif\n"
    assert (folder / "train.txt").is_file()
    assert main(["check-data", str(folder), "--config", "city"]) == 0


def test_what_labels_call_no_data_is_no_class(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for label in (folder / "labels").iterdir():
        with rasterio.open(label, "r+") as file:
            file.nodata = 22
    assert main(["init-data", str(folder), "--name", "city", "--yes"]) == 0
    config = yaml.safe_load((tmp_path / "configs" / "data" / "city.yaml").read_text())
    assert config["labels"] == {"map": {0: "background", 21: "class_1", 255: "ignore"}}
    assert main(["check-data", str(folder), "--config", "city"]) == 0


def test_a_folder_without_pairs_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init-data", str(tmp_path / "nowhere")]) == 1
    assert "is no folder" in capsys.readouterr().err
    assert main(["init-data", str(tmp_path)]) == 1
    assert "folders images/ and labels/ side by side" in " ".join(capsys.readouterr().err.split())
