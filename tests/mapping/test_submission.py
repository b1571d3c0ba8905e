import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from terrashot.data.layout import Tile
from terrashot.errors import ConfigError, DataError
from terrashot.mapping.submission import write_submission


@pytest.fixture
def queries(tmp_path):
    """Two tiles of unlike size and their maps."""
    tiles = []
    for name, size in {"accra_2": (6, 8), "zanzibar_134": (5, 5)}.items():
        for folder, array in {
            "images": np.full((*size, 3), 90, dtype=np.uint8),
            "maps": np.arange(size[0] * size[1], dtype=np.uint8).reshape(size) % 12,
        }.items():
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(array).save(tmp_path / folder / f"{name}.tif")
        tiles.append(Tile(name, tmp_path / "images" / f"{name}.tif", None))
    return tiles


def test_every_query_is_a_png_of_class_ids_at_the_top_of_the_archive(queries, tmp_path):
    made = write_submission(tmp_path / "maps", queries, 12, tmp_path / "submission.zip")
    assert made.maps == 2
    assert made.shares.sum() == pytest.approx(1)
    with zipfile.ZipFile(made.path) as archive:
        assert archive.namelist() == ["accra_2.png", "zanzibar_134.png"]
        for tile in queries:
            with Image.open(io.BytesIO(archive.read(f"{tile.name}.png"))) as picture:
                assert (picture.format, picture.mode) == ("PNG", "L")
                ids = np.asarray(picture)
            with Image.open(tmp_path / "maps" / f"{tile.name}.tif") as source:
                np.testing.assert_array_equal(ids, np.asarray(source))
    first = made.path.read_bytes()
    write_submission(tmp_path / "maps", queries, 12, made.path)
    assert made.path.read_bytes() == first


def save(path, array):
    Image.fromarray(array).save(path)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda maps: (maps / "accra_2.tif").unlink(), "lacks the maps of 1 of 2 .*: accra_2"),
        (lambda maps: save(maps / "lima_3.png", np.zeros((4, 4), np.uint8)), "no query tile.*lima"),
        (lambda maps: save(maps / "accra_2.png", np.zeros((6, 8), np.uint8)), "two maps of one"),
        (
            lambda maps: save(maps / "accra_2.tif", np.zeros((8, 6), np.uint8)),
            "accra_2.tif is 6 x 8 pixels, its tile 8 x 6",
        ),
        (
            lambda maps: save(maps / "accra_2.tif", np.full((6, 8), 255, np.uint8)),
            "holds the id 255",
        ),
        (
            lambda maps: save(maps / "accra_2.tif", np.zeros((6, 8), np.uint16)),
            r"1 band\(s\) of type uint16",
        ),
        (
            lambda maps: save(maps / "accra_2.tif", np.zeros((6, 8, 3), np.uint8)),
            r"3 band\(s\) of type uint8",
        ),
        (lambda maps: (maps / "accra_2.tif").write_bytes(b"II*\0 nothing"), "is damaged"),
        (lambda maps: [p.unlink() for p in maps.iterdir()] and maps.rmdir(), "does not exist"),
    ],
    ids=["missing", "too many", "twice", "size", "id", "type", "colours", "damaged", "no folder"],
)
def test_a_wrong_map_is_named_and_nothing_is_written(queries, tmp_path, spoil, said):
    spoil(tmp_path / "maps")
    with pytest.raises(DataError, match=said):
        write_submission(tmp_path / "maps", queries, 12, tmp_path / "submission.zip")
    assert not (tmp_path / "submission.zip").exists()


def foreign_archive(folder):
    with zipfile.ZipFile(folder / "data.zip", "w") as archive:
        archive.writestr("images/accra_2.png", b"")
    return "data.zip"


def a_link_to_a_tile(folder):
    (folder / "out.zip").symlink_to(folder / "images/accra_2.tif")
    return "out.zip"


def a_text(folder):
    (folder / "test.json").write_text("{}")
    return "test.json"


@pytest.mark.parametrize(
    "path_in",
    [foreign_archive, a_link_to_a_tile, a_text, lambda _: "maps/accra_2.tif", lambda _: "images"],
    ids=["another archive", "a link to a tile", "a list", "a map", "a folder"],
)
def test_only_an_earlier_submission_is_replaced(queries, tmp_path, path_in):
    path = tmp_path / path_in(tmp_path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(ConfigError, match="--output"):
        write_submission(tmp_path / "maps", queries, 12, path)
    assert before is None or path.read_bytes() == before
