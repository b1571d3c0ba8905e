"""Folds of PASCAL-5i: which classes, which images, which episodes."""

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.io import savemat
from tests.papers.sg_one.voc import block, write_mask, write_voc

from terrashot.data.tiles import TileDataset
from terrashot.errors import DataError
from terrashot.papers.sg_one.episodes.rules import EpisodeRules
from terrashot.papers.sg_one.pascal.datamodule import FoldDataModule
from terrashot.papers.sg_one.pascal.episodes import fold_episodes
from terrashot.papers.sg_one.pascal.settings import FoldData
from terrashot.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    root = tmp_path_factory.mktemp("VOCdevkit") / "VOC2012"
    write_voc(root)
    return root


@pytest.fixture
def fold(repository, voc):
    """The settings of a fold on the tiny folder."""
    wing = repository / "src/terrashot/papers/sg_one"
    content = yaml.safe_load((wing / "configs/data/pascal5i.yaml").read_text())

    def of(number, sbd=None, root=voc):
        return FoldData(
            name="pascal5i", root=str(root), fold=number, taxonomy=content["taxonomy"],
            sbd=None if sbd is None else str(sbd),
        )  # fmt: skip

    return of


def names(tiles):
    return {tile.name for tile in tiles}


def test_each_fold_holds_out_its_own_five_classes(fold):
    """Shaban et al. 2017, table 1."""
    expected = [
        "aeroplane bicycle bird boat bottle",
        "bus car cat chair cow",
        "diningtable dog horse motorbike person",
        "pottedplant sheep sofa train tvmonitor",
    ]
    for number, novel in enumerate(expected):
        taxonomy = Taxonomy.from_dict(fold(number).classes())
        assert [land.name for land in taxonomy.novel] == novel.split()
        others = " ".join(row for i, row in enumerate(expected) if i != number).split()
        assert [land.name for land in taxonomy.base] == others


@pytest.mark.parametrize("number", range(4))
def test_masks_of_voc_get_the_ids_of_the_fold_and_void_is_ignored(fold, number):
    data = fold(number)
    taxonomy = Taxonomy.from_dict(data.classes())
    layout = data.open_layout(taxonomy)
    tiles = TileDataset(layout.stage1_val, taxonomy)
    order = [row["name"] for row in data.taxonomy["base"]]
    assert len(tiles) == 60
    for index in range(20):
        label = tiles.load(index)[1]
        (own,) = set(np.unique(label)) - {0, 255}
        assert taxonomy.names[own] == order[index]
        assert (label == own).sum() == 24 * 32
        assert (label == 255).sum() == 26 * 34 - 24 * 32


def test_masks_of_sbd_add_images_that_voc_does_not_validate_on(fold, voc, tmp_path):
    root = tmp_path / "VOC2012"
    root.mkdir()
    for part in ("JPEGImages", "SegmentationClass", "ImageSets"):
        (root / part).symlink_to(voc / part)
    masks = {"2007_train000": block(9, 2, 2), "2007_val000": block(9, 2, 2)}
    masks |= {"2008_val004": block(9, 3, 3), "extra": block(3, 5, 5)}
    mine = tmp_path / "images"
    mine.mkdir()
    (root / "JPEGImages").unlink()
    (root / "JPEGImages").mkdir()
    for image in (voc / "JPEGImages").iterdir():
        (root / "JPEGImages" / image.name).symlink_to(image)
    Image.new("RGB", (64, 48), (9, 99, 199)).save(root / "JPEGImages" / "extra.jpg")
    for name, mask in masks.items():
        write_mask(tmp_path / "png" / "SegmentationClassAug" / f"{name}.png", mask)
        place = tmp_path / "benchmark_RELEASE" / "dataset" / "cls"
        place.mkdir(parents=True, exist_ok=True)
        savemat(place / f"{name}.mat", {"GTcls": {"Segmentation": mask, "Boundaries": 0}})
    plain = fold(1, root=root).open_layout().train
    for sbd in (tmp_path / "png", tmp_path / "benchmark_RELEASE"):
        data = fold(1, sbd, root)
        taxonomy = Taxonomy.from_dict(data.classes())
        train = data.open_layout(taxonomy).train
        assert names(train) - names(plain) == {"extra"}
        tiles = TileDataset(train, taxonomy)
        label = {t.name: tiles.load(i)[1] for i, t in enumerate(train)}
        assert (label["extra"] == taxonomy.names.index("bird")).sum() == 24 * 32
        # VOC's own mask is the finer one.
        assert (label["2007_train000"] == taxonomy.names.index("aeroplane")).any()
    with pytest.raises(DataError, match=r"neither NAME\.png nor NAME\.mat"):
        _ = fold(1, tmp_path / "images", root).open_layout().train
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "extra.mat").write_bytes(b"no such thing")
    with pytest.raises(DataError, match=r"extra\.mat holds no mask"):
        _ = fold(1, bad, root).open_layout().train


