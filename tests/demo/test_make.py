import hashlib
import json
import random

import numpy as np
import pytest
import rasterio

from terrashot.demo import make, make_demo
from terrashot.demo.classes import NOVEL, Land
from terrashot.demo.plan import TilePlan
from terrashot.errors import DataError

SPLITS = ("train", "val", "test")


def _hashes(root):
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _label(root, split, name):
    with rasterio.open(root / f"{split}set" / "labels" / name) as source:
        return source.read(1)


def _names(root, file):
    return (root / file).read_text().split()


@pytest.fixture
def three_tiles(monkeypatch):
    tiles = [TilePlan(f"{split}_000.tif", split, "query", "rural") for split in SPLITS]
    monkeypatch.setattr(make, "plan_tiles", lambda: tiles)


def test_same_seed_gives_the_same_bytes_whatever_the_global_dice(demo, tmp_path):
    np.random.seed(99)
    random.seed(99)
    make_demo(tmp_path / "again", seed=0)
    assert _hashes(tmp_path / "again") == _hashes(demo.root)


def test_lists_name_existing_tiles_and_no_tile_twice(demo):
    root = demo.root
    listed = {"train": _names(root, "train.txt") + _names(root, "stage1_val.txt")}
    for split in ("val", "test"):
        lists = json.loads((root / f"{split}.json").read_text())
        assert sorted(lists["support_set"]) == ["10", "11", "8", "9"]
        assert all(len(names) == 5 for names in lists["support_set"].values())
        support = [name for names in lists["support_set"].values() for name in names]
        listed[split] = support + lists["query_set"]
    pool = json.loads((root / "support_pool.json").read_text())
    assert all(len(names) == 10 for names in pool.values())
    listed["test"] += [n for names in pool.values() for n in names if n not in listed["test"]]
    for split, names in listed.items():
        assert len(set(names)) == len(names)
        for kind in ("images", "labels"):
            assert {p.name for p in (root / f"{split}set" / kind).iterdir()} == set(names)


def test_image_and_label_share_size_and_place_and_no_tiles_overlap(demo):
    boxes = []
    for split in SPLITS:
        for path in sorted((demo.root / f"{split}set" / "images").iterdir()):
            label_path = path.parent.parent / "labels" / path.name
            with rasterio.open(path) as image, rasterio.open(label_path) as label:
                assert (image.count, image.dtypes[0]) == (3, "uint8")
                assert (label.count, label.dtypes[0]) == (1, "uint8")
                assert image.shape == label.shape
                assert image.transform == label.transform
                assert image.crs == label.crs
                assert image.crs.is_projected
                assert label.colormap(1)[int(Land.TREE)][:3] == (0x22, 0x61, 0x26)
                boxes.append(image.bounds)
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            # Neighbours share an edge, whose coordinate is rounded once on either side.
            apart_x = a.right <= b.left + 1e-6 or b.right <= a.left + 1e-6
            assert apart_x or a.top <= b.bottom + 1e-6 or b.top <= a.bottom + 1e-6


def test_training_labels_hide_the_novel_classes_that_the_scenes_show(demo):
    shares = json.loads((demo.root / "demo.json").read_text())["class_shares"]["train"]
    names = list(shares)
    for name in _names(demo.root, "train.txt") + _names(demo.root, "stage1_val.txt"):
        assert _label(demo.root, "train", name).max() < min(NOVEL)
    assert all(shares[names[novel]] > 0.005 for novel in NOVEL)
    # Background is more than hidden novel objects.
    assert shares["background"] > 0.05


@pytest.mark.parametrize("split", ["val", "test"])
def test_support_tiles_label_their_own_class_alone_and_keep_it_at_stride_16(demo, split):
    support = json.loads((demo.root / f"{split}.json").read_text())["support_set"]
    pool = json.loads((demo.root / "support_pool.json").read_text())
    for novel, names in [*support.items(), *(pool.items() if split == "test" else ())]:
        for name in names:
            label = _label(demo.root, split, name)
            assert set(np.unique(label)) == {0, int(novel)}
            assert (label > 0).sum() >= 150
            assert label[::16, ::16].any()
            assert label[8::16, 8::16].any()


@pytest.mark.parametrize("split", ["val", "test"])
def test_every_class_occurs_in_the_queries_and_novel_ones_in_at_least_four(demo, split):
    queries = json.loads((demo.root / f"{split}.json").read_text())["query_set"]
    tiles = np.zeros(len(Land), int)
    for name in queries:
        counts = np.bincount(_label(demo.root, split, name).ravel(), minlength=len(Land))
        tiles += counts >= 100
    assert (tiles > 0).all()
    assert all(tiles[novel] >= 4 for novel in NOVEL)


def test_finished_set_is_left_alone_and_another_seed_replaces_it(three_tiles, tmp_path):
    root = tmp_path / "demo"
    make_demo(root, seed=1)
    first, made_at = _hashes(root), (root / "demo.json").stat().st_mtime_ns
    make_demo(root, seed=1)
    assert (root / "demo.json").stat().st_mtime_ns == made_at
    (root / "statistics.json").write_text("counted on the old tiles")
    make_demo(root, seed=2)
    second = _hashes(root)
    assert second.keys() == first.keys()
    image = "trainset/images/train_000.tif"
    assert second[image] != first[image]
    assert [p.name for p in tmp_path.iterdir()] == ["demo"]


def test_interrupted_run_leaves_nothing_and_the_old_set_untouched(
    three_tiles, tmp_path, monkeypatch
):
    root = tmp_path / "demo"
    make_demo(root, seed=1)
    before = _hashes(root)
    written = []
    write_tile = make.write_tile

    def stop_at_the_third(path, *rest):
        written.append(path)
        if len(written) == 3:
            raise KeyboardInterrupt
        write_tile(path, *rest)

    monkeypatch.setattr(make, "write_tile", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        make_demo(root, seed=2)
    assert len(written) == 3
    assert _hashes(root) == before
    written.clear()
    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path / "fresh", seed=2)
    assert [p.name for p in tmp_path.iterdir()] == ["demo"]


def test_set_made_meanwhile_by_another_process_is_kept(three_tiles, tmp_path, monkeypatch):
    root = tmp_path / "demo"
    build = make._build

    def build_while_another_finishes(folder, seed):
        build(folder, seed)
        if not root.exists():
            monkeypatch.setattr(make, "_build", build)
            make_demo(root, seed)
            (root / "statistics.json").write_text("{}")

    monkeypatch.setattr(make, "_build", build_while_another_finishes)
    make_demo(root, seed=1)
    assert (root / "statistics.json").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["demo"]


def test_folder_with_other_data_is_refused_and_untouched(tmp_path):
    root = tmp_path / "mine"
    root.mkdir()
    (root / "precious.tif").write_text("not a demo")
    with pytest.raises(DataError, match=r"mine.*demo\.json"):
        make_demo(root)
    assert (root / "precious.tif").read_text() == "not a demo"
