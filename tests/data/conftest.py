"""A small dataset in the few-shot layout, written anew for each test that asks for it."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from terrashot.taxonomy import Taxonomy

DRIVERS = {".tif": "GTiff", ".png": "PNG", ".jpg": "JPEG"}


@pytest.fixture
def taxonomy() -> Taxonomy:
    names = ["background", "wood", "field", "road", "parking", "hall"]
    rows = [{"name": n, "color": f"#0000{i}0"} for i, n in enumerate(names)]
    return Taxonomy.from_dict(
        {"name": "tiny", "background": rows[0], "base": rows[1:4], "novel": rows[4:]}
    )


@pytest.fixture
def write_raster() -> Callable[[Path, np.ndarray], Path]:
    def write(path: Path, array: np.ndarray) -> Path:
        bands = array if array.ndim == 3 else array[None]
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(
                path,
                "w",
                driver=DRIVERS[path.suffix],
                count=len(bands),
                height=bands.shape[1],
                width=bands.shape[2],
                dtype=bands.dtype,
            ) as target:
                target.write(bands)
        return path

    return write


@pytest.fixture
def dataset(tmp_path: Path, write_raster: Callable[[Path, np.ndarray], Path]) -> Path:
    """12 training names, 3 of them also for validation; 2 support tiles a class; 5 queries."""
    root = tmp_path / "tiny"
    rng = np.random.default_rng(0)

    def tile(folder: str, name: str, ids: list[int], side: int = 48) -> None:
        image = rng.integers(0, 256, (3, side, side), dtype=np.uint8)
        label = rng.choice(np.array(ids, dtype=np.uint8), (side, side))
        write_raster(root / folder / "images" / name, image)
        write_raster(root / folder / "labels" / name, label)

    train = [f"train_{i}.tif" for i in range(12)]
    for number, name in enumerate(train):
        tile("trainset", name, [0, 1, 2, 3], side=48 if number else 40)
    support = {"4": ["four_0.tif", "four_1.tif"], "5": ["five_0.tif", "five_1.tif"]}
    for key, names in support.items():
        for name in names:
            tile("testset", name, [0, int(key), 255])
    query = [f"query_{i}.tif" for i in range(5)]
    for number, name in enumerate(query):
        tile("testset", name, [0, 1, 2, 3, 4, 5], side=40 + 2 * number)
    (root / "train.txt").write_text("\n".join(train) + "\n")
    (root / "stage1_val.txt").write_text("\n".join(train[:3]) + "\n")
    (root / "test.json").write_text(json.dumps({"support_set": support, "query_set": query}))
    return root