def module(data, **options):
    taxonomy = Taxonomy.from_dict(data.classes())
    rules = EpisodeRules(64, 1, 1.0, zero_as_background=True, alone=True)
    given = {"train_episodes": 30, "val_episodes": 6, "test_episodes": 50, "shots": 5}
    return FoldDataModule(
        root=data.root, taxonomy=taxonomy, rules=rules, batch_size=2, num_workers=0,
        open_layout=lambda: data.open_layout(taxonomy), **(given | options),
    )  # fmt: skip


def test_training_never_sees_a_novel_class_nor_two_classes(fold):
    data = module(fold(0))
    data.setup("fit")
    novel = {land.name for land in data.taxonomy.novel}
    drawn = [name for batch in data.train_dataloader() for name in batch["name"]]
    assert len(drawn) == 30
    assert not novel & {name.partition(":")[0] for name in drawn}
    seen = {tile for name in drawn for tile in name.partition(": ")[2].split(", ")}
    assert "2009_both" not in seen
    (batch, *_) = data.train_dataloader()
    assert batch["query_image"].shape == (2, 3, 64, 64)
    assert set(batch["query_mask"].unique().tolist()) == {0, 1, 255}
    assert int((batch["query_mask"][0] == 1).sum()) == 24 * 32  # the whole image is in the window
    assert int((batch["query_mask"][0] == 255).sum()) == 26 * 34 - 24 * 32 + 16 * 64


def test_test_episodes_are_a_fixed_list_of_the_folds_classes(fold):
    first, again = module(fold(2)), module(fold(2), seed=7)
    first.setup("test")
    assert first.episodes == again.episodes
    assert first.episodes[:20] == module(fold(2), test_episodes=20).episodes
    assert first.episodes != module(fold(2), val_seed=1).episodes
    assert {e.class_id for e in first.episodes} == set(first.taxonomy.novel_ids)
    for episode in first.episodes:
        assert episode.query not in episode.supports
        assert len(set(episode.supports)) == 2  # of three images a class
    (query, *_) = first.test_dataloader()
    assert query["image"].shape == (3, 48, 64)
    assert query["episode"] == first.episodes[0]
    assert int((query["mask"] == query["episode"].class_id).sum()) == 24 * 32


def test_a_class_with_a_single_image_is_said(fold):
    with pytest.raises(DataError, match=r"class 17: 1.*episodes\.min_pixels"):
        fold_episodes({16: [1, 2], 17: [4]}, 10, 0, 1)


def test_a_folder_that_is_not_vocs_is_said(fold, tmp_path):
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(DataError, match=r"SegmentationClass, ImageSets/Segmentation is missing"):
        fold(0, root=tmp_path).open_layout()


def test_a_missing_image_or_mask_is_named(fold, tmp_path):
    root = tmp_path / "VOC2012"
    write_voc(root)
    (root / "JPEGImages" / "2007_val000.jpg").unlink()
    with pytest.raises(DataError, match=r"2007_val000\.jpg is missing"):
        _ = fold(0, root=root).open_layout().stage1_val
    (root / "SegmentationClass" / "2007_train000.png").unlink()
    with pytest.raises(DataError, match=r"2007_train000\.png is missing.*lists 2007_train000"):
        _ = fold(0, root=root).open_layout().train
