"""Lists as other systems write them: encodings, quotes, separators, Unicode forms."""

import codecs
import json
import unicodedata

import pytest

from terrashot.data.checks.lists import read_lists
from terrashot.data.layout import FewShotLayout
from terrashot.data.support_pool import draw_support, read_pool
from terrashot.data.tile_names import listed_name, read_list_text, tile_name
from terrashot.errors import DataError

ENCODINGS = {
    "utf-8": "utf-8",
    "a mark of bytes": "utf-8-sig",
    "utf-16 as PowerShell writes it": "utf-16",
    "utf-16 big end first": "utf-16-be with mark",
    "utf-16 without a mark": "utf-16-le",
    "utf-16 big end first without a mark": "utf-16-be",
}
COMPOSED, APART = (unicodedata.normalize(form, "forêt_é") for form in ("NFC", "NFD"))


def encoded(text, encoding):
    if encoding.endswith("with mark"):
        return codecs.BOM_UTF16_BE + text.encode("utf-16-be")
    return text.encode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_lists_are_read_in_every_unicode_encoding(dataset, encoding):
    plain = FewShotLayout(dataset, "test")
    expected = plain.stage1_val, plain.train, plain.support, plain.query
    for name in ("train.txt", "stage1_val.txt", "test.json"):
        text = (dataset / name).read_text()
        (dataset / name).write_bytes(encoded(text.replace("\n", "\r\n"), encoding))
    again = FewShotLayout(dataset, "test")
    assert (again.stage1_val, again.train, again.support, again.query) == expected
    assert not [f for f in read_lists(dataset, {4, 5}).findings if f.kind == "unreadable list"]


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_a_pool_is_read_in_every_unicode_encoding(tmp_path, encoding):
    text = json.dumps({"4": ["a.tif", f"{COMPOSED}.tif"]}, ensure_ascii=False)
    (tmp_path / "support_pool.json").write_bytes(encoded(text, encoding))
    assert read_pool(tmp_path) == {4: ["a.tif", f"{COMPOSED}.tif"]}


def test_a_list_in_an_encoding_of_one_country_is_refused_with_the_remedy(dataset):
    (dataset / "train.txt").write_bytes("forêt.tif\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"train\.txt cannot be read.*as UTF-8"):
        _ = FewShotLayout(dataset, "test").train
    with pytest.raises(ValueError, match="no text in UTF-8"):
        read_list_text(dataset / "train.txt")


@pytest.mark.parametrize(
    "entry",
    [
        "a b.tif",
        "  a b.tif \t",
        "a b.tif\r",
        '"a b.tif"',
        "'a b.tif ' ",
        "images/a b.tif",
        "./images/a b.tif",
        "trainset/images/a b.tif",
        "trainset\\images\\a b.tif",
        "trainset/labels/a b.tif",
        "\ufeffa b.tif",
    ],
)
def test_what_stands_around_a_name_is_no_part_of_it(entry):
    assert listed_name(entry, "trainset") == "a b.tif"


@pytest.mark.parametrize(
    "entry", ["testset/images/a.tif", "berlin/a.tif", "berlin\\images\\a.tif", "images/x/a.tif"]
)
def test_a_name_in_another_folder_is_refused_since_two_files_may_have_it(dataset, entry):
    with pytest.raises(ValueError, match="names of files in trainset/images/ were expected"):
        listed_name(entry, "trainset")
    (dataset / "train.txt").write_text(f"train_1.tif\n{entry}\n")
    with pytest.raises(DataError, match=r"train\.txt: .* lies in .*one file name a line"):
        _ = FewShotLayout(dataset, "test").train


def test_a_list_full_of_other_systems_signs_names_the_same_tiles(dataset):
    names = (dataset / "stage1_val.txt").read_text().split()
    entries = [f'"trainset\\images\\{names[0]}"', f" {names[1]}  ", f"images/{names[2]}", "", '""']
    (dataset / "stage1_val.txt").write_bytes("\r\n".join([*entries, names[0]]).encode())
    found = [tile.name for tile in FewShotLayout(dataset, "test").stage1_val]
    assert found == [name.removesuffix(".tif") for name in names]


@pytest.mark.parametrize(
    ("listed", "on_disk"), [(COMPOSED, APART), (APART, COMPOSED)], ids=["list NFC", "list NFD"]
)
def test_an_accent_may_be_spelled_otherwise_on_the_disk_than_on_the_list(dataset, listed, on_disk):
    for kind in ("images", "labels"):
        folder = dataset / "trainset" / kind
        (folder / "train_5.tif").rename(folder / f"{on_disk}.tif")
    text = (dataset / "train.txt").read_text().replace("train_5", listed)
    (dataset / "train.txt").write_text(text, encoding="utf-8")
    (tile,) = (t for t in FewShotLayout(dataset, "test").train if t.name == COMPOSED)
    assert tile.image.name == tile.label.name == f"{on_disk}.tif"


def test_a_label_may_spell_an_accent_otherwise_than_its_image(dataset):
    for kind, name in (("images", COMPOSED), ("labels", APART)):
        folder = dataset / "trainset" / kind
        (folder / "train_5.tif").rename(folder / f"{name}.tif")
    text = (dataset / "train.txt").read_text().replace("train_5", COMPOSED)
    (dataset / "train.txt").write_text(text, encoding="utf-8")
    assert COMPOSED in [t.name for t in FewShotLayout(dataset, "test").train]


def test_a_validation_tile_spelled_otherwise_is_taken_out_of_training_all_the_same(dataset):
    for kind in ("images", "labels"):
        folder = dataset / "trainset" / kind
        (folder / "train_0.tif").rename(folder / f"{COMPOSED}.tif")
    for name, spelled in (("train.txt", COMPOSED), ("stage1_val.txt", APART)):
        text = (dataset / name).read_text().replace("train_0.", f"{spelled}.")
        (dataset / name).write_text(text, encoding="utf-8")
    layout = FewShotLayout(dataset, "test")
    assert COMPOSED in [t.name for t in layout.stage1_val]
    assert COMPOSED not in [t.name for t in layout.train]


def test_a_draw_never_takes_a_query_that_the_pool_spells_otherwise(tmp_path):
    entries = [f'"{APART}.tif"', "testset\\images\\b.tif"]
    (tmp_path / "support_pool.json").write_text(json.dumps({"4": entries}))
    assert draw_support(tmp_path, 0, {4: 1}, {tile_name(f"{COMPOSED}.tif")}) == {4: ["b.tif"]}
